"""The file of a network: loading returns what was saved, and any other file is refused."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import fastmlp
from fastmlp.errors import ModelError


def test_a_saved_network_comes_back_whole(tmp_path):
    network = fastmlp.Network((6, 5, 2), ("tanh",), "sigmoid", dtype="float64", seed=4)
    network.pixel_scale, network.class_names = 0.5, ("left", "right")
    network.several_labels = True
    network.columns = {"inputs": [{"name": "ä", "categories": ["x"], "fill": None}], "target": "y"}
    path = tmp_path / "model.safetensors"
    network.save(path)
    back = fastmlp.Network.load(path)
    assert repr(back) == repr(network)
    assert (back.pixel_scale, back.class_names) == (0.5, ("left", "right"))
    assert back.columns == network.columns
    assert back.several_labels is True
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


def test_a_model_of_the_first_format_loads():
    network = fastmlp.Network.load(Path(__file__).with_name("model_of_format_1.bin"))
    assert (network.sizes, network.activations) == ((6, 5, 2), ("tanh", "sigmoid"))
    assert (network.cost, network.dtype) == ("cross_entropy", np.float64)
    assert (network.pixel_scale, network.class_names) == (0.5, ("left", "right"))
    assert (network.columns, network.several_labels) == (None, False)
    assert (network.scaling.kind, network.classes, network.feature_names) == ("none", None, None)
    for number, array in enumerate(network.weights + network.biases):
        wanted = np.arange(array.size).reshape(array.shape) / 8 - number
        np.testing.assert_array_equal(array, wanted)


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
        {"columns": ["a"]},
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
    with pytest.raises(ModelError, match=r"found no such file\. Check the path\."):
        fastmlp.Network.load(tmp_path / "none")
    with pytest.raises(ModelError, match="expected a safetensors file, found a folder"):
        fastmlp.Network.load(tmp_path)


@pytest.mark.parametrize("kind", ["BF16", "F8_E4M3"])
def test_numbers_that_numpy_does_not_have_are_named(tmp_path, kind):
    path, size = tmp_path / "model.safetensors", 2 if kind == "BF16" else 1
    tensor = {"dtype": kind, "shape": [4], "data_offsets": [0, 4 * size]}
    header = json.dumps({"layers.0.weight": tensor}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4 * size))
    with pytest.raises(ModelError, match=f"float64, found .*layers.0.weight is of type {kind}"):
        fastmlp.Network.load(path)


def test_a_file_of_a_newer_version_is_called_so(tmp_path):
    spec = json.dumps(SPEC | {"cost": "focal"})
    path, tensors = tmp_path / "model.safetensors", {"layers.0.bias": np.zeros(3, np.float32)}
    for form, said in (("fastmlp 1", "or of a newer version: cost"), ("fastmlp 2", "found 'fastm")):
        save_file(tensors, path, {"format": form, "network": spec})
        with pytest.raises(ModelError, match=said):
            fastmlp.Network.load(path)
