"""Where MNIST and its likes are looked for, how they are downloaded, and what refuses them."""

from __future__ import annotations

import gzip
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from idx_files import idx_bytes
from mirror_server import Server

from fastmlp.datasets import load_dataset
from fastmlp.datasets.catalogue import FAMILIES, Family, IdxFile
from fastmlp.datasets.dataset import Dataset
from fastmlp.datasets.download import fetch
from fastmlp.datasets.families import load_family
from fastmlp.datasets.folder import NAMES
from fastmlp.errors import ArgumentError, DataError, DataUnavailableError

Arrays = dict[str, np.ndarray[Any, Any]]
BAD_MIRRORS = [
    "404",
    "503",
    "html",
    "wrong",
    "exchanged",
    "empty",
    "oversized",
    "endless",
    "truncated",
    "short",
    "flipped",
    "insecure",
]
STALLS = ["silent", "stalled", "dripping"]


def check(dataset: Dataset, arrays: Arrays) -> None:
    splits = (dataset.train, dataset.test)
    for split, images, labels in zip(splits, NAMES[::2], NAMES[1::2], strict=True):
        np.testing.assert_array_equal(split.images, arrays[images].reshape(len(split), -1))
        np.testing.assert_array_equal(split.labels, arrays[labels])
    assert dataset.image_shape == (28, 20)


def left_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("bad", BAD_MIRRORS)
def test_a_bad_mirror_falls_through_to_the_next(
    tiny: Family, arrays: Arrays, server: Server, cache: Path, bad: str
) -> None:
    check(load_family(tiny, mirrors=[server.mirror(bad), server.mirror("good")]), arrays)
    assert any(path.startswith(f"/{bad}/") for path in server.asked)
    assert left_in(cache) == sorted(cache / "tiny" / f"{name}.gz" for name in NAMES)


@pytest.mark.parametrize("bad", BAD_MIRRORS)
def test_a_bad_mirror_alone_leaves_nothing_in_the_cache(
    tiny: Family, server: Server, cache: Path, bad: str
) -> None:
    with pytest.raises(DataUnavailableError) as caught:
        load_family(tiny, mirrors=[server.mirror(bad)])
    first, reason, remedy = str(caught.value).splitlines()
    assert "train-images-idx3-ubyte.gz could not be downloaded" in first
    assert reason.startswith(f"  {server.mirror(bad)}train-images-idx3-ubyte.gz: ")
    assert "FASTMLP_DATA" in remedy
    assert ".part" not in str(caught.value)
    assert not cache.exists()


@pytest.mark.parametrize("bad", STALLS)
def test_a_stalling_mirror_is_given_up(
    tiny: Family, arrays: Arrays, server: Server, cache: Path, bad: str
) -> None:
    start = time.monotonic()
    mirrors = [server.mirror(bad), server.mirror("good")]
    check(load_family(tiny, mirrors=mirrors, patience=0.3), arrays)
    assert time.monotonic() - start < 10  # four files; the server would hold each for longer
    assert left_in(cache) == sorted(cache / "tiny" / f"{name}.gz" for name in NAMES)


def test_a_dead_host_falls_through(tiny: Family, arrays: Arrays, server: Server) -> None:
    mirrors = ["http://127.0.0.1:9/", server.mirror("good")]
    check(load_family(tiny, mirrors=mirrors), arrays)


@pytest.mark.parametrize("kind", ["recompressed", "moved"])
def test_a_recompressed_or_redirected_copy_is_accepted(
    tiny: Family, arrays: Arrays, server: Server, kind: str
) -> None:
    check(load_family(tiny, mirrors=[server.mirror(kind)]), arrays)


REASONS = {
    "404": "404 Client Error: Not Found",
    "503": "503 Server Error",
    "html": "expected an IDX magic number",
    "exchanged": "expected dimensions (70, 28, 20); found (30, 28, 20)",
    "empty": "found an empty file",
    "oversized": "bytes at most; found 2",
    "endless": "bytes at most; found more",
    "truncated": "IncompleteRead",
    "short": "Compressed file ended before",
    "flipped": "CRC check failed",
    "insecure": "expected an https address; found http://mirror.invalid",
}


def test_each_mirror_has_its_reason_in_one_line(tiny: Family, server: Server) -> None:
    with pytest.raises(DataUnavailableError) as caught:
        load_family(tiny, mirrors=[server.mirror(bad) for bad in REASONS])
    reasons = str(caught.value).splitlines()[1:-1]
    for reason, (bad, says) in zip(reasons, REASONS.items(), strict=True):
        assert reason.startswith(f"  {server.mirror(bad)}{NAMES[0]}.gz: ")
        assert says in reason


def test_a_file_takes_its_name_in_one_step_after_it_was_verified(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{NAMES[0]}.gz"
    seen: list[list[Path]] = []

    def verify(part: Path) -> None:
        assert part.read_bytes() == server.files[name]
        seen.append(left_in(tmp_path))

    def refuse(*_: object) -> None:
        raise OSError("no rename")

    path = fetch(name, [server.mirror("good")], tmp_path, verify=verify, most=10**6)
    assert path.read_bytes() == server.files[name]
    ((part,),) = seen
    assert part.name != name
    path.unlink()
    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(DataUnavailableError, match="no rename"):
        fetch(name, [server.mirror("good")], tmp_path, verify=verify, most=10**6)
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(
    "mirror", ["http://mirror.invalid/", "http://192.0.2.1/", "ftp://127.0.0.1/", "file:///tmp/"]
)
def test_only_https_is_asked_beyond_this_machine(tiny: Family, mirror: str) -> None:
    with pytest.raises(DataUnavailableError, match="expected an https address"):
        load_family(tiny, mirrors=[mirror])


def test_published_mirrors_are_https() -> None:
    addresses = [mirror for family in FAMILIES.values() for mirror in family.mirrors]
    assert addresses
    assert all(address.startswith("https://") for address in addresses)


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


def test_progress_counts_up_to_the_whole_file(tiny: Family, server: Server) -> None:
    heard: list[tuple[str, int, int | None]] = []
    load_family(tiny, mirrors=[server.mirror("good")], progress=lambda *a: heard.append(a))
    for name, body in server.files.items():
        last = [(done, total) for file, done, total in heard if file == name][-1]
        assert last == (len(body), len(body))


def test_an_unwritable_cache_is_told(
    tiny: Family, server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.write_text("a file where the folder should be")
    with pytest.raises(DataUnavailableError, match="Set FASTMLP_CACHE"):
        load_family(tiny, mirrors=[server.mirror("good")])


def test_a_published_gzip_digest_is_demanded_of_downloads_only(
    tiny: Family, arrays: Arrays, server: Server, tiny_folder: Path
) -> None:
    """Where only the packed bytes' SHA-256 is known, one's own repacked copy still loads."""
    import hashlib

    files = tuple(
        IdxFile(f.name, f.shape, hashlib.sha256(server.files[f"{f.name}.gz"]).hexdigest(), "gzip")
        for f in tiny.files
    )
    family = Family("tiny", (), files, tiny.class_names)  # type: ignore[arg-type]
    with pytest.raises(DataUnavailableError, match="of the gzip"):
        load_family(family, mirrors=[server.mirror("recompressed")])
    check(load_family(family, mirrors=[server.mirror("good")]), arrays)
    check(load_family(family, folder=tiny_folder), arrays)


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
    with pytest.raises(DataUnavailableError, match="folder must be a folder"):
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
    with pytest.raises(DataError, match=r"t10k.*expected images of \(28, 20\)"):
        load_dataset(tiny_folder)


@pytest.mark.parametrize("name", ["minst", "no/such/folder", "data.csv"])
def test_an_unknown_name_lists_the_known_ones(name: str) -> None:
    with pytest.raises(ArgumentError, match="mnist, fashion-mnist, kmnist, digits, a folder"):
        load_dataset(name)


def test_arguments_of_downloads_go_with_downloads_only(tiny_folder: Path) -> None:
    with pytest.raises(ArgumentError, match="folder goes with mnist"):
        load_dataset("digits", folder=tiny_folder)
    with pytest.raises(ArgumentError, match="mirrors goes with mnist"):
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
