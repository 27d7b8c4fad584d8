"""Which files may be read; no reader waits forever, and each reads a pipe once."""

import io
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from special_files import special_files

import fastmlp
from fastmlp.datasets import load_dataset
from fastmlp.datasets.picture import read_pictures
from fastmlp.errors import CheckpointError, DataError, ModelError
from fastmlp.system import reading
from fastmlp.system.reading import open_file, read_whole
from fastmlp.training import checkpoint


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Work in an empty folder, and give pipes up soon."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(reading, "PATIENCE", 0.3)


def sources(folder):
    """Write what each reader reads; return each reader, its error and the bytes that it takes."""
    images = np.zeros((3, 4), np.uint8)
    np.save(folder / "npy", images)
    labels = np.arange(3) % 2
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
        with pytest.raises(error, match=r"(?=.*p\.npz).*got no data"):
            read(Path("p.npz"))
        os.unlink("p.npz")


def test_no_reader_waits_for_what_does_not_come(tmp_path_factory, monkeypatch):
    special = [name for name in special_files() if name != "circle"]
    special += [link(name, f"to-{name[5:]}.npz") for name in ("/dev/zero", "/dev/full")]
    monkeypatch.setattr(reading, "PATIENCE", 0.1)
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
        with pytest.raises(OSError, match=r"got no data for 0\.3 s"):
            open_file(Path("held"))
        writer.write(b"start")
        with pytest.raises(OSError, match=r"got no data for 0\.3 s"):
            open_file(Path("held"))
    monkeypatch.setattr(reading, "MOST_PIPED", 1 << 20)
    with pytest.raises(OSError, match="more than 1,048,576 bytes"):
        open_file(fed(bytes(3 << 20)))


def test_what_the_system_makes_up_is_read_to_its_end():
    with open_file(Path("/proc/self/status")) as file:
        assert isinstance(file, io.BytesIO)
        assert file.read().startswith(b"Name:")
    Path("empty").write_bytes(b"")
    assert read_whole(Path("empty")) == b""
    Path("five").write_bytes(b"12345")
    assert read_whole(Path("five"), 5) == b"12345"
    with pytest.raises(OSError, match=r"larger than 4 bytes.*five"):
        read_whole(Path("five"), 4)


def test_standard_input_and_the_shells_pipes_are_read():
    code = "from fastmlp.system.reading import *; import sys; print(read_whole(Path(sys.argv[1])))"
    shell = f"""
        printf one | '{sys.executable}' -c '{code}' /dev/stdin
        '{sys.executable}' -c '{code}' <(printf two)
        printf three > file; '{sys.executable}' -c '{code}' /dev/stdin < file
    """
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, timeout=30)
    assert done.stdout.split() == ["b'one'", "b'two'", "b'three'"], done.stderr
