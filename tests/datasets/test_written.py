"""Numbers with decimal commas are read where commas cannot be anything else, else refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastmlp.datasets import load_dataset, read_inputs
from fastmlp.datasets.delimited import read_delimited
from fastmlp.errors import DataError

NAN = float("nan")
READ: dict[str, tuple[str, dict[str, list[object]]]] = {
    "semicolons": ("a;b\n1,5;x\n-2;y\n", {"a": [1.5, -2.0], "b": ["x", "y"]}),
    "tabs": ("a\tb\n1,5\t2\n,25\t4\n", {"a": [1.5, 0.25], "b": [2.0, 4.0]}),
    "missing": ("a;b\n1,5;x\n?;y\n", {"a": [1.5, NAN], "b": ["x", "y"]}),
    "exponents": ("a;b\n1,5E-2;x\n2e3;y\n", {"a": [0.015, 2000.0], "b": ["x", "y"]}),
    "perhaps thousands": ("a;b\n1,500;1,5\n2;2\n", {"a": [1.5, 2.0], "b": [1.5, 2.0]}),
    "no header": ("1,5;x\n2,5;y\n", {"0": [1.5, 2.5], "1": ["x", "y"]}),
    "points elsewhere": ("a;b\n1,5;1.500\n2;2.5\n", {"a": [1.5, 2.0], "b": [1.5, 2.5]}),
    "texts": ("a;b\n1,5 m;0,5\n2 m;1\n", {"a": ["1,5 m", "2 m"], "b": [0.5, 1.0]}),
}
REFUSED = {
    "only thousands": ("a;b\n1,500;x\n12,000;y\n", "decimal point in column 'a'; found '1,500'"),
    "between commas": ('a,b\n"1,5",x\n7,y\n', "decimal point in column 'a'; found '1,5'"),
    "both marks": ("a;b\n1.200,5;x\n7;y\n", "decimal commas in column 'a', as the table has some"),
    "both kinds": ("a;b\n1,5;x\n7.5;y\n", "column 'a', as the table has some; found '7.5'"),
    "two commas": ("a;b\n1,5;x\n1,000,5;y\n", "in column 'a', as the table has some; found '1,000"),
    "thousands beside": (
        "a;b\n1,5;950\n2,5;1.200\n",
        "decimal commas in column 'b', as the table has some; found '1.200'. Write 3.5 everywhere",
    ),
}


@pytest.mark.parametrize("case", READ)
def test_decimal_commas_are_read(tmp_path: Path, case: str) -> None:
    content, columns = READ[case]
    path = tmp_path / "own.csv"
    path.write_text(content)
    found = read_delimited(path).columns
    assert str({name: cells.tolist() for name, cells in found.items()}) == str(columns)


@pytest.mark.parametrize("case", REFUSED)
def test_commas_that_may_be_of_thousands_are_refused(tmp_path: Path, case: str) -> None:
    content, says = REFUSED[case]
    path = tmp_path / "own.csv"
    path.write_text(content)
    with pytest.raises(DataError) as caught:
        read_delimited(path)
    assert says in str(caught.value)


OF_POINTS = "".join(f"{n / 4};{('0,5', 'much')[n % 2]};{n % 2}\n" for n in range(20))
OF_COMMAS = "".join(f"{n % 3},{n % 2};{n * 2};{('x', 'y')[n % 2]}\n" for n in range(40))
KNOWN = {
    "points, and a category": (OF_POINTS, "2,75;0,5\n0,5;0,5\n", [[2.75, 1, 0], [0.5, 1, 0]]),
    "commas": (OF_COMMAS, "1,500;3\n", [[1.5, 3]]),
}


@pytest.mark.parametrize("case", KNOWN)
def test_a_trained_network_knows_what_commas_are(tmp_path: Path, case: str) -> None:
    trained, new, inputs = KNOWN[case]
    path = tmp_path / "own.csv"
    path.write_text("a;b;y\n" + trained)
    columns = load_dataset(path).columns
    path.write_text("a;b\n" + new)
    np.testing.assert_array_equal(read_inputs(path, columns), inputs)
