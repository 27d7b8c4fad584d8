"""Read a Parquet file with pyarrow, or with pandas and its own reader."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from fastmlp.datasets.delimited import Table, as_column
from fastmlp.datasets.idx import file_error

READERS: tuple[tuple[str, Callable[[Any, Path], dict[Any, list[Any]]]], ...] = (
    ("pyarrow.parquet", lambda module, path: module.read_table(path).to_pydict()),
    ("pandas", lambda module, path: module.read_parquet(path).to_dict("list")),
)


def read_parquet(path: Path) -> Table:
    """Return the table in a Parquet file. Raises DataError, also if nothing installed reads it."""
    for name, read in READERS:
        try:
            found = read(import_module(name), path)
        except ImportError:
            continue
        except Exception as error:  # for a damaged file, the readers raise nearly anything
            said = " ".join(str(error).split())[:200]
            raise file_error(path, "a readable Parquet file", said, "Check the path.") from None
        columns = {
            str(name): as_column(["" if cell is None else str(cell) for cell in cells])
            for name, cells in found.items()
        }
        return Table(columns, has_header=True)
    remedy = "Run: pip install pyarrow, or save the table as CSV."
    raise file_error(path, "pyarrow or pandas to read Parquet", "none that can", remedy)
