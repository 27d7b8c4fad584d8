"""Predictors hold no network alive, and read its weights at each call."""

import gc
import weakref

import numpy as np
import pytest

import fastmlp


@pytest.mark.parametrize("sizes", [(20, 8, 3), (20, 32, 64)])
def test_a_network_lives_no_longer_for_its_predictors(sizes):
    network = fastmlp.Network(sizes)
    network.predict(np.ones((3, sizes[0]), np.float32))
    network.predict(np.ones((300, sizes[0]), np.float32))
    weights = weakref.ref(network.weights[0])
    ((*_, predictor),) = next(iter(network.predictors.idle.values()))
    kept = weakref.ref(predictor)
    del predictor, _
    del network
    gc.collect()
    assert weights() is kept() is None


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
