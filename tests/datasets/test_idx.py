"""Every way an IDX file can be wrong is refused in one line that names the file."""

from __future__ import annotations

import gzip
import os
import re
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from idx_files import idx_bytes

from fastmlp.datasets import read_idx, read_images, read_labels, read_split
from fastmlp.datasets.idx import DTYPES
from fastmlp.errors import DataError

IMAGES = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
GOOD = idx_bytes(IMAGES)


def refusal(path: Path, read: Any = read_images) -> str:
    with pytest.raises(DataError) as caught:
        read(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: expected ")
    assert "; found " in message
    return message


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("code", DTYPES)
def test_every_dtype_comes_back_native_and_writable(
    tmp_path: Path, code: int, zipped: bool
) -> None:
    dtype = DTYPES[code].newbyteorder("=")
    array = (np.arange(24).reshape(2, 3, 4) * 5 - 7).astype(dtype)
    raw = idx_bytes(array)
    path = tmp_path / "a.idx"
    path.write_bytes(gzip.compress(raw) if zipped else raw)
    back = read_idx(path)
    assert back.dtype == dtype
    assert back.dtype.isnative
    np.testing.assert_array_equal(back, array)
    back[0] = 1


def test_gzip_is_told_by_content_not_by_name(tmp_path: Path) -> None:
    plain, zipped = tmp_path / "plain.gz", tmp_path / "zipped"
    plain.write_bytes(GOOD)
    zipped.write_bytes(gzip.compress(GOOD))
    np.testing.assert_array_equal(read_images(plain), IMAGES)
    np.testing.assert_array_equal(read_images(zipped), IMAGES)


BAD = {
    "empty": (b"", "an empty file"),
    "html": (b"<!DOCTYPE html>", "magic number"),
    "one byte": (b"\0", "magic number"),
    "first bytes": (b"\1\0" + GOOD[2:], "magic number"),
    "type code": (b"\0\0\x0a" + GOOD[3:], "magic number"),
    "no dimension": (b"\0\0\x08\0" + GOOD[4:], "magic number"),
    "labels' dimensions": (b"\0\0\x08\1" + GOOD[4:], "2 or 3 dimension"),
    "four dimensions": (b"\0\0\x08\4" + GOOD[4:], "2 or 3 dimension"),
    "cut header": (GOOD[:13], "header of 16 bytes; found 13"),
    "header alone": (GOOD[:16], "60 bytes of items"),
    "no item": (b"\0\0\x08\3" + struct.pack(">3I", 0, 4, 5), "at least one item"),
    "one byte less": (GOOD[:-1], "found 59"),
    "one byte more": (GOOD + b"\0", "found more"),
    "100 GB declared": (GOOD[:4] + struct.pack(">3I", 100_000, 1000, 1000) + GOOD[16:], "at most"),
    "2^96 declared": (GOOD[:4] + b"\xff" * 12 + GOOD[16:], "at most"),
    "integers as pixels": (idx_bytes(IMAGES.astype(np.int32)), "found int32"),
}


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_refused_in_one_line(tmp_path: Path, case: str, zipped: bool) -> None:
    raw, says = BAD[case]
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(gzip.compress(raw) if zipped else raw)
    message = refusal(path)
    if not (zipped and case == "one byte less"):
        assert says in message


@pytest.mark.parametrize("keep", [1, 2, 10, 30, -9, -1])
def test_a_truncated_gzip_is_refused(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(GOOD)[:keep])
    refusal(path)


def test_a_gzip_with_a_flipped_bit_is_refused(tmp_path: Path) -> None:
    raw = bytearray(gzip.compress(GOOD, 0))
    raw[-20] ^= 1  # stored, not deflated: only the checksum at the end can tell
    path = tmp_path / "a.gz"
    path.write_bytes(raw)
    assert "CRC" in refusal(path)


def test_missing_folder_and_unreadable_paths_are_refused(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "nowhere")
    assert "not a regular file" in refusal(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in refusal(tmp_path / "pipe")


def test_a_lying_header_and_a_bomb_cost_next_to_nothing(tmp_path: Path) -> None:
    lie, bomb = tmp_path / "lie.gz", tmp_path / "bomb.gz"
    claims = GOOD[:4] + struct.pack(">3I", 100_000, 1000, 1000)
    lie.write_bytes(gzip.compress(claims))
    bomb.write_bytes(gzip.compress(GOOD + bytes(300_000_000), 1))  # 300 MB behind 60 bytes
    tracemalloc.start()
    refusal(lie)
    assert "found more" in refusal(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4_000_000


def test_a_header_that_a_large_gzip_could_honour_still_allocates_only_what_is_there(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.gz"
    noise = np.random.default_rng(0).bytes(1_000_000)
    path.write_bytes(gzip.compress(GOOD[:4] + struct.pack(">3I", 1000, 1000, 1000) + noise))
    tracemalloc.start()
    assert "found 1,000,000" in refusal(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8_000_000


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_no_mutation_of_a_good_file_escapes_as_another_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    raw = bytearray(gzip.compress(GOOD) if data.draw(st.booleans()) else GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    raw = raw[: data.draw(st.integers(0, len(raw)))]
    path = tmp_path_factory.getbasetemp() / "mutated"
    path.write_bytes(raw)
    message = None
    try:
        assert read_images(path).nbytes == 60
    except DataError as error:
        message = str(error)
    assert message is None or re.match(rf"{re.escape(str(path))}: expected .*; found .*", message)


def write_pair(folder: Path, images: Any, labels: Any) -> tuple[Path, Path]:
    paths = folder / "images", folder / "labels"
    for path, array in zip(paths, (images, labels), strict=True):
        path.write_bytes(idx_bytes(array))
    return paths


def test_a_split_is_flat_images_and_their_labels(tmp_path: Path) -> None:
    split = read_split(*write_pair(tmp_path, IMAGES, np.array([2, 0, 9], np.uint8)), classes=10)
    np.testing.assert_array_equal(split.images, IMAGES.reshape(3, 20))
    np.testing.assert_array_equal(split.labels, [2, 0, 9])


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (np.array([2, 0, 10], np.uint8), "labels from 0 to 9; found 0 to 10"),
        (np.array([2, 0, -1], np.int32), "labels from 0 to 9; found -1 to 2"),
        (np.array([2, 0], np.uint8), "3 labels, one for each image of images; found 2"),
        (np.array([2, 0, 1], np.float32), "found float32"),
        (np.array([[2, 0, 1]], np.uint8), "1 dimension(s); found 2"),
    ],
)
def test_labels_that_do_not_fit_are_refused(tmp_path: Path, labels: Any, says: str) -> None:
    paths = write_pair(tmp_path, IMAGES, labels)
    with pytest.raises(DataError) as caught:
        read_split(*paths, classes=10)
    assert str(caught.value).startswith(f"{paths[1]}: ")
    assert says in str(caught.value)


def test_exchanged_files_are_told(tmp_path: Path) -> None:
    images, labels = write_pair(tmp_path, IMAGES, np.array([2, 0, 1], np.uint8))
    assert "exchanged" in refusal(labels, read_images)
    assert "exchanged" in refusal(images, read_labels)


def test_pixels_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    images = IMAGES.astype(np.float32)
    images[1, 2, 3] = np.nan
    with pytest.raises(DataError, match="finite pixels; found NaN"):
        read_split(*write_pair(tmp_path, images, np.array([2, 0, 1], np.uint8)))
