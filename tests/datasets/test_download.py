"""Every way a mirror can fail sends the download to the next, and leaves nothing behind."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from idx_files import Arrays, check, left_in
from mirror_server import Server

from fastmlp.datasets.catalogue import FAMILIES, Family, IdxFile
from fastmlp.datasets.download import fetch
from fastmlp.datasets.families import load_family
from fastmlp.datasets.folder import NAMES
from fastmlp.errors import DataUnavailableError

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
    mirrors = [server.mirror(bad), server.mirror("good")]
    check(load_family(tiny, mirrors=mirrors, patience=0.3), arrays)
    assert not server.outlasted
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
    files = tuple(
        IdxFile(f.name, f.shape, hashlib.sha256(server.files[f"{f.name}.gz"]).hexdigest(), "gzip")
        for f in tiny.files
    )
    family = Family("tiny", (), files, tiny.class_names)  # type: ignore[arg-type]
    with pytest.raises(DataUnavailableError, match="of the gzip"):
        load_family(family, mirrors=[server.mirror("recompressed")])
    check(load_family(family, mirrors=[server.mirror("good")]), arrays)
    check(load_family(family, folder=tiny_folder), arrays)


def test_a_full_disk_is_named_and_no_other_mirror_is_asked(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    mirrors = [server.mirror("good"), server.mirror("good")]
    with pytest.raises(DataUnavailableError, match="No space left on device") as caught:
        fetch(f"{NAMES[0]}.gz", mirrors, tmp_path, verify=lambda part: None, most=10**6)
    assert str(caught.value).count("No space left") == 1
    assert f"{NAMES[0]}.gz could not be downloaded" in str(caught.value)
    assert left_in(tmp_path) == []
