"""With two classes, the steps of each implementation are those of NumPy."""

import numpy as np
import pytest

from fastmlp.bench import peers, workload
from fastmlp.datasets import Split
from fastmlp.errors import ArgumentError
from fastmlp.network import Network

INSTALLED = [name for name in peers.IMPLEMENTATIONS if peers.is_installed(name)]


@pytest.mark.filterwarnings("ignore")  # the libraries' own
@pytest.mark.parametrize("name", [name for name in INSTALLED if name != "torch-compile"])
@pytest.mark.parametrize("sizes", [(20, 9, 2), (20, 7, 5, 2), (20, 2), (20, 9, 3)], ids=str)
def test_the_same_steps_as_numpy(name, sizes):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (320, 20), np.uint8)
    labels = (images[:, 0] > 127).astype(np.int64) + (images[:, 1] > 190) * (sizes[-1] - 2)
    train, rates = Split(images, labels), np.full(20, 0.3)
    answers, outputs = {}, {}
    for own in ("numpy", name):
        kind = peers.implementation(own).kind
        network = Network(sizes, seed=3)
        peer = peers.peer_class(own)(network, train, 16, 1, kind)
        before = peer.predict(images)
        for seed in range(3):
            peer.epoch(np.random.default_rng(seed).permutation(320), rates)
        answers[own] = before, peer.predict(images)
        outputs[own] = probabilities(peer, images)
    assert [a.shape for a in answers[name]] == [(320,), (320,)]
    assert np.array_equal(answers[name][0], answers["numpy"][0])
    assert np.mean(answers[name][1] == answers["numpy"][1]) > 0.99
    if outputs[name] is not None:
        assert np.abs(outputs[name] - outputs["numpy"]).max() < 1e-4


def probabilities(peer, images):
    """Return what a peer computes for each class, where it tells."""
    if hasattr(peer, "network"):
        return peer.network.predict_proba(images, peer.backend)
    model = getattr(peer, "model", None)
    if hasattr(model, "predict_proba"):
        return model.predict_proba(workload.scale_pixels(images))
    return None


@pytest.mark.parametrize("name", ["784-128-1/64", "5-1/1/dense"])
def test_a_softmax_of_one_output_is_refused(name):
    with pytest.raises(ArgumentError, match="must have two outputs or more"):
        workload.parse(name)
