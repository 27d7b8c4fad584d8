"""The decompressed copies: used only if their digest is right; no error of theirs matters."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from idx_files import idx_bytes

from fastmlp.datasets import decoded
from fastmlp.datasets.catalogue import IdxFile
from fastmlp.datasets.decoded import read_decoded
from fastmlp.datasets.idx import content_sha256
from fastmlp.errors import DataError

Images = np.ndarray[Any, np.dtype[np.uint8]]


@pytest.fixture
def images(monkeypatch: pytest.MonkeyPatch) -> Images:
    monkeypatch.setattr(decoded, "WORTH_KEEPING", 1)
    return np.random.default_rng(0).integers(0, 256, (9, 4, 5), dtype=np.uint8)


@pytest.fixture
def source(tmp_path: Path, images: Images) -> Path:
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(idx_bytes(images)))
    return path


@pytest.fixture
def entry(images: Images) -> IdxFile:
    return IdxFile("train-images-idx3-ubyte", (9, 4, 5), content_sha256(images), "content")


def read(source: Path, entry: IdxFile) -> Images:
    return read_decoded(source, entry, as_published=False)


def copies(cache: Path) -> list[Path]:
    return sorted((cache / "decoded").iterdir())


def test_the_second_read_is_of_the_copy(
    source: Path, entry: IdxFile, images: Images, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.testing.assert_array_equal(read(source, entry), images)
    (copy,) = copies(cache)
    assert copy.read_bytes() == idx_bytes(images)

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("the source was read")

    monkeypatch.setattr(decoded, "read_verified", fail)
    again = read(source, entry)
    np.testing.assert_array_equal(again, images)
    again[0] = 0  # writable, and nobody else's


@pytest.mark.parametrize("damage", ["flipped", "truncated", "empty", "other"])
def test_a_damaged_copy_is_not_believed_and_is_made_anew(
    source: Path, entry: IdxFile, images: Images, cache: Path, damage: str
) -> None:
    read(source, entry)
    (copy,) = copies(cache)
    good = copy.read_bytes()
    bad = {
        "flipped": good[:-1] + bytes([good[-1] ^ 1]),
        "truncated": good[:-1],
        "empty": b"",
        "other": idx_bytes(images[:-1]),
    }
    copy.write_bytes(bad[damage])
    np.testing.assert_array_equal(read(source, entry), images)
    assert copies(cache) == [copy]
    assert copy.read_bytes() == good


def test_a_source_that_changed_is_read_again_and_its_old_copy_goes(
    source: Path, entry: IdxFile, images: Images, cache: Path
) -> None:
    read(source, entry)
    source.write_bytes(gzip.compress(idx_bytes(images), 1) + b"\0")  # zero padding is allowed
    np.testing.assert_array_equal(read(source, entry), images)
    assert len(copies(cache)) == 1
    source.write_bytes(gzip.compress(idx_bytes(255 - images)))
    with pytest.raises(DataError, match="SHA-256"):
        read(source, entry)


def test_plain_and_small_files_are_not_copied(
    tmp_path: Path,
    source: Path,
    entry: IdxFile,
    images: Images,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(idx_bytes(images))
    np.testing.assert_array_equal(read(plain, entry), images)
    monkeypatch.setattr(decoded, "WORTH_KEEPING", 1 << 20)
    np.testing.assert_array_equal(read(source, entry), images)
    assert not cache.exists()


def test_an_unwritable_cache_is_no_matter(
    source: Path, entry: IdxFile, images: Images, cache: Path
) -> None:
    cache.write_text("a file where the folder should be")
    np.testing.assert_array_equal(read(source, entry), images)
    np.testing.assert_array_equal(read(source, entry), images)


def test_a_missing_source_is_told(tmp_path: Path, entry: IdxFile) -> None:
    with pytest.raises(DataError, match="No such file"):
        read(tmp_path / "nowhere", entry)


def test_without_a_cache_folder_the_source_is_read(
    monkeypatch: pytest.MonkeyPatch, source: Path, entry: IdxFile, images: Images
) -> None:
    monkeypatch.setattr(decoded, "cache_folder", lambda: None)
    np.testing.assert_array_equal(read_decoded(source, entry, as_published=True), images)
