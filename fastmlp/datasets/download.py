"""Download one file from the first mirror that serves it completely and correctly.

After any error the next mirror is tried: a dead host, an error page, a truncated file, a wrong
file, no data for some seconds. The file gets its name, by an atomic rename, after verification.
If all mirrors fail, no file is left.
"""

from __future__ import annotations

import errno
import ipaddress
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, Any
from urllib.parse import urljoin, urlsplit

from fastmlp.errors import DataError, DataUnavailableError, in_one_line
from fastmlp.system.files import replacing
from fastmlp.system.paths import make_folder

Progress = Callable[[str, int, int | None], None]
"""Called as progress(file name, bytes so far, bytes in all or None), several times a second."""

CHUNK = 1 << 14
PATIENCE = 8.0  # seconds without a chunk, after which the next mirror is tried
# Errors of the disk, for which another mirror does not help
OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


class _Watch:
    """Observes a download through the hooks of pooch and requests, and ends a bad one."""

    def __init__(self, most: int) -> None:
        self.most, self.total, self.done = most, 0, 0
        self.moved = time.monotonic()
        self.cancelled = False
        self.responses: list[Any] = []

    def admit(self, response: Any, *_: Any, **__: Any) -> None:
        """Store the response, to close it later; refuse a redirect that is not https."""
        self.responses.append(response)
        if response.is_redirect:
            _require_safe(urljoin(response.url, response.headers["location"]))
        length = response.headers.get("content-length", "")
        if response.ok and length.isdigit() and int(length) > self.most:
            raise DataError(f"expected {self.most:,} bytes at most; found {int(length):,}")

    def update(self, size: int) -> None:
        """Count a chunk. pooch reports whole chunks, so the last one may be smaller."""
        self.done += size
        self.moved = time.monotonic()
        if self.cancelled:
            raise TimeoutError("cancelled")
        if self.done > self.most + CHUNK:
            raise DataError(f"expected {self.most:,} bytes at most; found more")

    def reset(self) -> None:
        """Reset the count: at the end, pooch reports all bytes again."""
        self.done = 0

    def close(self) -> None:
        """Close every response: pooch leaves them open after an error."""
        for response in self.responses:
            response.close()


def fetch(
    name: str,
    mirrors: Sequence[str],
    folder: Path,
    *,
    verify: Callable[[Path], object],
    most: int,
    progress: Progress | None = None,
    patience: float = PATIENCE,
) -> Path:
    """Download `name` from the mirrors in turn into `folder`, and return its path.

    mirrors : addresses to which `name` is appended; https, or http on this machine
    verify  : called with the downloaded file; any exception refuses the file
    most    : the largest number of bytes to accept

    Raises DataUnavailableError with one reason for each mirror.
    """
    reasons = []
    created = _make_folder(folder)
    report = partial(progress, name) if progress else None
    for mirror in mirrors:
        url = mirror.rstrip("/") + "/" + name
        part = ""
        try:
            _require_safe(url)
            with replacing(folder / name) as file:
                part = file.name
                _download(url, file, _Watch(most), report, patience)
                verify(Path(part))
            return folder / name
        except Exception as error:
            root = _root(error)
            reasons.append(f"  {url}: {in_one_line(root).removeprefix(f'{part}: ')}")
            if isinstance(root, OSError) and root.errno in OF_THE_DISK:
                break
    for made in created:
        with suppress(OSError):
            made.rmdir()
    lines = "\n".join(reasons) or "  no mirror was given"
    raise DataUnavailableError(
        f"{name} could not be downloaded:\n{lines}\n"
        f"Put the file into {folder}, set FASTMLP_DATA to the folder that holds {folder.name}/, "
        'or load "digits", which needs no download.'
    )


def _download(
    url: str,
    file: IO[bytes],
    watch: _Watch,
    report: Callable[[int, int | None], None] | None,
    patience: float,
) -> None:
    """Write the content of `url` to a file, in a thread: looking up a name has no time-out."""
    failure: list[BaseException] = []

    def work() -> None:
        try:
            from pooch import HTTPDownloader

            hooks = {"response": watch.admit}
            limits = (patience / 2, patience)  # connect, read
            get = HTTPDownloader(watch, CHUNK, timeout=limits, hooks=hooks)
            get(url, file, None)
        except BaseException as error:
            failure.append(error)
        finally:
            watch.close()

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    while worker.is_alive():
        worker.join(0.05)
        if report:
            report(watch.done, watch.total or None)
        if time.monotonic() - watch.moved > patience:
            watch.cancelled = True  # the thread ends at its next chunk
            raise TimeoutError(f"no data for {patience:g} s")
    if failure:
        raise failure[0]
    if report:
        report(file.tell(), file.tell())
    file.flush()


def _make_folder(folder: Path) -> list[Path]:
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        make_folder(folder)
    except OSError as error:
        raise DataUnavailableError(
            f"{folder}: expected a folder to download into; found {error.strerror}. "
            "Set FASTMLP_CACHE to a folder you can write to."
        ) from error
    return missing


def _require_safe(url: str) -> None:
    """Refuse an address that is neither https nor on this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https" and host:
        return
    try:
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not (local and parts.scheme == "http"):
        raise DataError(f"expected an https address; found {parts.scheme}://{host}")


def _root(error: BaseException) -> BaseException:
    """Return the first error of a chain: the later ones repeat the URL."""
    while not isinstance(error, DataError) and (inner := error.__cause__ or error.__context__):
        error = inner
    return error
