"""All peers take the steps of NumPy, to rounding."""

import numpy as np
import pytest

from fastmlp.bench import peers, workload
from fastmlp.bench.peers import cplusplus
from fastmlp.datasets import Split
from fastmlp.network import Network


def trained(name, network, train, batch, threads=1, epochs=3, optimizer="sgd", rates=(0.1, 0.3)):
    """The parameters of a peer after some epochs, with rates from the first to the last."""
    samples = len(train)
    peer = peers.make_peer(name, network, train, batch, threads, optimizer)
    for seed in range(epochs):
        order = np.random.default_rng(seed).permutation(samples)
        peer.epoch(order, np.linspace(*rates, -(-samples // batch)))
    peer.read()
    return [*network.weights, *network.biases]


def largest_difference(name, make, *what, threads=1, **how):
    """The largest difference of a peer's parameters from the reference's; make returns a network"""
    expected = trained("numpy", make(), *what, **how)
    found = trained(name, make(), *what, threads=threads, **how)
    return max(np.abs(own - other).max() for own, other in zip(found, expected, strict=True))


@pytest.fixture
def train():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (203, 37), np.uint8) * rng.integers(0, 2, (203, 37), np.uint8)
    return Split(images, (images[:, 0] > 0) + (images[:, 1] > 99).astype(np.int64))


# Those that take a short last minibatch, and a rate for each step
INSTALLED = [name for name in peers.PEERS if peers.is_installed(name) and name != "torch-compile"]
FLEXIBLE = [name for name in ("lean", "cpp", "tensorflow") if name in INSTALLED]


@pytest.mark.filterwarnings("ignore")  # the libraries' own
@pytest.mark.parametrize("name", FLEXIBLE)
@pytest.mark.parametrize(
    ("sizes", "batch"), [((37, 3), 10), ((37, 20, 3), 1), ((37, 70, 18, 3), 64)], ids=str
)
def test_the_parameters_of_the_reference(train, name, sizes, batch):
    assert largest_difference(name, lambda: Network(sizes, seed=3), train, batch) < 2e-5


# Two classes are one output of scikit-learn's
WORKLOADS = (
    *("20-9-2/16", "20-2/16/momentum", "20-9-3/16/adam", "5-9-1/48/dense/regression/momentum"),
    *("5-32-16-4/96/full/tanh/regression/adam", "20-70-18-1/48/dense/tanh/binary/momentum"),
)


@pytest.mark.filterwarnings("ignore")  # the libraries' own
@pytest.mark.parametrize("name", [name for name in ("fastmlp", *INSTALLED) if name != "numpy"])
@pytest.mark.parametrize("text", WORKLOADS)
def test_all_peers_take_the_steps_of_a_workload(name, text, monkeypatch):
    monkeypatch.setattr(workload, "DENSE_SAMPLES", 192)
    monkeypatch.setattr(workload, "DENSE_TESTS", 1)
    work = workload.parse(text)
    if work.dense:
        train = workload.load(work, "", None).train
    else:
        images = np.random.default_rng(0).integers(0, 256, (192, 20), np.uint8)
        train = Split(images, (images[:, 0] > 127) + (images[:, 1] > 190) * (work.classes - 2))
    how = {"optimizer": work.optimizer, "rates": (0.02, 0.02)}
    # scikit-learn's epsilon is another one, so its Adam differs where gradients are near 0
    most = 5e-3 if (name, work.optimizer) == ("sklearn", "adam") else 2e-5
    different = largest_difference(name, lambda: work.network(3), train, work.batch_size, **how)
    assert different < most


def test_what_a_peer_lacks_is_told():
    parse, lack = workload.parse, peers.lack_of
    assert not any(lack(name, parse(text)) for text in workload.STANDARD for name in INSTALLED)
    assert lack("jax", parse("8-4-2/1/gelu")) == "it is not written for gelu"
    assert lack("cpp", parse("8-4-2/1/lion")) == "it is not written for lion"
    assert "two classes" in lack("sklearn", parse("8-4-2/1/adam"))
    assert not lack("sklearn", parse("8-4-2/1/momentum"))
    assert not lack("numpy", parse("8-4-2/1/gelu/lion"))


compiled = pytest.mark.skipif(not peers.is_installed("cpp"), reason="there is no compiler")


@compiled
@pytest.mark.parametrize(
    ("sizes", "is_dense", "optimizer"),
    [
        ((37, 33, 3), False, "sgd"),
        ((37, 33, 3), True, "adam"),
        ((37, 200, 130, 70, 3), True, "sgd"),
        ((37, 200, 130, 70, 3), False, "adam"),
    ],
    ids=str,
)
def test_cplusplus_by_a_team_on_bytes_and_on_floats(train, sizes, is_dense, optimizer):
    if is_dense:
        images = np.random.default_rng(1).random((203, 37), np.float32) - np.float32(0.5)
        train = Split(images, train.labels)
    rates = (0.1, 0.3) if optimizer == "sgd" else (0.001, 0.003)
    how = {"threads": 3, "optimizer": optimizer, "rates": rates}
    assert largest_difference("cpp", lambda: Network(sizes, seed=3), train, 48, **how) < 2e-5


@compiled
def test_without_openblas_wide_layers_are_plain_loops(train, monkeypatch):
    monkeypatch.setattr(cplusplus, "find_sgemm", lambda libraries: (None, 0))
    sizes = (37, 200, 130, 3)
    assert largest_difference("cpp", lambda: Network(sizes, seed=3), train, 48, threads=2) < 2e-5


@compiled
def test_what_the_compiler_says_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("FASTMLP_CACHE", str(tmp_path))
    with pytest.raises(RuntimeError, match="SIZES"):
        cplusplus.build(["-DBATCH=1"])
    assert not list((tmp_path / "peers").iterdir())


def test_libraries_are_not_read_where_others_can_write(monkeypatch, tmp_path):
    monkeypatch.setenv("FASTMLP_CACHE", str(tmp_path))
    tmp_path.chmod(0o700)
    assert cplusplus.library_folder() == tmp_path / "peers"
    tmp_path.chmod(0o777)
    assert not cplusplus.library_folder().is_relative_to(tmp_path)


def test_cplusplus_needs_a_compiler(monkeypatch):
    monkeypatch.setattr(peers, "which", lambda name: None)
    assert not peers.is_installed("cpp")
    assert peers.is_installed("lean")
