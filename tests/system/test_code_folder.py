"""The folder of machine code: who is trusted, what a read-only disk means, what is removed."""

import os
import shutil
import stat

import pytest
from kept import (
    FLOAT,
    caught,
    compiled,
    fresh_process,
    hit,
    is_kept,
    only_file,
    plus_one,
    plus_two,
)

from fastmlp.system import code_cache as cache
from fastmlp.system import code_folder as folder
from fastmlp.system import paths


@pytest.mark.parametrize("mask", [0, 0o077, 0o002])
def test_own_folders_are_for_the_user_alone_whatever_the_umask(home, mask):
    before = os.umask(mask)
    try:
        compiled()
    finally:
        os.umask(before)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (home, *home.parents[:2])]
    assert modes == [0o700] * 3
    assert stat.S_IMODE(only_file(home).stat().st_mode) == 0o600


@pytest.mark.parametrize("level", range(3))
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702, 0o1777])
def test_a_folder_that_others_can_write_is_refused(home, level, mode):
    compiled()
    place = (home, *home.parents)[level]
    place.chmod(mode)
    shutil.copytree(home, home.parent / "before")
    (loaded, kept), messages = caught(lambda: (hit(), is_kept(plus_one)))
    assert (loaded, kept) == (False, False)
    (message,) = messages
    for said in ("are code", f"{place} can be written by others", f"{mode:04o}", "FASTMLP_CACHE"):
        assert said in message
    assert [path.name for path in home.iterdir()] == [
        path.name for path in (home.parent / "before").iterdir()
    ]
    place.chmod(0o700)
    assert hit()


def give_away(path, monkeypatch):
    """Let a file or folder belong to somebody else."""
    if os.geteuid() == 0:
        os.chown(path, 12345, -1, follow_symlinks=False)
    else:
        mine = os.geteuid()
        monkeypatch.setattr(os, "geteuid", lambda: mine + 1)


@pytest.mark.parametrize("level", range(3))
def test_somebody_elses_folder_is_refused(home, monkeypatch, level):
    compiled()
    place = (home, *home.parents)[level]
    give_away(place, monkeypatch)
    loaded, messages = caught(lambda: (hit(), hit(plus_two)))
    assert loaded == (False, False)
    (message,) = messages
    assert "belongs to user" in message
    assert "FASTMLP_CACHE" in message


def test_somebody_elses_file_is_not_read(home, monkeypatch):
    compiled()
    give_away(only_file(home), monkeypatch)
    assert caught(hit)[0] is False


def test_a_link_to_an_own_folder_will_do_and_somebody_elses_link_will_not(home, monkeypatch):
    compiled()
    root, elsewhere = home.parents[1], home.parents[2] / "elsewhere"
    root.rename(elsewhere)
    root.symlink_to(elsewhere)
    assert caught(hit) == (True, [])
    give_away(root, monkeypatch)
    loaded, messages = caught(hit)
    assert not loaded
    assert len(messages) == 1


def test_a_file_in_place_of_the_folder_is_named_without_advice_on_modes(home):
    home.parents[1].mkdir(parents=True, exist_ok=True)
    home.parent.touch()
    loaded, messages = caught(hit)
    assert not loaded
    assert [" is not a folder" in message for message in messages] == [True]
    assert "chmod" not in messages[0]


def test_code_that_root_wrote_is_trusted():
    fields = [stat.S_IFREG | 0o644, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    assert folder.fault_of(os.stat_result(fields)) is None
    fields[4] = os.geteuid() + 1
    assert "belongs to user" in folder.fault_of(os.stat_result(fields))


def test_a_ready_cache_on_a_disk_that_is_only_read_is_used(home, monkeypatch):
    compiled()

    def refuses(*arguments, **options):
        raise OSError(30, "Read-only file system")

    for name in ("utime", "mkdir", "replace", "unlink"):
        monkeypatch.setattr(os, name, refuses)
    monkeypatch.setattr(cache.tempfile, "mkstemp", refuses)
    fresh_process(monkeypatch)
    assert caught(hit) == (True, [])
    assert is_kept(plus_one)
    loaded, messages = caught(lambda: [hit(plus_two), hit(plus_one, FLOAT)])
    assert loaded == [False, False]
    (message,) = messages
    assert "compiled kernels are not kept" in message
    assert "Read-only file system" in message


def test_a_folder_that_is_removed_meanwhile_is_made_again(home):
    compiled()
    shutil.rmtree(home.parents[1])
    assert caught(hit) == (False, [])
    assert hit()


def version(home, name, used, files=("work.0.code",)):
    """Make a folder of another version, used so many seconds after the epoch."""
    other = home.parent / name
    paths.make_folder(other)
    for file in files:
        (other / file).write_bytes(b"code")
    os.utime(other, (used, used))
    return other


def test_without_source_files_as_in_a_zip_file_code_is_not_kept(home, monkeypatch):
    def unreadable():
        raise NotADirectoryError(20, "Not a directory", "fastmlp.zip/fastmlp/bench/phases.py")

    monkeypatch.setattr(folder, "_folder", unreadable)
    loaded, messages = caught(lambda: (hit(), hit()))
    assert loaded == (False, False)
    (message,) = messages
    assert "compiled kernels are not kept: the source of fastmlp cannot be read" in message


def test_folders_of_other_versions_go_but_for_the_four_used_last(home):
    others = [version(home, f"{number:016x}", 1000 + number) for number in range(7)]
    old = [
        version(home, f"{100 + number:016x}", 9000, (f"work-1.py311.{end}", "float32.done"))
        for number, end in enumerate(("nbi", "1.nbc", "nbi.tmp.0123abcd"))
    ]
    assert caught(compiled)[1] == []
    assert [other.exists() for other in others] == [False] * 3 + [True] * 4
    assert [other.exists() for other in old] == [False] * 3
    assert hit()


def test_a_folder_in_use_is_not_the_oldest(home, monkeypatch):
    compiled()
    os.utime(home, (1, 1))
    fresh_process(monkeypatch)
    assert hit()
    assert home.stat().st_mtime > 1000


def test_nothing_is_removed_that_is_not_a_folder_of_ours(home, tmp_path):
    for number in range(6):
        version(home, f"{number:016x}", 9000)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "work.code").write_bytes(b"of somebody")
    (home.parent / ("a" * 16)).symlink_to(outside)
    (home.parent / ("b" * 16)).write_text("a file")
    spared = [
        version(home, "notes", 1),
        version(home, "c" * 16, 1, ("work.code", "thesis.txt")),
        version(home, "d" * 15, 1, ("work.nbi",)),
    ]
    inner = version(home, "e" * 16, 1)
    (inner / "folder.code").mkdir()
    linked = version(home, "f" * 16, 1)
    (linked / "link.code").symlink_to(outside / "work.code")
    before = {path: sorted(path.iterdir()) for path in (*spared, inner, linked, outside)}
    compiled()
    assert {path: sorted(path.iterdir()) for path in before} == before
    assert (home.parent / ("a" * 16)).is_symlink()
    assert (home.parent / ("b" * 16)).is_file()
    assert not (home.parent / f"{0:016x}").exists()
