"""Which files may be replaced; an older file is never lost."""

import errno
import os
import resource
import stat
from contextlib import contextmanager
from pathlib import Path

import pytest
from special_files import special_files

import fastmlp
from fastmlp.errors import CheckpointError, UnwritableError
from fastmlp.system import files
from fastmlp.system.files import check_folder, check_writable, write_whole
from fastmlp.training import checkpoint


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)


def left():
    return sorted(os.listdir())


def test_only_regular_files_are_replaced():
    names = special_files()
    before = [(name, os.lstat(name).st_ino, os.lstat(name).st_mode) for name in names]
    for name in (*names, "none/x", "none/x/y", "a\0b", "n" * 300, "/proc/self/x", ""):
        for write in (check_writable, lambda path: write_whole(path, b"new")):
            with pytest.raises(UnwritableError, match="cannot be written") as caught:
                write(Path(name))
            assert str(Path(name)) in str(caught.value)
            assert isinstance(caught.value, OSError)
    assert before == [(name, os.lstat(name).st_ino, os.lstat(name).st_mode) for name in names]
    assert left() == sorted(name for name in names if "/" not in name)


def test_links_stay_and_what_they_lead_to_is_replaced():
    os.mkdir("other")
    Path("other/file").write_bytes(b"old")
    os.symlink("other/file", "link")
    os.symlink("link", "link-to-link")
    os.symlink("other/new", "dangling")
    os.link("other/file", "hard")
    write_whole(Path("link-to-link"), b"new")
    write_whole(Path("dangling"), b"first")
    assert Path("other/file").read_bytes() == b"new"
    assert Path("other/new").read_bytes() == b"first"
    assert all(os.path.islink(name) for name in ("link", "link-to-link", "dangling"))
    assert Path("hard").read_bytes() == b"old"
    assert sorted(os.listdir("other")) == ["file", "new"]


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002, 0o027])
def test_the_umask_is_respected_and_a_mode_kept(mask):
    before = os.umask(mask)
    try:
        write_whole(Path("new"), b"1")
        assert stat.S_IMODE(os.stat("new").st_mode) == 0o666 & ~mask
        for mode in (0o600, 0o640, 0o666, 0o604, 0o755):
            os.chmod("new", mode)
            write_whole(Path("new"), b"2")
            assert stat.S_IMODE(os.stat("new").st_mode) == mode
    finally:
        os.umask(before)


def test_an_owner_is_kept_or_their_group_gets_no_more_than_others(monkeypatch):
    write_whole(Path("x"), b"old")
    os.chmod("x", 0o664)
    real, asked = os.stat, []

    def others(path, *arguments, **named):
        status = list(real(path, *arguments, **named))
        status[4], status[5] = status[4] + 1, status[5] + 1  # uid, gid
        return os.stat_result(status)

    def refuse(*_):
        raise PermissionError

    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", others)
        patched.setattr(os, "fchown", lambda handle, *owner: asked.append(owner))
        write_whole(Path("x"), b"new")
        assert asked == [(os.getuid() + 1, os.getgid() + 1)]
        patched.setattr(os, "fchown", refuse)
        write_whole(Path("x"), b"newer")
    assert stat.S_IMODE(os.stat("x").st_mode) == 0o644


@contextmanager
def largest_file(size):
    """Let the system refuse to write more than so many bytes into a file, to root as well."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def contents():
    return {name: Path(name).read_bytes() for name in os.listdir()}


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBUSY])
def test_what_fails_leaves_the_older_file_and_nothing_else(monkeypatch, call, number):
    Path("x").write_bytes(b"old")
    Path("link").symlink_to("x")

    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(UnwritableError, match=f"link cannot be written: {os.strerror(number)}"):
        write_whole(Path("link"), b"new")
    assert contents() == {"x": b"old", "link": b"old"}


def test_a_file_that_would_grow_too_large_leaves_the_older_one():
    network = fastmlp.Network((20, 30))
    network.save("m")
    before = contents()
    for size, says in ((0, "in .*: File too large|File too large"), (100, "File too large")):
        with largest_file(size):
            with pytest.raises(UnwritableError, match=f"m cannot be written: {says}") as caught:
                network.save("m")
            assert caught.value.errno == errno.EFBIG
            assert "ulimit -f" in str(caught.value)
            if size == 0:
                with pytest.raises(UnwritableError):
                    check_writable(Path("m"))
    assert contents() == before


def test_a_read_only_file_is_refused_and_so_is_what_the_program_prints_to(monkeypatch):
    Path("x").write_bytes(b"old")
    with monkeypatch.context() as patched:
        patched.setattr(os, "access", lambda path, mode: False)  # which root never hears
        with pytest.raises(UnwritableError, match="it is read-only"):
            write_whole(Path("x"), b"new")
    monkeypatch.setattr(files, "_outputs", lambda: [os.stat("x")])
    with pytest.raises(UnwritableError, match="this program prints to it"):
        write_whole(Path("x"), b"new")
    with open("gone", "wb") as file:
        os.unlink("gone")
        with pytest.raises(UnwritableError, match="deleted"):
            write_whole(Path(f"/proc/self/fd/{file.fileno()}"), b"new")
    assert contents() == {"x": b"old"}


def test_a_deleted_working_folder_is_named(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for write in (check_writable, check_folder, fastmlp.Network((2, 2)).save):
        with pytest.raises(UnwritableError, match="the working folder was deleted"):
            write(Path("x"))
    with pytest.raises(CheckpointError, match="the working folder was deleted"):
        checkpoint.Checkpoints(Path("x"), {}, 1).begin(False)
    fastmlp.Network((2, 2)).save(tmp_path / "x")


def test_a_folder_is_checked_without_being_made():
    assert check_folder(Path("a/b/c")) == Path("a/b/c").absolute()
    assert contents() == {}
    for folder in (*special_files(), "/proc/x/y"):
        if folder != "folder":
            with pytest.raises(UnwritableError, match="cannot be written"):
                check_folder(Path(folder))
    Path("file").write_bytes(b"")
    with pytest.raises(CheckpointError, match="file cannot be written"):
        checkpoint.Checkpoints(Path("file"), {}, 1).begin(False)
