"""The peers whose parameters can be read take the steps of NumPy, to rounding."""

import numpy as np
import pytest

from fastmlp.bench import peers
from fastmlp.bench.peers import cplusplus
from fastmlp.datasets import Split
from fastmlp.network import Network


def trained(name, sizes, train, batch, threads=1, epochs=3):
    """The parameters of a peer after some epochs, the last minibatch of each short."""
    network = Network(sizes, seed=3)
    own = peers.peer_class(name)
    peer = own(network, train, batch, threads, peers.implementation(name).kind)
    samples = len(train)
    for seed in range(epochs):
        order = np.random.default_rng(seed).permutation(samples)
        peer.epoch(order, np.linspace(0.1, 0.3, -(-samples // batch)))
    if name == "numpy":
        peer.engine.read(network.weights, network.biases)
        return [*network.weights, *network.biases]
    if name == "tensorflow":
        return [array.numpy() for part in zip(*peer.parameters, strict=True) for array in part]
    peer.predict(train.images[:1])  # the C++ copies its parameters then
    return [*peer.w, *peer.b]


@pytest.fixture
def train():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (203, 37), np.uint8) * rng.integers(0, 2, (203, 37), np.uint8)
    return Split(images, (images[:, 0] > 0) + (images[:, 1] > 99).astype(np.int64))


OWN_PARAMETERS = [name for name in ("lean", "cpp", "tensorflow") if peers.is_installed(name)]


@pytest.mark.filterwarnings("ignore")  # the libraries' own
@pytest.mark.parametrize("name", OWN_PARAMETERS)
@pytest.mark.parametrize("batch", [1, 10, 64])
@pytest.mark.parametrize("sizes", [(37, 3), (37, 20, 3), (37, 70, 18, 3)], ids=str)
def test_the_parameters_of_the_reference(train, name, sizes, batch):
    expected = trained("numpy", sizes, train, batch)
    for own, other in zip(trained(name, sizes, train, batch), expected, strict=True):
        assert np.abs(own - other).max() < 2e-5


compiled = pytest.mark.skipif(not peers.is_installed("cpp"), reason="there is no compiler")


@compiled
@pytest.mark.parametrize("is_dense", [False, True], ids=["bytes", "float"])
@pytest.mark.parametrize("sizes", [(37, 33, 3), (37, 200, 130, 70, 3)], ids=str)
def test_cplusplus_by_a_team_on_bytes_and_on_floats(train, sizes, is_dense):
    if is_dense:
        images = np.random.default_rng(1).random((203, 37), np.float32) - np.float32(0.5)
        train = Split(images, train.labels)
    expected = trained("numpy", sizes, train, 48)
    for own, other in zip(trained("cpp", sizes, train, 48, threads=3), expected, strict=True):
        assert np.abs(own - other).max() < 2e-5


@compiled
def test_without_openblas_wide_layers_are_plain_loops(train, monkeypatch):
    monkeypatch.setattr(cplusplus, "find_sgemm", lambda libraries: (None, 0))
    sizes = (37, 200, 130, 3)
    expected = trained("numpy", sizes, train, 48)
    for own, other in zip(trained("cpp", sizes, train, 48, threads=2), expected, strict=True):
        assert np.abs(own - other).max() < 2e-5


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
