"""Mutated files: each either loads or is refused in the documented way, soon, and in little memory.

FASTMLP_MUTATIONS says how many of all kinds together; 500 by default.
"""

import bz2
import contextlib
import gzip
import io
import lzma
import os
import signal
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import fastmlp
from fastmlp.cli import main
from fastmlp.cli.bench_output import read_run
from fastmlp.datasets import idx, picture_folder
from fastmlp.datasets.picture import read_pictures
from fastmlp.errors import FastMLPError
from fastmlp.training import checkpoint

MUTATIONS = int(os.environ.get("FASTMLP_MUTATIONS", "500"))
MOST_BYTES = 100 << 20
HANGS_SECONDS = 60  # on any machine


def idx_bytes():
    images = np.arange(3 * 5 * 4, dtype=np.uint8).reshape(3, 5, 4)
    return idx.header(images) + images.tobytes()


def saved(save):
    out = io.BytesIO()
    save(out)
    return out.getvalue()


def picture(kind):
    levels = 200 + np.arange(784, dtype=np.uint8).reshape(28, 28) % 28
    levels[6:22, 12:15] = 40
    return saved(lambda out: Image.fromarray(levels).save(out, kind))


def npz_bytes(save):
    arrays = {f"x_{part}": np.arange(48, dtype=np.uint8).reshape(3, 4, 4) for part in PARTS}
    arrays |= {f"y_{part}": np.arange(3) for part in PARTS}
    return saved(lambda out: save(out, **arrays))


def read_pictures_as(path):
    return picture_folder.read_pictures([path], picture_folder.Form(8, 8, 3))


def model_bytes(tmp):
    path = tmp / "model.safetensors"
    fastmlp.Network((6, 4, 3)).save(path)
    return path.read_bytes()


PARTS = ("train", "test")
TABLE = b'size;colour;"kind, named"\n' + b"1.5;red;lily\n-2e1;blue;rose\n" * 4
STATE = checkpoint.State(2, {"parameter.0.weight": np.ones((3, 2), np.float32)}, {"identity": {}})


def zipped(data):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", data)
    return file.getvalue()


SOURCES = {
    "idx": (lambda _: idx_bytes(), "a-idx3-ubyte", idx.read_idx),
    "idx.gz": (lambda _: gzip.compress(idx_bytes()), "a-idx3-ubyte.gz", idx.read_idx),
    "npz": (lambda _: npz_bytes(np.savez), "a.npz", fastmlp.load_dataset),
    "npz, compressed": (lambda _: npz_bytes(np.savez_compressed), "a.npz", fastmlp.load_dataset),
    "csv": (lambda _: TABLE, "a.csv", fastmlp.load_dataset),
    "csv.gz": (lambda _: gzip.compress(TABLE), "a.csv.gz", fastmlp.load_dataset),
    "csv.bz2": (lambda _: bz2.compress(TABLE), "a.csv.bz2", fastmlp.load_dataset),
    "csv.xz": (lambda _: lzma.compress(TABLE), "a.csv.xz", fastmlp.load_dataset),
    "csv.zip": (lambda _: zipped(TABLE), "a.csv.zip", fastmlp.load_dataset),
    "bmp": (lambda _: picture("BMP"), "a.bmp", read_pictures_as),
    "model": (model_bytes, "a.safetensors", fastmlp.Network.load),
    "checkpoint": (lambda _: checkpoint.to_bytes(STATE), "a.safetensors", checkpoint.read),
    "png": (lambda _: picture("PNG"), "a.png", lambda path: read_pictures(path, 784)),
    "jpg": (lambda _: picture("JPEG"), "a.jpg", lambda path: read_pictures(path, 784)),
    "npy": (
        lambda _: saved(lambda out: np.save(out, np.zeros((2, 784), np.uint8))),
        "a.npy",
        lambda path: read_pictures(path, 784),
    ),
    "run": (lambda _: b'{"kind": "epochs", "environment": {}, "x": [1]}', "a.json", read_run),
}

CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["flip", "set", "cut", "insert", "double", "number", "zero"]),
        st.floats(0, 1, exclude_max=True),
        st.integers(0, 255),
        st.sampled_from([0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1, 10**9]),
    ),
    min_size=1,
    max_size=6,
)


def mutated(data, changes):
    """Return the bytes after some changes, each at a place that is a share of the length."""
    result = bytearray(data)
    for kind, share, byte, number in changes:
        place = int(share * len(result))
        if not result:
            result += bytes([byte])
        elif kind == "flip":
            result[place] ^= 1 << byte % 8
        elif kind == "set":
            result[place] = byte
        elif kind == "cut":
            del result[place:]
        elif kind == "insert":
            result[place:place] = bytes([byte]) * (byte % 9)
        elif kind == "double":
            result[place:place] = result[: byte % 64]
        elif kind == "number":
            size = 8 if number >= 2**32 else 4
            order = "big" if byte % 2 else "little"
            result[place : place + size] = number.to_bytes(size, order)
        else:
            result[place : place + byte % 32] = bytes(byte % 32)
    return bytes(result)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", SOURCES)
def test_mutated_files(kind, tmp_path):
    source, name, read = SOURCES[kind]
    data, path = source(tmp_path), tmp_path / name
    path.write_bytes(data)
    read(path)  # unchanged, it loads

    @settings(
        max_examples=max(1, MUTATIONS // len(SOURCES)),
        deadline=None,
        database=None,
        derandomize=MUTATIONS <= 500,
        suppress_health_check=list(HealthCheck),
    )
    @given(CHANGES)
    def loads_or_is_refused(changes):
        path.write_bytes(mutated(data, changes))
        check(read, path)

    loads_or_is_refused()


def test_a_png_that_announces_more_than_there_is_gets_no_room_for_it(tmp_path):
    path, data = tmp_path / "a.png", bytearray(picture("PNG"))
    place = data.index(b"IDAT") - 4
    data[place] ^= 1 << 3  # 128 MiB more
    path.write_bytes(data)
    check(lambda path: read_pictures(path, 784), path)


def check(read, path):
    """Read a file: no exception but ours, not much memory, and it ends."""
    tracemalloc.start()
    before = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(HANGS_SECONDS)
    try:
        with contextlib.suppress(FastMLPError):
            read(path)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < MOST_BYTES


def hangs(*_):
    pytest.fail("the reader does not end")


def test_a_decompression_bomb_is_refused(tmp_path):
    zeros = idx.header(np.zeros((1, 1), np.uint8))[:4] + (2**20).to_bytes(4, "big") * 2
    path = tmp_path / "bomb-idx2-ubyte.gz"
    packer = zlib.compressobj(9, wbits=31)
    path.write_bytes(packer.compress(zeros + bytes(200 << 20)) + packer.flush())
    with pytest.raises(FastMLPError):
        idx.read_idx(path)
    check(idx.read_idx, path)


@settings(max_examples=max(10, MUTATIONS // 20), deadline=None, derandomize=True, database=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "train",
                "evaluate",
                "predict",
                "bench",
                "compare",
                "kernels",
                "--json",
                "--epochs",
                "0",
                "-1",
                "nan",
                "x",
                "--sizes",
                "784,128,10",
                "--learning-rate",
                "--no-such",
                "--dataset",
                "/nowhere",
                "verify",
                "--kernel",
                "--checkpoint",
                "--resume",
                "\x00",
                "é",
            ]
        ),
        max_size=6,
    )
)
def test_nonsense_on_the_command_line_is_a_message(words):
    words = [*words, "--dataset", "/nowhere", "--no-such-option"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code in (1, 2), done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)


def test_what_is_checked_is_all_that_is_read():
    """A new reader of files belongs into SOURCES."""
    readers = {
        path.name
        for path in Path(fastmlp.__file__).parent.rglob("*.py")
        if any(
            word in path.read_text() for word in ("read_tensors(", "zipfile.ZipFile(", "gzip.open(")
        )
    }
    assert readers <= {"idx.py", "npz.py", "unpacking.py", "file.py", "checkpoint.py", "tensors.py"}
