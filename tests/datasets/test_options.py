"""Names of columns that are no names are refused, in whatever they are passed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastmlp.datasets import load_dataset
from fastmlp.errors import ArgumentError

DROPPED = {
    "a name": "a",
    "bytes": [b"a"],
    "an array": np.array(["a"]),
    "a set": {"a"},
    "an index": lambda: pytest.importorskip("pandas").Index(["a"]),
}
REFUSED: dict[str, Any] = {
    "a nested list": [["a"]],
    "an array of rows": np.array([["a"]]),
    "mappings": [{}],
    "a mapping": {"a": 1},
    "a number": 1,
    "None": [None],
    "a flag": [True],
    "bare bytes": b"a",
    "an iterator": iter("a"),
    "another": ["z"],
    "numbers": [7],
    "fractions": [0.5],
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "own.csv"
    path.write_text("a,b,label\n" + "".join(f"{n},{n / 2},{n % 2}\n" for n in range(20)))
    return path


@pytest.mark.parametrize("case", DROPPED)
def test_columns_are_dropped(path: Path, case: str) -> None:
    names: Any = DROPPED[case]
    data = load_dataset(path, drop_columns=names() if callable(names) else names)
    assert data.train.feature_names == ("b",)


@pytest.mark.parametrize("case", REFUSED)
def test_what_are_no_names_of_columns_is_refused(path: Path, case: str) -> None:
    with pytest.raises(ArgumentError, match="drop_columns must be names of columns; got "):
        load_dataset(path, drop_columns=REFUSED[case])


def test_a_number_drops_a_column_without_a_name(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("".join(f"{n},{n / 2},{n % 2}\n" for n in range(20)))
    data = load_dataset(path, drop_columns=[0])
    assert data.train.images.shape[1] == 1
