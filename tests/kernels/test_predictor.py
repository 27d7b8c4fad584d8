"""Classes from compiled code: what NumPy would make of the same outputs."""

import numpy as np
import pytest

import fastmlp
from fastmlp import kernels, reference
from fastmlp.errors import ArgumentError
from fastmlp.functions import classes_of


def drawn(outputs, count, dense):
    rng = np.random.default_rng(outputs + count)
    images = rng.integers(1, 256, (count, 50), np.uint8)
    if not dense:
        images[rng.random(images.shape) > 0.2] = 0
    network = fastmlp.Network((50, 40, outputs), output="sigmoid", cost="squared_error")
    a = network.predict_proba(images, "numpy")
    network.biases[1] -= np.median(np.log(a / (1 - a)), axis=0)  # so that each class is met
    return network, images


def predictor_of(network, backend=kernels):
    return backend.Predictor(network.weights, network.biases, network.activations, 1 / 255)


def classes_and_outputs(network, images, threads, backend=kernels):
    classes = np.full(len(images), -1)
    outputs = np.full((len(images), network.sizes[-1]), np.nan, network.dtype)
    predictor = predictor_of(network, backend)
    predictor(images, "classes", classes, threads)
    predictor(images, "outputs", outputs, threads)
    return classes, outputs


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("count", [1, 8, 9, 150])
@pytest.mark.parametrize("outputs", [1, 2, 10, 16, 17, 70])
def test_a_class_is_the_largest_output(outputs, count, dense):
    network, images = drawn(outputs, count, dense)
    for threads in (1, 2):
        classes, a = classes_and_outputs(network, images, threads)
        np.testing.assert_array_equal(classes, classes_of(a))
    np.testing.assert_array_equal(classes, network.predict(images))
    if count == 150:
        assert len(np.unique(classes)) > 1


@pytest.mark.parametrize("backend", [kernels, reference])
@pytest.mark.parametrize("count", [5, 40])
@pytest.mark.parametrize(
    ("planted", "wanted"),
    [({3: np.inf, 20: np.inf}, 3), ({}, 0), ({0: 9, 19: np.nan, 24: np.nan}, -1), ({24: 1}, 24)],
    ids=str,
)
def test_of_equals_the_first_counts_and_nan_has_no_class(planted, wanted, count, backend):
    network, images = drawn(25, count, dense=False)
    network.weights[1][...], network.biases[1][...] = 0, 0
    for place, value in planted.items():
        network.biases[1][place] = value
    classes, outputs = classes_and_outputs(network, images, 2, backend)
    np.testing.assert_array_equal(classes, wanted)
    np.testing.assert_array_equal(classes, classes_of(outputs))


def test_weights_may_change_between_calls():
    network, images = drawn(10, 60, dense=False)
    before = network.predict(images)
    network.weights[1][...] *= -1
    network.biases[1][...] *= -1
    np.testing.assert_array_equal(network.predict(images), network.predict(images, "numpy"))
    assert (network.predict(images) != before).mean() > 0.5


@pytest.mark.parametrize(
    "out", [np.empty(60, np.int32), np.empty(59, int), np.empty(120, int)[::2]]
)
def test_classes_of_another_kind_are_refused(out):
    network, images = drawn(10, 60, dense=False)
    with pytest.raises(ArgumentError, match="classes"):
        predictor_of(network)(images, "classes", out)


@pytest.mark.parametrize("inputs", [40, 41, 784])
def test_what_is_inferred_depends_neither_on_threads_nor_on_the_company(inputs):
    rng = np.random.default_rng(0)
    images = rng.integers(1, 256, (150, inputs), np.uint8)
    images[rng.random(images.shape) < 0.8] = 0
    network = fastmlp.Network((inputs, 70, 10))

    def inferred(some, threads):
        a = np.empty((len(some), 10), np.float32)
        predictor_of(network)(some, "outputs", a, threads)
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
    with pytest.raises(ValueError, match="outputs must be writable"):
        predictor_of(network)(images, "outputs", a)
