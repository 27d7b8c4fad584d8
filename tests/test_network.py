"""The network: what it is built from, what it answers, and its file."""

import json
import struct

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import fastmlp
from fastmlp.errors import ArgumentError, ModelError


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
        ({"hidden": "swish"}, "hidden must name an activation; got 'swish'. Choose from identity"),
        ({"hidden": ("relu", "relu")}, "hidden must be one name, or one for each of the 1"),
        ({"hidden": "softmax"}, "hidden must act on each neuron alone"),
        ({"output": "none"}, "output must name an activation"),
        ({"cost": "hinge"}, "cost must name a cost"),
        ({"output": "relu"}, "cost 'cross_entropy' needs an output that is a probability"),
        ({"dtype": "float16"}, "dtype must be float32 or float64"),
        ({"dtype": "nonsense"}, "dtype must be float32 or float64"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        fastmlp.Network(**({"sizes": (4, 3, 2)} | arguments))


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
        (np.zeros((2, 4)), [0], "labels must be 2 integers"),
        (np.zeros((2, 4)), [0.5, 1.0], "labels must be 2 integers"),
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


def test_a_saved_network_comes_back_whole(tmp_path):
    network = fastmlp.Network((6, 5, 2), ("tanh",), "sigmoid", dtype="float64", seed=4)
    network.pixel_scale, network.class_names = 0.5, ("left", "right")
    path = tmp_path / "model.safetensors"
    network.save(path)
    back = fastmlp.Network.load(path)
    assert repr(back) == repr(network)
    assert (back.pixel_scale, back.class_names) == (0.5, ("left", "right"))
    images = np.random.default_rng(0).integers(0, 256, (9, 6), np.uint8)
    for mine, theirs in zip(
        network.weights + network.biases, back.weights + back.biases, strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(
        network.predict_proba(images, "numpy"), back.predict_proba(images, "numpy")
    )
    assert list(tmp_path.iterdir()) == [path]
    assert load_file(path)["layers.0.weight"].shape == (6, 5)


DAMAGES = {
    "empty": lambda raw: b"",
    "truncated": lambda raw: raw[:-7],
    "text": lambda raw: b"not a model at all",
    "huge header": lambda raw: struct.pack("<Q", 1 << 62) + raw[8:],
    "header of nonsense": lambda raw: struct.pack("<Q", 8) + b"[[[[[[[[" + raw[8:],
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_files_are_refused(tmp_path, damage):
    path = tmp_path / "model.safetensors"
    fastmlp.Network((6, 5, 2)).save(path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ModelError, match=r"model\.safetensors: expected"):
        fastmlp.Network.load(path)


SPEC = {
    "sizes": [2, 3],
    "hidden": [],
    "output": "softmax",
    "cost": "cross_entropy",
    "dtype": "float32",
    "pixel_scale": 1.0,
    "class_names": None,
}


@pytest.mark.parametrize(
    "change",
    [
        {"sizes": [2]},
        {"sizes": [2, -3]},
        {"sizes": "ab"},
        {"sizes": [2, 4]},
        {"hidden": ["relu"]},
        {"output": "__import__('os')"},
        {"cost": "hinge"},
        {"dtype": "object"},
        {"pixel_scale": "nan"},
        {"class_names": ["a"]},
        {"class_names": 7},
    ],
    ids=str,
)
def test_hostile_descriptions_are_refused(tmp_path, change):
    tensors = {
        "layers.0.weight": np.zeros((2, 3), np.float32),
        "layers.0.bias": np.zeros(3, np.float32),
    }
    path = tmp_path / "model.safetensors"
    for spec, fine in ((SPEC, True), (SPEC | change, False)):
        save_file(tensors, path, {"format": "fastmlp 1", "network": json.dumps(spec)})
        if fine:
            assert fastmlp.Network.load(path).sizes == (2, 3)
            continue
        with pytest.raises(ModelError, match=r"model\.safetensors"):
            fastmlp.Network.load(path)


def test_other_models_are_told_from_ours(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"w": np.zeros(3)}, path)
    with pytest.raises(ModelError, match="expected a model that fastmlp saved"):
        fastmlp.Network.load(path)
    with pytest.raises(ModelError, match="found no such file"):
        fastmlp.Network.load(tmp_path / "none")
    with pytest.raises(ModelError, match=r"cannot be read|expected a safetensors"):
        fastmlp.Network.load(tmp_path)
