"""Columns that number the rows are left out, and no others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastmlp.datasets import load_dataset

COUNTED = [str(n) for n in range(1, 41)]
OTHERS = {
    "names": [f"n{n}" for n in range(40)],
    "mixed": [str(n) for n in np.random.default_rng(0).permutation(40)],
    "halves": [f"{n}.5" for n in range(40)],
    "twice": [str(n % 20) for n in range(40)],
}
LEFT_OUT = [
    *((name, COUNTED) for name in ("id", "ID", "Index", "", "row_id", "rowId", "PassengerId")),
    *((name, COUNTED) for name in ("customer id", "CustomerID", "case-id", "userid", "USERID")),
    *(("id", OTHERS[cells]) for cells in ("names", "mixed")),
    ("index", OTHERS["mixed"]),
]
KEPT = [
    *((name, COUNTED) for name in ("idle", "x")),
    *((name, OTHERS["mixed"]) for name in ("paid", "userid")),
    *((name, OTHERS[cells]) for name in ("id", "index", "row_id") for cells in ("halves", "twice")),
    ("row_id", OTHERS["mixed"]),
]


@pytest.mark.parametrize(
    ("name", "cells", "is_kept"),
    [(*row, False) for row in LEFT_OUT] + [(*row, True) for row in KEPT],
)
def test_only_names_and_cells_that_number_rows_are_left_out(
    tmp_path: Path, name: str, cells: list[str], is_kept: bool
) -> None:
    rows = [f"{cell},{n % 7},{'pq'[n % 2]}" for n, cell in enumerate(cells)]
    (tmp_path / "own.csv").write_text("\n".join([f"{name},size,label", *rows]))
    data = load_dataset(tmp_path / "own.csv")
    assert data.train.feature_names == ((name, "size") if is_kept else ("size",))
    assert any("numbers the rows" in note for note in data.notes) != is_kept


def test_a_name_with_braces_is_a_name(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("size {cm},y\n" + "a,p\nb,q\n" * 10)
    assert load_dataset(path).train.feature_names == ("size {cm}=a", "size {cm}=b")
