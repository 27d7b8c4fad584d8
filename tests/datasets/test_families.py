"""The folders that are searched for MNIST and similar sets, and the files that are refused."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
from idx_files import Arrays, check, idx_bytes
from mirror_server import Server

from fastmlp.datasets import load_dataset
from fastmlp.datasets.catalogue import Family
from fastmlp.datasets.families import load_family
from fastmlp.datasets.folder import NAMES
from fastmlp.errors import ArgumentError, DataError, DataUnavailableError


def test_a_cached_set_asks_no_mirror(tiny: Family, arrays: Arrays, server: Server) -> None:
    load_family(tiny, mirrors=[server.mirror("good")])
    asked = len(server.asked)
    check(load_family(tiny, mirrors=[server.mirror("good")]), arrays)
    check(load_family(tiny, download=False), arrays)
    assert len(server.asked) == asked == 4


def test_a_damaged_cached_file_is_fetched_again(
    tiny: Family, arrays: Arrays, server: Server, cache: Path
) -> None:
    load_family(tiny, mirrors=[server.mirror("good")])
    (cache / "tiny" / f"{NAMES[2]}.gz").write_bytes(b"damaged")
    with pytest.raises(DataError, match="magic number"):
        load_family(tiny, download=False)
    check(load_family(tiny, mirrors=[server.mirror("good")]), arrays)
    assert len(server.asked) == 5


def test_an_interrupted_download_is_resumed_at_the_missing_file(
    tiny: Family, arrays: Arrays, server: Server, cache: Path
) -> None:
    load_family(tiny, mirrors=[server.mirror("good")])
    (cache / "tiny" / f"{NAMES[1]}.gz").unlink()
    with pytest.raises(DataUnavailableError, match=f"expected {NAMES[1]}.gz; found no such file"):
        load_family(tiny, download=False)
    check(load_family(tiny, mirrors=[server.mirror("good")]), arrays)
    assert len(server.asked) == 5


@pytest.mark.parametrize("inside", [True, False])
def test_an_explicit_folder_comes_first(
    tiny: Family,
    arrays: Arrays,
    tiny_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    inside: bool,
) -> None:
    monkeypatch.setenv("FASTMLP_DATA", str(tmp_path / "nowhere"))
    found = load_family(tiny, folder=tiny_folder if inside else tiny_folder.parent)
    check(found, arrays)
    assert found.source == str(tiny_folder)


@pytest.mark.parametrize("level", ["parent", "folder"])
def test_the_environment_variable_comes_next(
    tiny: Family, arrays: Arrays, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, level: str
) -> None:
    named = tiny_folder.parent if level == "parent" else tiny_folder
    monkeypatch.setenv("FASTMLP_DATA", str(named))
    check(load_family(tiny, mirrors=[]), arrays)


def test_an_environment_variable_without_this_set_is_passed_over(
    tiny: Family, arrays: Arrays, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FASTMLP_DATA", str(tmp_path))
    check(load_family(tiny, mirrors=[server.mirror("good")]), arrays)


def test_an_environment_variable_that_names_no_folder_is_refused(
    tiny: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FASTMLP_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DataUnavailableError, match="FASTMLP_DATA must name a folder"):
        load_family(tiny)


def test_a_damaged_file_in_the_environments_folder_is_an_error_not_a_download(
    tiny: Family, server: Server, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FASTMLP_DATA", str(tiny_folder))
    path = tiny_folder / NAMES[1]
    raw = bytearray(path.read_bytes())
    raw[-1] = (raw[-1] + 1) % 10  # one label changed: only the digest can tell
    path.write_bytes(raw)
    with pytest.raises(DataError, match=r"train-labels.* expected SHA-256"):
        load_family(tiny, mirrors=[server.mirror("good")])
    assert server.asked == []


def test_an_incomplete_folder_names_the_missing_file(tiny: Family, tiny_folder: Path) -> None:
    (tiny_folder / NAMES[3]).unlink()
    with pytest.raises(DataError, match=f"expected {NAMES[3]} or"):
        load_family(tiny, folder=tiny_folder)


def test_an_empty_or_missing_explicit_folder_is_told(tiny: Family, tmp_path: Path) -> None:
    with pytest.raises(DataUnavailableError, match="found none of them in"):
        load_family(tiny, folder=tmp_path)
    with pytest.raises(DataUnavailableError, match=r"folder=.* is not a folder"):
        load_family(tiny, folder=tmp_path / "nowhere")
    with pytest.raises(DataUnavailableError, match="found none of them in"):
        load_family(tiny, download=False)


def test_the_dotted_spelling_is_found(tiny: Family, arrays: Arrays, tiny_folder: Path) -> None:
    for path in list(tiny_folder.iterdir()):
        path.rename(path.with_name(path.name.replace("-idx", ".idx")))
    check(load_family(tiny, folder=tiny_folder), arrays)


def test_a_folder_of_ones_own_loads_by_its_path(
    arrays: Arrays, tiny_folder: Path, tmp_path: Path
) -> None:
    found = load_dataset(tiny_folder)
    check(found, arrays)
    assert found.class_names == tuple("0123456789")
    assert found.name == "tiny"
    (tiny_folder / NAMES[1]).write_bytes(idx_bytes(arrays[NAMES[1]][:-1]))
    with pytest.raises(DataError, match=r"70 labels, one for each image.* found 69"):
        load_dataset(str(tiny_folder))
    with pytest.raises(DataError, match="found none of them"):
        load_dataset(tmp_path)


def test_train_and_test_images_of_two_sizes_are_refused(arrays: Arrays, tiny_folder: Path) -> None:
    test_images = arrays[NAMES[2]][:, :20]
    (tiny_folder / f"{NAMES[2]}.gz").write_bytes(gzip.compress(idx_bytes(test_images)))
    with pytest.raises(DataError, match=r"t10k.*expected test images of \(28, 20\)"):
        load_dataset(tiny_folder)


@pytest.mark.parametrize("name", ["minst", "no/such/folder", "data.csv", "x" * 5000 + ".csv"])
def test_an_unknown_name_lists_the_known_ones(name: str) -> None:
    with pytest.raises(ArgumentError, match="mnist, fashion-mnist, kmnist, digits, a folder"):
        load_dataset(name)


def test_a_folder_that_the_system_does_not_allow_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(DataUnavailableError, match=r"folder=x+ is not a folder"):
        load_dataset("mnist", folder="x" * 5000)
    monkeypatch.setenv("FASTMLP_DATA", "x" * 5000)
    with pytest.raises(DataUnavailableError, match="FASTMLP_DATA must name a folder; got x"):
        load_dataset("mnist")


def test_arguments_of_downloads_go_with_downloads_only(tiny_folder: Path) -> None:
    with pytest.raises(ArgumentError, match="folder is for mnist"):
        load_dataset("digits", folder=tiny_folder)
    with pytest.raises(ArgumentError, match="mirrors is for mnist"):
        load_dataset(tiny_folder, mirrors=["https://example.org/"])


DATA = os.environ.get("FASTMLP_DATA")


@pytest.mark.skipif(DATA is None, reason="FASTMLP_DATA is not set")
def test_the_real_mnist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTMLP_DATA", str(DATA))
    mnist = load_dataset("mnist", download=False)
    assert mnist.train.images.shape == (60_000, 784)
    assert mnist.test.images.shape == (10_000, 784)
    assert mnist.image_shape == (28, 28)
    assert mnist.train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert mnist.test.labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert np.bincount(mnist.train.labels).min() == 5421
    assert abs(float(mnist.train.images.mean()) / 255 - 0.1307) < 1e-4
