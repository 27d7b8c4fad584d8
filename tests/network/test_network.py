"""The network: its arguments, predictions and evaluation."""

import numpy as np
import pytest

import fastmlp
from fastmlp.errors import ArgumentError


def test_summary_and_repr_tell_the_layers():
    network = fastmlp.Network((784, 16, 10), hidden="tanh", seed=3)
    assert "12,560" in network.summary()
    assert "12,730 parameters" in network.summary()
    assert eval(repr(network), {"Network": fastmlp.Network}).sizes == (784, 16, 10)


def test_initial_weights_keep_the_variance():
    he, glorot = fastmlp.Network((400, 300, 10)), fastmlp.Network((400, 300, 10), hidden="tanh")
    assert he.weights[0].var() == pytest.approx(2 / 400, rel=0.05)
    assert glorot.weights[0].var() == pytest.approx(2 / 700, rel=0.05)
    assert not he.biases[0].any()


def test_the_seed_decides_the_weights():
    one, same, other = (fastmlp.Network((5, 4, 3), seed=seed) for seed in (1, 1, 2))
    assert (one.weights[0] == same.weights[0]).all()
    assert (one.weights[0] != other.weights[0]).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sizes": (784,)}, "sizes must be two or more"),
        ({"sizes": (784, 0, 10)}, "sizes must be"),
        ({"sizes": (784, 2.5, 10)}, "sizes must be"),
        ({"hidden": "swish"}, "hidden must name an activation; got 'swish'. Did you mean silu"),
        (
            {"hidden": ("relu", "relu")},
            "hidden must be one name, or one for each of 1 hidden layer;",
        ),
        ({"hidden": "softmax"}, "hidden must be an activation of hidden layers"),
        ({"output": "none"}, "output must name an activation"),
        ({"cost": "hinge"}, "cost must name a cost; .* squared_error, cross_entropy"),
        ({"output": "relu"}, "cost 'cross_entropy' needs one of these outputs: softmax, sigmoid"),
        ({"dtype": "float16"}, "dtype must be float32 or float64"),
        ({"hidden": "ReLU"}, r"hidden must name an activation; got 'ReLU'. Did you mean relu"),
        ({"sizes": (True, 2)}, "sizes must be two or more whole numbers"),
        ({"dtype": "nonsense"}, "dtype must be float32 or float64"),
        ({"dtype": None}, "dtype must be float32 or float64; got None"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        fastmlp.Network(**({"sizes": (4, 3, 2)} | arguments))


def test_activations_follow_what_is_assigned():
    network = fastmlp.Network((4, 3, 2))
    assert network.activations == ("relu", "softmax")
    names = ["tanh"]
    network.hidden = names
    assert network.activations == ("tanh", "softmax")
    names[0] = "relu"
    assert network.hidden == ("tanh",)
    for name, value, message in (
        ("hidden", ("tanh", "tanh"), "hidden must be one name, or one for each of 1 hidden layer;"),
        ("activations", ("relu", "softmax"), "activations must not be assigned"),
        ("output", "Sigmoid", "output must name an activation"),
        ("cost", "bogus", "cost must name a cost"),
        ("cost", None, "cost must name a cost"),
        ("hidden", None, "hidden must be one name"),
        ("sizes", None, "sizes must be two or more"),
        ("dtype", "int8", "dtype must be float32 or float64"),
        ("dtype", None, "dtype must be float32 or float64"),
    ):
        with pytest.raises(ArgumentError, match=message):
            setattr(network, name, value)
    assert network.activations == ("tanh", "softmax")


@pytest.mark.parametrize(("output", "outputs"), [("relu", 2), ("softmax", 1)])
def test_an_output_without_the_cost_predicts_and_does_nothing_else(tmp_path, output, outputs):
    network = fastmlp.Network(4, 3, outputs, output="sigmoid")
    network.output = output
    x, y = np.ones((8, 4)), np.arange(8) % 2
    assert network.predict_proba(x).shape == (8, outputs)
    for call in (
        lambda: fastmlp.train(network, x, y),
        lambda: fastmlp.gradients(network, x, y),
        lambda: network.evaluate(x, y),
        lambda: network.save(tmp_path / "model"),
    ):
        with pytest.raises(ArgumentError, match=r"cost .* needs one of|output .* needs at least 2"):
            call()


def test_sizes_that_are_assigned_need_as_many_activations():
    network, deeper = fastmlp.Network(6, 5, 2), fastmlp.Network(6, 5, 5, 2)
    network.sizes, network.weights, network.biases = deeper.sizes, deeper.weights, deeper.biases
    for call in (network.predict_proba, lambda x: network.evaluate(x, np.zeros(3, int))):
        with pytest.raises(ArgumentError, match="hidden must be one name, or one for each of 2"):
            call(np.ones((3, 6)))
    network.hidden = "relu"
    assert network.predict_proba(np.ones((3, 6))).shape == (3, 2)


def test_no_result_is_nan():
    network = fastmlp.Network(4, 3, 2)
    network.biases[0][:] = 3e38
    x, y = np.ones((8, 4)), np.arange(8) % 2
    for call in (
        network.evaluate,
        network.accuracy,
        lambda *data: fastmlp.gradients(network, *data),
    ):
        with pytest.raises(ArgumentError, match="no sum of products overflows"):
            call(x, y)


def test_one_answer_is_a_scalar():
    network = fastmlp.Network(4, 3, 1, output="identity", cost="squared_error")
    assert isinstance(network.predict(np.ones(4)), np.float32)
    assert network.predict(np.ones((2, 4))).shape == (2,)


@pytest.mark.parametrize("backend", ["numpy", "compiled"])
def test_pixels_are_scaled_by_the_network(backend):
    network = fastmlp.Network((6, 5, 3))
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6), np.uint8)
    np.testing.assert_allclose(
        network.predict_proba(pixels, backend),
        network.predict_proba(pixels.astype(np.float32) / 255, backend),
        atol=1e-6,
    )


@pytest.mark.parametrize("backend", ["numpy", "compiled"])
def test_one_image_and_many(backend):
    network = fastmlp.Network((16, 5, 3))
    images = np.random.default_rng(0).normal(size=(7, 4, 4))
    many = network.predict_proba(images, backend)
    assert many.shape == (7, 3)
    np.testing.assert_allclose(many.sum(axis=1), 1, atol=1e-6)
    for one in (images[2], images[2].ravel()):
        np.testing.assert_allclose(network.predict_proba(one, backend), many[2], atol=1e-6)
    assert network.predict(images, backend).shape == (7,)
    assert network.predict(images[0], backend) == many[0].argmax()


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((2, 5)), [0, 1], "images must have 4 values each"),
        (np.zeros((0, 4)), [], "images must not be empty"),
        (np.array([["a"] * 4]), [0], "images must be numbers"),
        (np.full((2, 4), np.nan), [0, 1], "images must be finite; got NaN or infinity in 2 rows"),
        (
            np.zeros((2, 4)),
            [0],
            "labels must be one for each of 2 images; got 1. Pass one label or",
        ),
        (
            np.zeros((2, 4)),
            [0.5, 1.0],
            "labels must be .* whole numbers or texts; got 0.5 in row 0",
        ),
        (
            np.zeros((2, 4)),
            [0, 3],
            r"labels must lie in 0 … 2 for 3 outputs; got labels from 0 to 3",
        ),
        (np.zeros((2, 4)), [-1, 0], "labels must lie in 0"),
        (np.zeros((1, 4)), [[0, np.inf, 0]], "labels must be finite"),
    ],
)
def test_bad_data_is_named(images, labels, message):
    with pytest.raises(ArgumentError, match=message):
        fastmlp.Network((4, 3)).evaluate(images, labels, backend="numpy")


def test_an_unknown_backend_is_named():
    with pytest.raises(ArgumentError, match="backend must name a backend"):
        fastmlp.Network((4, 3)).predict(np.zeros((1, 4)), backend="gpu")


def test_parameters_may_be_written_but_not_reshaped():
    network = fastmlp.Network((4, 3))
    network.weights[0][:] = 0
    assert np.ptp(network.predict_proba(np.ones(4), backend="numpy")) == 0
    network.weights[0] = np.zeros((3, 4), np.float32)
    with pytest.raises(ArgumentError, match="weights must be float32 arrays of shapes"):
        network.predict(np.ones(4), backend="numpy")
