"""An .npz file is read without pickle, and refused if its declared sizes are wrong."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastmlp
from fastmlp.datasets import load_dataset
from fastmlp.errors import ArgumentError, DataError

Arrays = dict[str, np.ndarray[Any, Any]]


@pytest.fixture
def four() -> Arrays:
    rng = np.random.default_rng(1)
    return {
        "x_train": rng.integers(0, 256, (12, 6, 5), dtype=np.uint8),
        "y_train": rng.integers(0, 4, 12),
        "x_test": rng.integers(0, 256, (7, 6, 5), dtype=np.uint8),
        "y_test": rng.integers(0, 4, 7),
    }


def saved(folder: Path, arrays: Arrays, *, packed: bool = True) -> Path:
    path = folder / "own.npz"
    (np.savez_compressed if packed else np.savez)(path, **arrays)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("packed", [True, False])
def test_a_data_set_comes_back(tmp_path: Path, four: Arrays, packed: bool) -> None:
    path = saved(tmp_path, four, packed=packed).rename(tmp_path / "own.2023.npz")
    found = load_dataset(path)
    np.testing.assert_array_equal(found.train.images, four["x_train"].reshape(12, 30))
    np.testing.assert_array_equal(found.test.images, four["x_test"].reshape(7, 30))
    np.testing.assert_array_equal(found.train.labels, four["y_train"])
    np.testing.assert_array_equal(found.test.labels, four["y_test"])
    assert found.name == "own.2023"
    assert found.image_shape == (6, 5)
    assert found.class_names == ("0", "1", "2", "3")
    found.train.images[0] = 0  # writable


def test_the_other_spelling_rows_and_big_endian_floats(tmp_path: Path, four: Arrays) -> None:
    arrays = {
        "train_images": np.asfortranarray(four["x_train"].reshape(12, 30).astype(">f4")),
        "train_labels": four["y_train"].astype(np.uint8),
        "test_images": four["x_test"].reshape(7, 30).astype(np.float32),
        "test_labels": four["y_test"].astype(np.int16),
        "comment": np.array("ignored"),
    }
    found = load_dataset(saved(tmp_path, arrays))
    assert found.train.images.dtype == np.float32
    assert found.train.images.flags.c_contiguous
    np.testing.assert_array_equal(found.train.images, four["x_train"].reshape(12, 30))
    assert found.image_shape == (1, 30)


def changed(name: str, change: Any) -> Any:
    return lambda four: four | {name: change(four[name])}


BAD = {
    "count": (changed("y_train", lambda y: y[:-1]), "12 labels, one for each image"),
    "several labels": (changed("y_test", lambda y: np.ones((7, 2))), "one label for each"),
    "complex": (changed("x_test", lambda x: x * 1j), "x_test of numbers"),
    "one axis": (changed("x_test", lambda x: x.ravel()), "images of uint8, float32"),
    "two sizes": (changed("x_test", lambda x: x[:, :5]), "test images of (6, 5)"),
    "infinity": (changed("x_test", lambda x: np.where(x > 9, np.inf, x)), "finite numbers"),
    "no item": (changed("x_test", lambda x: x[:0]), "at least one item"),
    "objects": (changed("y_test", lambda y: y.astype(object)), "y_test of numbers"),
    "missing": (lambda four: {"x_train": four["x_train"]}, "the arrays x_train, y_train"),
    "no label": (
        changed("y_test", lambda y: np.where(y > 1, np.nan, y)),
        "NaN or infinity in row 0",
    ),
}


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        load_dataset(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: expected ")
    assert "\n" not in message
    return message


def test_targets_of_a_regression_are_numbers_and_missing_inputs_stay(
    tmp_path: Path, four: Arrays
) -> None:
    holed = four["x_train"].astype(np.longdouble)
    holed[2, 3, 4] = np.nan
    path = saved(tmp_path, four | {"x_train": holed, "y_train": np.array(["1.5", "2"] * 6)})
    data = load_dataset(path, task="regression")
    assert data.train.labels.tolist() == [1.5, 2.0] * 6
    assert data.train.images.dtype == np.float64
    np.testing.assert_array_equal(np.argwhere(np.isnan(data.train.images)), [[2, 19]])
    network = fastmlp.Network(30, 1, output="identity", cost="squared_error")
    with pytest.raises(ArgumentError, match=r'fill these rows, or train with impute="median"'):
        fastmlp.train(network, data, epochs=1, backend="numpy")
    fastmlp.train(network, data, epochs=1, backend="numpy", impute="median")
    path = saved(tmp_path, four | {"y_train": np.array([b"1.5", b"inf"] * 6)})
    with pytest.raises(DataError, match="numbers as targets; found texts such as"):
        load_dataset(path, task="regression")


@pytest.mark.parametrize("case", BAD)
def test_wrong_arrays_are_refused(tmp_path: Path, four: Arrays, case: str) -> None:
    change, says = BAD[case]
    assert says in refusal(saved(tmp_path, change(four)))


def test_what_is_no_npz_is_refused(tmp_path: Path, four: Arrays) -> None:
    path = saved(tmp_path, four)
    whole = path.read_bytes()
    for raw in (b"", b"<html>", whole[:200], whole[:-30], whole[:60] + b"\0" * 40 + whole[100:]):
        path.write_bytes(raw)
        refusal(path)
    with pytest.raises(ArgumentError, match=r"none.npz.*'own.npz'"):
        load_dataset(tmp_path / "none.npz")


def lie(path: Path, four: Arrays, header: bytes, body: bytes) -> None:
    """Write the four arrays, the first under another .npy header and body."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in four.items():
            file = io.BytesIO()
            np.save(file, array)
            archive.writestr(f"{name}.npy", header + body if name == "x_train" else file.getvalue())


def npy_header(shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    described = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, described)
    return file.getvalue()


@pytest.mark.parametrize(
    ("shape", "body"),
    [((100_000, 1000, 1000), b"\0" * 1000), ((12, 6, 5), b"\0" * 361), ((12, 6, 5), b"\0" * 359)],
    ids=["100 GB", "one more", "one less"],
)
def test_a_header_that_lies_is_refused_and_costs_nothing(
    tmp_path: Path, four: Arrays, shape: tuple[int, ...], body: bytes
) -> None:
    path = tmp_path / "lie.npz"
    lie(path, four, npy_header(shape), body)
    tracemalloc.start()
    assert "as its header says" in refusal(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000


def test_nonsense_in_place_of_a_header_is_refused(tmp_path: Path, four: Arrays) -> None:
    path = tmp_path / "lie.npz"
    for header in (b"", b"<html>" * 9, b"\x93NUMPY\x09\x00", b"\x93NUMPY\x01\x00\x10\x00{nonsense"):
        lie(path, four, header, b"\0" * 50)
        refusal(path)


def test_a_packing_of_unknown_ratio_is_refused(tmp_path: Path, four: Arrays) -> None:
    path = tmp_path / "own.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        for name, array in four.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.save(file, array)
    assert "stored or deflated" in refusal(path)


@pytest.mark.filterwarnings("ignore")
@settings(deadline=None, max_examples=300)
@given(st.data())
def test_no_mutation_escapes_as_another_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    arrays = {
        "x_train": np.ones((3, 2, 2), np.uint8),
        "y_train": np.arange(3),
        "x_test": np.ones((2, 2, 2), np.uint8),
        "y_test": np.arange(2),
    }
    path = saved(tmp_path_factory.getbasetemp(), arrays, packed=data.draw(st.booleans()))
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw)
    with suppress(DataError):
        assert len(load_dataset(path).train) == 3
