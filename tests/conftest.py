"""Shared by all tests: the real MNIST, if FASTMLP_DATA is set."""

import os
import signal

import pytest

import fastmlp


def pytest_addoption(parser):
    parser.addoption("--every", type=int, default=1, help="run only each n-th test")


def pytest_collection_modifyitems(config, items):
    every = config.getoption("--every")
    config.hook.pytest_deselected(items=[item for n, item in enumerate(items) if n % every])
    items[:] = items[::every]


@pytest.fixture(scope="session", autouse=True)
def ctrl_c():
    """Ctrl-C ends what the tests start, even where a shell runs them in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def mnist():
    """The real data set. The test is skipped if FASTMLP_DATA is not set."""
    if not os.environ.get("FASTMLP_DATA"):
        pytest.skip("FASTMLP_DATA does not say where MNIST is")
    return fastmlp.load_dataset("mnist", download=False)


@pytest.fixture(scope="session")
def digits():
    """A few generated digits."""
    from fastmlp.datasets import generate_digits

    return generate_digits(train=4000, test=1000, seed=1)
