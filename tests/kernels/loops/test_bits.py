"""Masks: which samples a pair of pixels is in, against NumPy."""

import numpy as np
import pytest
from fastmlp.kernels.masks import PART, mask_bytes
from fastmlp.kernels.options import Shared

import fastmlp
from fastmlp.kernels import infer, launch


def masks_of(images):
    """Return the masks of one part of images, made in two goes."""
    launch.prepare(np.dtype("float32"))
    rows, inputs = images.shape
    runs, pairs = -(-inputs // (2 * PART)), inputs // 2
    masks = np.full(runs * PART, -1)
    assert masks.nbytes == mask_bytes(inputs)
    addresses = images.ctypes.data + np.arange(rows) * inputs
    make = Shared.by_name["make_masks"].compiled["float32"].ctypes
    for first, last in ((0, runs // 2), (runs // 2, runs)):
        make(addresses.ctypes.data, rows, first, last, pairs, masks.ctypes.data, 0.0)
    return masks[:pairs].view(np.uint64)


@pytest.mark.parametrize("rows", [1, 7, 63, 64])
@pytest.mark.parametrize("inputs", [2, 14, 16, 18, 126, 128, 130, 256, 784])
def test_a_mask_has_a_bit_for_each_sample_that_the_pair_is_in(rows, inputs):
    rng = np.random.default_rng(rows * 1000 + inputs)
    images = rng.integers(0, 256, (rows, inputs), np.uint8)
    images[rng.random(images.shape) < 0.7] = 0
    found = masks_of(images)
    wanted = (images.reshape(rows, -1, 2) != 0).any(axis=2)
    bits = found[None, :] >> np.arange(PART, dtype=np.uint64)[:, None] & np.uint64(1)
    np.testing.assert_array_equal(bits[:rows], wanted)
    assert not bits[rows:].any()


@pytest.mark.parametrize("inputs", [40, 41, 784])
def test_what_is_inferred_depends_neither_on_threads_nor_on_the_company(inputs):
    rng = np.random.default_rng(0)
    images = rng.integers(1, 256, (150, inputs), np.uint8)
    images[rng.random(images.shape) < 0.8] = 0
    network = fastmlp.Network((inputs, 70, 10))

    def inferred(some, threads):
        a = np.empty((len(some), 10), np.float32)
        infer(network.weights, network.biases, network.activations, some, a, 1 / 255, threads)
        return a

    alone = inferred(images, 1)
    np.testing.assert_allclose(alone, network.predict_proba(images, "numpy"), rtol=2e-5, atol=1e-7)
    for threads in (2, 3, 8):
        np.testing.assert_array_equal(inferred(images, threads), alone)
    np.testing.assert_array_equal(inferred(images[31:60], 1), alone[31:60])


def test_answers_are_not_written_where_nothing_may_be_written():
    network, images = fastmlp.Network((40, 10)), np.zeros((20, 40), np.uint8)
    a = np.zeros((20, 10), np.float32)
    a.flags.writeable = False
    with pytest.raises(ValueError, match="a must be writable"):
        infer(network.weights, network.biases, network.activations, images, a)
