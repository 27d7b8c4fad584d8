"""Arrays and folders of one's own, as people and publishers keep them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from idx_files import Arrays, check, idx_bytes

from fastmlp.datasets import Dataset, load_dataset, verified
from fastmlp.datasets.catalogue import FASHION_MNIST, MNIST, Family, IdxFile
from fastmlp.datasets.families import load_family
from fastmlp.datasets.folder import NAMES
from fastmlp.datasets.npz import SPELLINGS, read_npz_images
from fastmlp.errors import ArgumentError, DataError, DataUnavailableError

RNG = np.random.default_rng(5)
IMAGES = RNG.integers(0, 256, (30, 8, 8), dtype=np.uint8)
LABELS = RNG.permutation(np.arange(30) % 3)


def keep_npz(folder: Path, arrays: Arrays) -> Path:
    path = folder / "own.npz"
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def keep_npy(folder: Path, arrays: Arrays) -> Path:
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return folder


def keep_one(folder: Path, arrays: Arrays) -> Path:
    return keep_npy(folder, arrays) / f"{next(iter(arrays))}.npy"


@pytest.mark.parametrize("keep", [keep_npz, keep_npy, keep_one])
@pytest.mark.parametrize("names", SPELLINGS, ids=" ".join)
def test_arrays_are_found_by_their_names(
    tmp_path: Path, names: tuple[str, ...], keep: Callable[[Path, Arrays], Path]
) -> None:
    held = {name.title(): (IMAGES, LABELS)[n % 2] for n, name in enumerate(names)}
    data = load_dataset(keep(tmp_path, held))
    assert (data.image_shape, data.class_names) == ((8, 8), ("0", "1", "2"))
    if len(names) == 4:
        np.testing.assert_array_equal(data.train.images, IMAGES.reshape(30, 64))
        np.testing.assert_array_equal(data.test.labels, LABELS)
        return
    assert np.bincount(data.test.labels).tolist() == [2, 2, 2]
    both = np.concatenate([data.train.images, data.test.images])
    assert sorted(map(bytes, both)) == sorted(map(bytes, IMAGES))


ARRAYS: dict[str, tuple[Any, Any, Callable[[Dataset], object]]] = {
    "column labels": (IMAGES, LABELS[:, None], lambda d: d.class_names == ("0", "1", "2")),
    "one-hot labels": (IMAGES, np.eye(3)[LABELS], lambda d: d.class_names == ("0", "1", "2")),
    "whole floats from 1": (IMAGES, LABELS + 1.0, lambda d: d.class_names == ("1", "2", "3")),
    "gaps": (IMAGES, LABELS * 4 - 4, lambda d: d.class_names == ("-4", "0", "4")),
    "texts": (IMAGES, np.array(["x", "y", "z"])[LABELS], lambda d: d.class_names[2] == "z"),
    "quantities": (IMAGES, LABELS / 2, lambda d: d.task == "regression"),
    "colour": (np.stack([IMAGES] * 3, -1), LABELS, lambda d: d.image_shape == (8, 8, 3)),
    "one channel": (IMAGES[..., None], LABELS, lambda d: d.image_shape == (8, 8)),
    "pixels as int64": (IMAGES.astype(int), LABELS, lambda d: d.train.images.dtype == np.uint8),
    "rows of pixels": (
        *(IMAGES.reshape(30, 64).astype(">i4"), LABELS),
        lambda d: d.train.images.dtype == np.uint8,
    ),
    "a table of counts": (
        *(IMAGES.reshape(30, 64)[:, :10].astype(int), LABELS),
        lambda d: d.train.images.dtype == np.float32,
    ),
    "a table of bytes": (
        *(IMAGES.reshape(30, 64)[:, :9], LABELS),
        lambda d: d.train.images.dtype == np.uint8,
    ),
    "bytes of other pictures": (
        *(IMAGES.reshape(30, 64)[:, :50], LABELS),
        lambda d: d.train.images.dtype == np.uint8,
    ),
    "shares": (IMAGES / 255, LABELS, lambda d: d.train.images.dtype == np.float64),
    "half precision": (IMAGES.astype("f2"), LABELS, lambda d: d.train.images.dtype == np.float32),
    "bits": (IMAGES > 99, LABELS, lambda d: set(np.unique(d.train.images)) == {0.0, 1.0}),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_images_and_labels_of_any_kind(tmp_path: Path, kind: str) -> None:
    images, labels, holds = ARRAYS[kind]
    data = load_dataset(keep_npz(tmp_path, {"X": images, "y": labels}))
    assert holds(data)
    rows = np.concatenate([data.train.images, data.test.images]).astype(float)
    assert sorted(rows.sum(axis=1)) == sorted(images.astype(float).reshape(30, -1).sum(axis=1))


@pytest.mark.parametrize(
    ("rows", "shape"),
    [
        (RNG.normal(size=(30, 4)), (1, 4)),
        (RNG.integers(0, 256, (30, 9), dtype=np.uint8), (1, 9)),
        (RNG.normal(size=(30, 64)), (1, 64)),
        (RNG.uniform(0, 90, (30, 64)), (1, 64)),
        (RNG.uniform(0, 1, (30, 64)), (8, 8)),
        (RNG.integers(0, 17, (30, 64)), (8, 8)),
        (RNG.integers(0, 17, (30, 64)).astype(float), (8, 8)),
        (RNG.integers(0, 256, (30, 147), dtype=np.uint8), (7, 7, 3)),
        (RNG.normal(size=(30, 2, 2)), (2, 2)),
    ],
)
def test_rows_are_images_if_they_are_squares_of_pixels(
    tmp_path: Path, rows: Any, shape: tuple[int, ...]
) -> None:
    assert load_dataset(keep_npz(tmp_path, {"X": rows, "y": LABELS})).image_shape == shape


def test_an_npy_file_chooses_among_several(tmp_path: Path) -> None:
    keep_npy(tmp_path, {"x_train": IMAGES[:9], "y_train": LABELS[:9], "X": IMAGES, "y": LABELS})
    assert len(load_dataset(tmp_path / "X.npy", whole=True).train) == 30
    assert len(load_dataset(tmp_path / "y_train.npy", whole=True).train) == 9
    with pytest.raises(DataError, match=r"the arrays x_train, .* found X, "):
        load_dataset(keep_npy(tmp_path, {"other": IMAGES}) / "other.npy")


def test_medmnist_leaves_its_validation_images_out(tmp_path: Path) -> None:
    held = {f"{part}_images": IMAGES for part in ("train", "val", "test")}
    held |= {
        f"{part}_labels": LABELS[:, None].astype(np.uint8) for part in ("train", "val", "test")
    }
    path = keep_npz(tmp_path, held).rename(tmp_path / "OWN.NPZ")
    data = load_dataset(path)
    assert len(data.train) == 30
    assert data.notes == ("not read: val_images, val_labels",)
    np.testing.assert_array_equal(read_npz_images(path), IMAGES)


def nested(folder: Path) -> Path:
    """Each file in a folder that has its name, beside a copy of another spelling."""
    for path in list(folder.iterdir()):
        dotted = folder / path.name.replace("-idx", ".idx")
        shutil.copy(path, dotted)
        inside = path.rename(folder / "x")
        (folder / path.name).mkdir()
        inside.rename(folder / path.name / path.name)
    return folder


def moved(*parts: str) -> Callable[[Path], Path]:
    def move(folder: Path) -> Path:
        place = folder.parent.joinpath("root", *parts)
        place.parent.mkdir(parents=True)
        folder.rename(place)
        return folder.parent / "root"

    return move


def beside_another(folder: Path) -> Path:
    for path in list(folder.iterdir()):
        (folder / f"other-{path.name}").write_bytes(b"")
    return folder


def renamed(change: Callable[[str], str]) -> Callable[[Path], Path]:
    def rename(folder: Path) -> Path:
        for path in list(folder.iterdir()):
            path.rename(folder / change(path.name))
        return folder

    return rename


def packed_twice(folder: Path) -> Path:
    for path in folder.iterdir():
        if path.suffix == ".gz":
            path.rename(f"{path}.gz")
    return folder


LAYOUTS = {
    "a folder for each file": nested,
    "torchvision": moved("Tiny", "raw"),
    "a folder below": moved("tiny"),
    "raw": moved("raw"),
    "test-": renamed(lambda name: name.replace("t10k", "test")),
    "with a beginning": renamed(lambda name: f"emnist-digits-{name}"),
    ".gz.gz": packed_twice,
    "beside another set": beside_another,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_idx_files_are_found_as_they_are_kept(
    tiny: Family,
    arrays: Arrays,
    tiny_folder: Path,
    layout: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = LAYOUTS[layout](tiny_folder)
    check(load_dataset(root), arrays)
    check(load_family(tiny, folder=root), arrays)
    monkeypatch.setenv("FASTMLP_DATA", str(root if root.name == "root" else root.parent))
    if layout != "raw":  # whose folder does not say which set it has
        check(load_family(tiny, download=False), arrays)


def test_idx_labels_may_be_a_column_or_start_at_one(arrays: Arrays, tiny_folder: Path) -> None:
    (tiny_folder / NAMES[1]).write_bytes(idx_bytes(arrays[NAMES[1]][:, None] + 1))
    (tiny_folder / NAMES[3]).write_bytes(idx_bytes(arrays[NAMES[3]] + 1))
    data = load_dataset(tiny_folder)
    np.testing.assert_array_equal(data.train.labels, arrays[NAMES[1]])
    assert data.class_names == tuple(map(str, range(1, 11)))


def test_a_size_of_pictures_is_refused_where_there_are_none(tiny_folder: Path) -> None:
    folder = tiny_folder.parent / "arrays"
    folder.mkdir()
    np.save(folder / "X.npy", np.zeros((9, 4)))
    np.save(folder / "y.npy", np.arange(9) % 3)
    for each in (folder, tiny_folder):
        with pytest.raises(ArgumentError, match="image_size is not for a folder of IDX"):
            load_dataset(each, image_size=14)


def test_errors_name_what_is_there(tiny: Family, tiny_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_folder, tiny_folder.parent / "other")
    with pytest.raises(DataError, match=r"expected one data set; found other, tiny"):
        load_dataset(tiny_folder.parent)
    renamed(lambda name: f"{name}.txt")(tiny_folder)
    with pytest.raises(DataError, match=r"none of them, but 't10k-images-idx3-ubyte.gz.txt'"):
        load_dataset(tiny_folder)
    with pytest.raises(DataUnavailableError, match=r"which has 't10k-images-idx3-ubyte.gz.txt'"):
        load_family(tiny, folder=tiny_folder)
    (tmp_path / "notes.md").write_text("x")
    with pytest.raises(DataError, match=r"a file of CSV .*found a file called 'notes.md'"):
        load_dataset(tmp_path / "notes.md")
    with pytest.raises(ArgumentError, match=r"got '.*note.md'.*has 'data/', 'notes.md'"):
        load_dataset(tmp_path / "note.md")
    for name in (None, "", b"mnist"):
        with pytest.raises(
            ArgumentError, match=f"name must be a name, a path or a DataFrame; got {name!r}"
        ):
            load_dataset(name)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"Did you mean mnist\?"):
        load_dataset("minst")
    with pytest.raises(ArgumentError, match="has no files, as there is no such folder"):
        load_dataset("~/no/such/train.csv")
    with pytest.raises(ArgumentError, match="has no files, as there is no such folder"):
        load_dataset("~no_such_user/train.csv")
    with pytest.raises(DataError, match="two classes or more; found only '0'"):
        load_dataset(keep_npz(tmp_path, {"X": IMAGES, "y": LABELS * 0}))
    with pytest.raises(ArgumentError, match="task is for data of one's own; got 'regression'"):
        load_dataset("digits", task="regression")


def test_files_of_another_family_are_refused(
    arrays: Arrays, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes are told by the digest of their content, or of the published file."""
    files = tuple(IdxFile(n, a.shape, "0" * 64, "gzip") for n, a in arrays.items())
    family = Family("other", (), files, tuple("abcdefghij"))  # type: ignore[arg-type]
    assert len(load_family(family, folder=tiny_folder).train) == 70
    assert set(verified.OWNERS.values()) == {"mnist", "fashion-mnist", "kmnist"}
    for digest in (
        verified.content_sha256(arrays[NAMES[1]]),
        verified._file_sha256(tiny_folder / f"{NAMES[0]}.gz"),
    ):
        monkeypatch.setattr(verified, "OWNERS", {digest: "mnist"})
        with pytest.raises(DataError, match=r"found a file of mnist\. Load it as mnist"):
            load_family(family, folder=tiny_folder)
    assert MNIST.files[0].of == "content" != FASHION_MNIST.files[0].of
