"""A tiny data set with digests of its own, and a local server to download it from."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from idx_files import idx_bytes
from mirror_server import Server

from fastmlp.datasets.catalogue import Family, IdxFile
from fastmlp.datasets.folder import NAMES
from fastmlp.datasets.idx import content_sha256


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees the user's data, cache or proxy."""
    monkeypatch.delenv("FASTMLP_DATA", raising=False)
    monkeypatch.setenv("FASTMLP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def arrays() -> dict[str, np.ndarray[Any, Any]]:
    """Noise, so that gzip cannot make the files small enough to arrive in one piece."""
    rng = np.random.default_rng(3)
    train, test = (70, 28, 20), (30, 28, 20)
    made = [
        rng.integers(0, 256, train, dtype=np.uint8),
        rng.integers(0, 10, 70, dtype=np.uint8),
        rng.integers(0, 256, test, dtype=np.uint8),
        rng.integers(0, 10, 30, dtype=np.uint8),
    ]
    return dict(zip(NAMES, made, strict=True))


@pytest.fixture(scope="session")
def tiny(arrays: dict[str, np.ndarray[Any, Any]]) -> Family:
    """A family of the tiny arrays, verified by content; it has no mirror."""
    files = tuple(IdxFile(n, a.shape, content_sha256(a), "content") for n, a in arrays.items())
    return Family("tiny", (), files, tuple("abcdefghij"))  # type: ignore[arg-type]


@pytest.fixture
def tiny_folder(tmp_path: Path, arrays: dict[str, np.ndarray[Any, Any]]) -> Path:
    """A folder of the tiny arrays, gzip and plain mixed."""
    folder = tmp_path / "data" / "tiny"
    folder.mkdir(parents=True)
    for name, array in arrays.items():
        if "images" in name:
            (folder / f"{name}.gz").write_bytes(gzip.compress(idx_bytes(array)))
        else:
            (folder / name).write_bytes(idx_bytes(array))
    return folder


@pytest.fixture
def server(arrays: dict[str, np.ndarray[Any, Any]]) -> Iterator[Server]:
    files = {f"{name}.gz": gzip.compress(idx_bytes(array), 9) for name, array in arrays.items()}
    served = Server(files)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(OSError):  # the client hangs up, which is what many tests want
                served.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.address = f"http://127.0.0.1:{http.server_port}"
    before = set(threading.enumerate())
    threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
    yield served
    served.quit.set()
    http.shutdown()
    http.server_close()
    patience = time.monotonic() + 60  # the downloading threads given up must end by themselves
    while set(threading.enumerate()) - before and time.monotonic() < patience:
        time.sleep(0.01)
    assert not set(threading.enumerate()) - before
