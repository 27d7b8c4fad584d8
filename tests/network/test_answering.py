"""A few samples are answered by predictors that a network keeps while it does not change."""

import copy
import pickle

import numpy as np
import pytest

import fastmlp
from fastmlp import kernels
from fastmlp.errors import ArgumentError
from fastmlp.network.answering import MOST_KINDS, MOST_SINGLES

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 24)).astype(np.uint8)


def write(network):
    network.weights[0] *= -1


def replace(network):
    network.biases[1] = np.array([3, -2, 1], np.float32)


def train(network):
    fastmlp.train(network, (IMAGES, np.arange(5) % 3), epochs=1, scaling="standardize")


CHANGES = {
    "nothing": lambda network: None,
    "written": write,
    "replaced": replace,
    "other lists": lambda network: setattr(network, "weights", [-w for w in network.weights]),
    "activations": lambda network: setattr(network, "hidden", ("tanh",)),
    "output": lambda network: setattr(network, "output", "sigmoid"),
    "scale": lambda network: setattr(network, "pixel_scale", 1 / 100),
    "classes": lambda network: setattr(network, "classes", ["a", "b", "c"]),
    "trained": train,
}


@pytest.mark.parametrize("backend", ["compiled", "numpy"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_each_change_of_a_network_counts_at_once(change, backend):
    network = fastmlp.Network((24, 8, 3), seed=1)
    for sample in (IMAGES[0], IMAGES[:4], IMAGES[0] / 255):
        network.predict(sample, backend)
        network.predict_proba(sample, backend)
    change(network)
    fresh = copy.deepcopy(network)
    for sample in (IMAGES[0], IMAGES[:4], IMAGES[0] / 255):
        a = network.predict_proba(sample, backend)
        np.testing.assert_array_equal(a, fresh.predict_proba(sample, backend))
        np.testing.assert_allclose(a, fresh.predict_proba(sample, "numpy"), rtol=1e-5)
        np.testing.assert_array_equal(network.predict(sample, backend), fresh.predict(sample))


@pytest.mark.parametrize("backend", ["compiled", "numpy"])
@pytest.mark.parametrize("change", ["shape", "dtype"])
@pytest.mark.filterwarnings("ignore:Setting the:DeprecationWarning")  # of NumPy 2.5
def test_arrays_that_are_reshaped_in_place_are_refused(change, backend):
    network = fastmlp.Network((24, 8, 3), seed=1)
    samples = [IMAGES[0], IMAGES[:4]] if backend == "numpy" else [IMAGES[:4]]
    for sample in samples:
        network.predict(sample, backend)
    if change == "shape":
        network.weights[0].shape = 8, 24
    else:
        network.weights[0].dtype = np.int32
    for sample in samples:
        with pytest.raises(ArgumentError, match="weights must be float32 arrays of shapes"):
            network.predict(sample, backend)


SCALINGS = {
    "never trained": (None, 1),
    "pixels": ("pixels", 1),
    "none": ("none", 1),
    "unchanged": (None, 1 / 255),
    "standardised": ("standardize", 1),
}


@pytest.mark.parametrize("backend", ["compiled", "numpy"])
@pytest.mark.parametrize("known", SCALINGS)
def test_one_image_has_the_same_answer_however_it_is_passed(known, backend):
    scaling, unit = SCALINGS[known]
    network, images = fastmlp.Network((24, 8, 3), seed=2, hidden="tanh"), IMAGES * unit
    if known != "never trained":
        fastmlp.train(network, (images, [0, 1, 2, 1, 0]), epochs=1, scaling=scaling)
    kinds = {images.dtype, np.dtype(np.float32), np.dtype(np.float64), np.dtype(">f4")}
    for kind in kinds:
        rows = images.astype(kind)
        wanted = network.predict_proba(rows, backend)
        for shape in ((24,), (1, 24), (4, 6), (1, 4, 6)):
            for row, a in zip(rows, wanted, strict=True):
                image = np.repeat(row, 2)[::2].reshape(shape)  # not contiguous
                found = network.predict_proba(image, backend)
                assert found.shape == ((3,) if shape in ((24,), (4, 6)) else (1, 3))
                np.testing.assert_allclose(found.reshape(3), a, rtol=1e-5)
                classes = network.predict(image, backend)
                assert classes.shape == found.shape[:-1]
                assert np.all(classes == a.argmax())


def test_an_image_that_is_refused_leaves_the_next_ones_right():
    network = fastmlp.Network((24, 8, 3))
    image, large = np.ones(24, np.float32), np.full(24, 1e30, np.float32)
    wanted = network.predict_proba(image)
    for wrong in (large, np.full(24, np.nan, np.float32)):
        with pytest.raises(ArgumentError, match="images must"):
            network.predict(wrong)
        np.testing.assert_array_equal(network.predict_proba(image), wanted)
    network.weights[1][...] = np.nan
    for answer in (network.predict, network.predict_proba):
        with pytest.raises(ArgumentError, match="weights must be finite"):
            answer(image)


@pytest.mark.parametrize("sizes", [(24, 8, 3), (23, 16, 16), (23, 70, 3)])
def test_weights_of_any_layout_count_at_once(sizes):
    network, image = fastmlp.Network(sizes, seed=1), IMAGES[0, : sizes[0]]
    network.weights = [np.asfortranarray(w) for w in network.weights]
    network.biases[1] = np.repeat(network.biases[1], 2)[::2]
    for sign in (1, -1):
        network.weights[0][...] *= sign
        network.biases[1][...] += sign
        wanted = network.predict_proba(image, "numpy")
        np.testing.assert_allclose(network.predict_proba(image), wanted, rtol=1e-5)


def test_answers_are_copies():
    network = fastmlp.Network((24, 8, 3))
    answers = [network.predict_proba(image) for image in IMAGES]
    np.testing.assert_array_equal(answers, network.predict_proba(IMAGES))


@pytest.mark.parametrize("wrong", [None, [np.zeros((24, 8))], "x", 3])
def test_wrong_parameters_are_refused_after_right_ones(wrong):
    network = fastmlp.Network((24, 8, 3))
    network.predict(IMAGES[0])
    network.weights = wrong
    with pytest.raises(ArgumentError, match="weights must be float32 arrays"):
        network.predict(IMAGES[0])


def test_a_predictor_is_made_once_for_networks_in_turn(monkeypatch):
    made, kind = [], kernels.Predictor
    monkeypatch.setattr(kernels, "Predictor", lambda *a: (made.append(a), kind(*a))[1])
    networks = [fastmlp.Network((24, 8, 3), seed=seed) for seed in range(3)]
    networks += [copy.copy(networks[0]), pickle.loads(pickle.dumps(networks[0]))]
    for _ in range(3):
        for network in networks:
            network.predict(IMAGES[0])
            network.predict_proba(IMAGES[0])
    assert len(made) == len(networks)
    for _ in range(3):
        for network in networks:
            network.predict_proba(IMAGES[:2])
    assert len(made) == 2 * len(networks)
    for side in (1, 2, 3, 4, 6, 8, 12, 24):
        networks[0].predict(IMAGES[:1].reshape(1, side, -1))
    assert 0 < len(networks[0].predictors.singles) <= MOST_SINGLES
    for scale in range(1, 3 * MOST_KINDS):
        networks[0].predict_proba(IMAGES[:2])
        vars(networks[0])["pixel_scale"] = 1 / scale
    assert len(networks[0].predictors.idle) <= MOST_KINDS


def test_a_call_within_a_call_has_a_predictor_of_its_own():
    network, inner = fastmlp.Network((24, 8, 3)), []
    wanted = [network.predict_proba(image) for image in IMAGES[:2]]
    (idle,) = network.predictors.singles.values()

    def interrupted(infer=idle[0].infer):
        infer()
        inner.append(network.predict_proba(IMAGES[1]))  # as a signal handler does

    idle[0] = idle[0]._replace(infer=interrupted)
    np.testing.assert_array_equal(network.predict_proba(IMAGES[0]), wanted[0])
    np.testing.assert_array_equal(inner[0], wanted[1])


def test_a_list_that_changes_meanwhile_leaves_no_predictor_of_other_arrays(monkeypatch):
    network, real = fastmlp.Network((24, 16, 3), seed=1), kernels.Predictor
    wanted = copy.deepcopy(network).predict_proba(IMAGES)
    first, other = network.weights[0], -network.weights[0]

    def made(*arguments):
        network.weights[0] = other  # as another thread does
        return real(*arguments)

    monkeypatch.setattr(kernels, "Predictor", made)
    np.testing.assert_array_equal(network.predict_proba(IMAGES), wanted)
    monkeypatch.setattr(kernels, "Predictor", real)
    assert not np.array_equal(network.predict_proba(IMAGES), wanted)
    network.weights[0] = first
    np.testing.assert_array_equal(network.predict_proba(IMAGES), wanted)


def test_few_images_are_answered_with_an_infinite_bias_whatever_came_before():
    network = fastmlp.Network((24, 8, 3))
    network.biases[1][0] = -np.inf
    answers = [network.predict_proba(IMAGES) for _ in range(2)]
    np.testing.assert_array_equal(*answers)
    np.testing.assert_array_equal(answers[0], copy.copy(network).predict_proba(IMAGES))
