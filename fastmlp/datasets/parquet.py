"""Read a Parquet file with pyarrow, or with pandas and its own reader."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from fastmlp.datasets.delimited import Table
from fastmlp.datasets.frames import frame_table
from fastmlp.datasets.idx import file_error
from fastmlp.errors import ArgumentError, DataError, in_one_line

READERS: tuple[tuple[str, Callable[[Any, Path], Any]], ...] = (
    ("pyarrow.parquet", lambda module, path: module.read_table(path)),
    ("pandas", lambda module, path: module.read_parquet(path)),
)


def read_parquet(path: Path, **options: Any) -> Table:
    """Return the table in a Parquet file; options : of `frame_table`.

    Raises DataError, also if nothing installed reads it.
    """
    for name, read in READERS:
        try:
            found = read(import_module(name), path)
        except ImportError:
            continue
        except Exception as error:  # for a damaged file, the readers raise nearly anything
            said = in_one_line(error)[:200]
            raise file_error(path, "a readable Parquet file", said, "Check the path.") from None
        try:
            return replace(frame_table(found, str(path), **options), has_header=True)
        except ArgumentError as error:
            raise DataError(str(error)) from None
    remedy = "Run: pip install pyarrow, or save the table as CSV."
    raise file_error(path, "pyarrow or pandas to read Parquet", "none that can", remedy)
