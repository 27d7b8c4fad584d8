"""What may be written over, and what may be read: nothing is lost, and nothing waits for ever."""

import errno
import io
import os
import resource
import socket
import stat
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

import fastmlp
from fastmlp.datasets import load_dataset
from fastmlp.datasets.picture import read_pictures
from fastmlp.errors import CheckpointError, DataError, ModelError, UnwritableError
from fastmlp.system import files
from fastmlp.system.files import check_folder, check_writable, opened, read_whole, write_whole
from fastmlp.training import checkpoint


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Work in an empty folder, and give pipes up soon."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(files, "PATIENCE", 0.3)


def special_files():
    """Make what is no regular file, and return their names."""
    os.mkfifo("pipe")
    os.mkdir("folder")
    os.symlink("pipe", "to-pipe")
    os.symlink("/dev/null", "to-null")
    os.symlink("circle", "circle")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket")
    return ["pipe", "folder", "to-pipe", "to-null", "circle", "socket", "/dev/null", "/dev/full"]


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
    with pytest.raises(UnwritableError, match="what this program prints goes there"):
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


def sources(folder):
    """Write what each reader reads; return each reader, its error and the bytes that it takes."""
    images = np.zeros((3, 4), np.uint8)
    np.save(folder / "npy", images)
    labels = np.zeros(3, np.uint8)
    arrays = {"x_train": images, "x_test": images, "y_train": labels, "y_test": labels}
    np.savez(folder / "npz", **arrays)
    fastmlp.Network((4, 2)).save(folder / "model")
    state = checkpoint.State(1, {"a": np.ones(2)}, {})
    named = {file.name: file.read_bytes() for file in folder.iterdir()}
    return [
        (lambda path: read_pictures(path, 4), DataError, named["npy.npy"]),
        (load_dataset, DataError, named["npz.npz"]),
        (fastmlp.Network.load, ModelError, named["model"]),
        (checkpoint.read, CheckpointError, checkpoint.to_bytes(state)),
        (read_whole, OSError, b"any"),
    ]


def fed(data):
    """Return a pipe's name, into which a thread writes."""
    os.mkfifo("p.npz")

    def write():
        with suppress(BrokenPipeError), open("p.npz", "wb") as pipe:
            pipe.write(data)

    threading.Thread(target=write, daemon=True).start()
    return Path("p.npz")


def test_every_reader_reads_a_pipe_once(tmp_path_factory):
    for read, error, data in sources(tmp_path_factory.mktemp("sources")):
        Path("file.npz").write_bytes(data)
        from_file = read(Path("file.npz"))
        from_pipe = read(fed(data))
        assert type(from_pipe) is type(from_file)
        with pytest.raises(error, match=r"(?=.*p\.npz).*nobody wrote"):
            read(Path("p.npz"))
        os.unlink("p.npz")


def test_no_reader_waits_for_what_does_not_come(tmp_path_factory, monkeypatch):
    special = [name for name in special_files() if name != "circle"]
    special += [link(name, f"to-{name[5:]}.npz") for name in ("/dev/zero", "/dev/full")]
    monkeypatch.setattr(files, "PATIENCE", 0.1)
    for read, error, _ in sources(tmp_path_factory.mktemp("sources")):
        for name in special:
            if read is not load_dataset or name.endswith(".npz"):
                with pytest.raises(error, match=name):
                    read(Path(name))


def link(target, name):
    os.symlink(target, name)
    return name


def test_a_writer_that_does_not_write_and_one_that_does_not_stop(monkeypatch):
    os.mkfifo("held")
    with open("held", "r+b", buffering=0) as writer:
        with pytest.raises(OSError, match=r"nobody wrote for 0\.3 s"):
            opened(Path("held"))
        writer.write(b"start")
        with pytest.raises(OSError, match=r"nobody wrote for 0\.3 s"):
            opened(Path("held"))
    monkeypatch.setattr(files, "MOST_PIPED", 1 << 20)
    with pytest.raises(OSError, match="more than 1,048,576 bytes"):
        opened(fed(bytes(3 << 20)))


def test_what_the_system_makes_up_is_read_to_its_end():
    with opened(Path("/proc/self/status")) as file:
        assert isinstance(file, io.BytesIO)
        assert file.read().startswith(b"Name:")
    Path("empty").write_bytes(b"")
    assert read_whole(Path("empty")) == b""
    Path("five").write_bytes(b"12345")
    assert read_whole(Path("five"), 5) == b"12345"
    with pytest.raises(OSError, match=r"larger than 4 bytes.*five"):
        read_whole(Path("five"), 4)


def test_standard_input_and_the_shells_pipes_are_read():
    code = "from fastmlp.system.files import *; import sys; print(read_whole(Path(sys.argv[1])))"
    shell = f"""
        printf one | '{sys.executable}' -c '{code}' /dev/stdin
        '{sys.executable}' -c '{code}' <(printf two)
        printf three > file; '{sys.executable}' -c '{code}' /dev/stdin < file
    """
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, timeout=30)
    assert done.stdout.split() == ["b'one'", "b'two'", "b'three'"], done.stderr
