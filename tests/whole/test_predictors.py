"""Predictors are kept between calls, and hold no network alive."""

import gc
import weakref

import numpy as np
import pytest

import fastmlp
from fastmlp.kernels import predictor


@pytest.fixture
def built(monkeypatch):
    """Count the predictors that are built."""
    predictor._idle.clear()
    count, real = [], predictor.Predictor.__init__
    monkeypatch.setattr(
        predictor.Predictor, "__init__", lambda self, *a: (count.append(a), real(self, *a))[1]
    )
    return count


def test_networks_that_serve_in_turn_keep_their_predictors(built):
    images = np.ones((3, 20), np.float32)
    networks = [fastmlp.Network((20, 8, 3), seed=seed) for seed in range(5)]
    for _ in range(4):
        for network in networks:
            network.predict(images)
    assert len(built) == 5
    for seed in range(20):
        fastmlp.Network((20, 8, 3), seed=seed).predict(images)
        assert len(predictor._idle) <= predictor.MOST_IDLE


@pytest.mark.parametrize("sizes", [(20, 8, 3), (20, 32, 64)])
def test_a_network_lives_no_longer_for_its_predictor(built, sizes):
    network = fastmlp.Network(sizes)
    network.predict(np.ones((3, sizes[0]), np.float32))
    network.predict(np.ones((300, sizes[0]), np.float32))
    weights = weakref.ref(network.weights[0])
    assert len(predictor._idle) == 1
    del network
    built.clear()
    gc.collect()
    assert weights() is None
    assert not predictor._idle


def test_weights_that_are_written_to_or_replaced_count():
    network, images = fastmlp.Network((20, 8, 3)), np.ones((3, 20), np.float32)
    for change in range(3):
        answers = network.predict_proba(images)
        np.testing.assert_allclose(
            answers, network.predict_proba(images, backend="numpy"), rtol=1e-5
        )
        if change:
            network.weights[1] = network.weights[1] + 1
            network.biases[0] = np.ones(8, np.float32)
        else:
            network.weights[1][...] += network.weights[1]
