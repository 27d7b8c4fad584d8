"""Shared by the benchmarks: the two sides, and a pause before each measurement."""

import os
from time import sleep

import pytest

from fastmlp.backends import backend_named
from fastmlp.bench.processes import kernel_choices

# NumPy's threads keep the cores busy for a while after a product
SETTLE_SECONDS = 0.3


def pytest_configure(config):
    """Remove the variables that choose kernels, before NumPy is imported and reads them."""
    for name in kernel_choices():
        del os.environ[name]


@pytest.fixture(params=["compiled", "numpy"])
def side(request):
    import numpy as np

    backend_named(request.param).prepare(np.dtype(np.float32))
    sleep(SETTLE_SECONDS)
    return request.param
