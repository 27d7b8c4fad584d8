"""The lines of a text file, plain or packed by gzip, bzip2, xz or zip."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import IO

from fastmlp.datasets.idx import GZIP_MAGIC, decoding, file_error
from fastmlp.errors import DataError, counted
from fastmlp.system.reading import open_file

LONGEST = 1 << 24  # characters of a line
MOST = 1 << 32  # characters of a file
# The module that unpacks a file, by its first bytes; not every Python has all of them. Of zip
# files, see `_unpacked`
PACKED = {GZIP_MAGIC: "gzip", b"BZh": "bz2", b"\xfd7zXZ": "lzma"}


def read_lines(path: Path, least: int) -> list[str]:
    """Return the lines from the first to the last that is not blank, with their ends.

    least : how many must not be blank

    Raises DataError with the file, what was expected and what was found.
    """
    remedy = 'Save it as text in UTF-8, "CSV UTF-8" for example.'
    readable = decoding(path, "a readable, complete file", "Check the path.")
    with readable, open_file(path) as file, _unpacked(path, file) as unpacked:
        start = unpacked.read(4)
        unpacked.seek(0)
        wide = start[:2] in (b"\xff\xfe", b"\xfe\xff") and start[2:] != b"\0\0"
        if (b"\0" in start and not wide) or start.startswith((b"PK", b"<")):
            raise file_error(path, "a table of text", f"{start!r}", remedy)
        text = io.TextIOWrapper(unpacked, "utf-16" if wide else "utf-8-sig", newline="")
        try:
            lines = _lines(path, text)
        except UnicodeError as error:
            raise file_error(path, "text in UTF-8", str(error), remedy) from None
    filled = [number for number, line in enumerate(lines) if line.strip()]
    if len(filled) < least:
        rule, found = f"a table of at least {counted(least, 'line')}", f"{len(filled)} line(s)"
        raise file_error(path, rule, found, "Check the file.")
    return lines[filled[0] : filled[-1] + 1]


def name_inside(path: Path) -> str:
    """Return the name of the only file in a zip archive; "" for what is no archive.

    Raises DataError if there are several.
    """
    try:
        with open_file(path) as file, zipfile.ZipFile(file) as archive:
            return _only_member(path, archive)
    except DataError:
        raise
    except Exception:  # for a damaged file, what unpacks it raises nearly anything
        return ""


@contextmanager
def _unpacked(path: Path, file: IO[bytes]) -> Iterator[IO[bytes]]:
    """Yield the bytes of a file, or of the only file in it if it is packed."""
    start = file.read(6)
    file.seek(0)
    module = next((name for magic, name in PACKED.items() if start.startswith(magic)), None)
    if module is not None:
        with import_module(module).open(file) as unpacked:
            yield unpacked
    elif start.startswith(b"PK\3\4"):
        with (
            zipfile.ZipFile(file) as archive,
            archive.open(_only_member(path, archive)) as unpacked,
        ):
            yield unpacked
    else:
        yield file


def _only_member(path: Path, archive: zipfile.ZipFile) -> str:
    names = [n for n in archive.namelist() if not n.startswith("__") and not n.endswith("/")]
    if len(names) != 1:
        found, remedy = f"{len(names)} files in it", "Unpack it, or save it as CSV."
        raise file_error(path, "a table of text", found, remedy)
    return names[0]


def _lines(path: Path, text: io.TextIOWrapper) -> list[str]:
    lines: list[str] = []
    size = 0
    while line := text.readline(LONGEST):
        size += len(line)
        if "\0" in line:
            raise file_error(path, "text", f"a byte of 0 in line {len(lines) + 1}")
        if len(line) == LONGEST or size > MOST:
            rule = f"lines of text of fewer than {LONGEST:,} characters"
            raise file_error(path, rule, f"more than {len(line):,}")
        lines.append(line)
    return lines
