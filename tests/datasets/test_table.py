"""A table becomes a data set: target, task, categories, missing values, test rows, columns."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fastmlp.datasets import Dataset, load_dataset, read_inputs
from fastmlp.errors import ArgumentError, DataError

FLOWERS = "FlowerId,petal,colour,species\n" + "".join(
    f"{n},{n / 8},{('red', 'blue', 'white')[n % 3]},{('rose', 'lily')[n % 2]}\n" for n in range(20)
)


def written(folder: Path, content: str, name: str = "own.csv") -> Path:
    path = folder / name
    path.write_text(content)
    return path


def all_rows(data: Dataset) -> np.ndarray[Any, Any]:
    return np.concatenate([data.train.images, data.test.images])


def test_a_table_of_numbers_and_texts(tmp_path: Path) -> None:
    data = load_dataset(written(tmp_path, FLOWERS))
    assert (data.name, data.task, data.class_names) == ("own", "classification", ("lily", "rose"))
    assert (len(data.train), len(data.test)) == (16, 4)
    assert data.test.labels.tolist().count(0) == 2
    assert data.train.images.dtype == np.float32
    rows = all_rows(data)
    petals = np.rint(rows[:, 0] * 8).astype(int)
    assert sorted(petals) == list(range(20))
    # blue, red, white
    np.testing.assert_array_equal(rows[:, 1:], np.eye(3)[np.array([1, 0, 2])[petals % 3]])
    labels = np.concatenate([data.train.labels, data.test.labels])
    np.testing.assert_array_equal(labels, 1 - petals % 2)
    notes = "\n".join(data.notes)
    assert "'FlowerId' numbers the rows" in notes
    assert "20 % of the rows" in notes
    assert "target" not in notes


def test_the_seed_draws_the_test_rows_and_whole_draws_none(tmp_path: Path) -> None:
    path = written(tmp_path, FLOWERS)
    first, again, other = (load_dataset(path, seed=seed).test.images for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    whole = load_dataset(path, whole=True)
    assert len(whole.train) == len(whole.test) == 20


X5 = "".join(f"{n % 7},{n % 5},{n / 7:.2f}\n" for n in range(40))
TARGETS: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "a usual name": ("Class,a,b\n" + X5, {}, "Class", "classification"),
    "the last": ("p,q,r\n" + X5, {}, "r", "regression"),
    "by name": ("p,q,r\n" + X5, {"target_column": "q"}, "q", "classification"),
    "by number": ("p,q,r\n" + X5, {"target_column": 1}, "q", "classification"),
    "by a number of NumPy": ("p,q,r\n" + X5, {"target_column": np.int64(1)}, "q", "classification"),
    "by number, behind one that is left out": (
        "id,p,q\n" + "".join(f"{n},{n % 4},{n % 3}\n" for n in range(30)),
        {"target_column": 1},
        "p",
        "classification",
    ),
    "one that is left out elsewhere": (
        "id,p,q\n" + "".join(f"{n},{n % 4},{n % 3}\n" for n in range(30)),
        {"target_column": "id"},
        "id",
        "regression",
    ),
    "nothing dropped": (
        *("p,q,r\n" + X5, {"drop_columns": None, "target_column": "q"}),
        "q",
        "classification",
    ),
    "by number as text": ("p,q,r\n" + X5, {"target_column": "-3"}, "p", "classification"),
    "without header": (X5, {"target_column": 0}, "0", "classification"),
    "as numbers": ("p,q,y\n" + X5, {"task": "regression"}, "y", "regression"),
    "as classes": (
        "p,q,y\n" + "1,2,0.5\n3,4,1.5\n" * 9,
        {"task": "classification"},
        "y",
        "classification",
    ),
}


@pytest.mark.parametrize("case", TARGETS)
def test_the_target_and_its_task(tmp_path: Path, case: str) -> None:
    content, options, target, task = TARGETS[case]
    data = load_dataset(written(tmp_path, content), **options)
    assert data.columns is not None
    assert data.columns["target"] == target
    assert data.task == task == data.columns["task"]
    assert (data.class_names == ()) == (task == "regression")
    said = {"the last": "the last column", "a usual name": "the column called 'Class'"}
    for kind, text in said.items():
        assert any(f"the target is {text}; target_" in note for note in data.notes) == (
            case == kind
        )


def test_missing_values_are_counted_or_filled_from_the_training_rows(tmp_path: Path) -> None:
    rows = [
        "?,red,1",
        "NA,red,0",
        "3,none,0",
        *(f"{n},{('', 'red', 'blue')[n % 3]},{n % 2}" for n in range(30)),
    ]
    path = written(tmp_path, "\n".join(["size,colour,y", *rows]))
    with pytest.raises(
        DataError, match=r"found 2 in 'size', 11 in 'colour' \(of them 'none'\)\. .*impute"
    ):
        load_dataset(path)
    data = load_dataset(path, impute="median")
    assert data.columns is not None
    assert "in the column 'colour', 'none' count as missing, and are filled" in data.notes
    size, colour = data.columns["inputs"]
    assert colour["fill"] == "red"
    known = np.sort(data.train.images[:, 0])
    assert size["fill"] in known
    assert (data.train.images[:, 0] == size["fill"]).any()
    assert abs(size["fill"] - np.median(known)) <= 1
    one = written(tmp_path, "colour,size,more\n,,1\n", "one.csv")
    np.testing.assert_array_equal(read_inputs(one, data.columns), [[size["fill"], 0, 1]])


def test_pixels_are_bytes_of_a_square(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [",".join(map(str, [n % 3, *rng.integers(0, 256, 64)])) for n in range(30)]
    header = ",".join(["label", *(f"pixel{n}" for n in range(64))])
    data = load_dataset(written(tmp_path, "\n".join([header, *rows])))
    assert data.train.images.dtype == np.uint8
    assert data.image_shape == (8, 8)
    # without a header; the last pixel is always 0
    bare = [",".join([*row.split(",")[:-1], "0"]) for row in rows]
    data = load_dataset(written(tmp_path, "\n".join(bare)))
    assert data.train.images.dtype == np.uint8
    assert data.columns is not None
    assert data.columns["target"] == "0"


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "unknown target": (FLOWERS, {"target_column": "kind"}, "name or number; got 'kind'"),
    "unknown column": (FLOWERS, {"drop_columns": "kind"}, "drop_columns must be names of columns"),
    "a dropped target": (
        *(FLOWERS, {"drop_columns": {"species"}, "target_column": "species"}),
        "drop_columns must not have the target; got 'species'",
    ),
    "True for a number": (FLOWERS, {"target_column": True}, "a name or a number; got True"),
    "no seed": (FLOWERS, {"seed": None}, "seed must be a whole number; got None"),
    "classes that are not exact": (
        "a,y\n" + "".join(f"{n},{2**53 + n % 2}\n" for n in range(30)),
        {},
        "classes below 2^53 in the target 'y'; found 9007199254740992. Larger numbers",
    ),
    "no target": ("a,y\n1,0\n2,\n3,1\n", {}, "missing values in the target 'y'; found 1"),
    "a class called none": ("a,y\n1,none\n2,some\n", {}, "found 1, of them 'none'. Rem"),
    "one class": ("a,y\n1,x\n2,x\n3,x\n", {}, "two classes or more in the target 'y'; found x"),
    "texts as numbers": (FLOWERS, {"task": "regression"}, "numbers in the target 'species'"),
    "only a target": ("id,y\n7,0\n2,1\n3,0\n", {}, "columns beside the target"),
    "names": (
        "name,y\n" + "".join(f"name {n},{n % 2}\n" for n in range(50)),
        {},
        "repeated texts in column 'name'; found 50 texts",
    ),
    "a text among numbers": (
        "size,y\n" + "".join(f"{n / 7},{n % 2}\n" for n in range(50)) + "-,0\n",
        {},
        "repeated texts in column 'size'; found 51 texts such as '-', '0.0',",
    ),
    "one class of text, unnamed": ("a,kind\n1,x\n2,x\n3,x\n", {}, "in the target 'kind'; found x"),
    "infinity": ("a,y\n1,0\ninf,1\n2,0\n3,1\n", {}, "finite numbers in column 'a'"),
    "no value": ("a,b\n,\n", {}, "found"),
    "one row of each": ("a,y\n1,p\n2,q\n", {}, "a class with two rows"),
    "one row of each number": ("a,y\n1,3\n2,6\n", {}, 'pass task="regression" if it'),
    "size": (FLOWERS, {"image_size": (8, 8)}, "image_size is not for CSV"),
    "fill": (FLOWERS, {"impute": "mean"}, "impute must be one of its values; got 'mean'"),
    "task": (FLOWERS, {"task": "labels"}, "Choose from 'classification', 'regression'"),
    "seed": (FLOWERS, {"seed": -1}, "seed must be at least 0"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_used_is_refused_with_the_remedy(tmp_path: Path, case: str) -> None:
    content, options, says = REFUSED[case]
    with pytest.raises((ArgumentError, DataError)) as caught:
        load_dataset(written(tmp_path, content), **options)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_column_of_categories_that_are_nearly_all_numbers_is_named(tmp_path: Path) -> None:
    rows = "".join(f"{n % 5},{'pq'[n % 2]},{n % 2}\n" for n in range(40))
    data = load_dataset(written(tmp_path, f"a,b,y\n{rows}unknown,p,1\n"))
    said = "the column 'a' has categories, not numbers, because of 'unknown'"
    assert [note for note in data.notes if "categories" in note] == [said]
    rows = "".join(f"{n % 5} %,2026-01-0{n % 3 + 1},{'pq'[n % 2]},{n % 2}\n" for n in range(40))
    data = load_dataset(written(tmp_path, f"share,day,b,y\n{rows}"))
    assert [note for note in data.notes if "categories" in note] == [
        "the column 'share' has categories such as '0 %', not quantities",
        "the column 'day' has categories such as '2026-01-01', not quantities",
    ]


def test_inputs_are_read_by_name_in_any_order(tmp_path: Path) -> None:
    data = load_dataset(written(tmp_path, FLOWERS))
    columns = json.loads(json.dumps(data.columns))
    for text in (
        "colour;extra;petal\nred;x;2.5\n",
        "species;petal;colour\n?;2.5;red\n",
    ):
        found = read_inputs(written(tmp_path, text, "new.csv"), columns)
        np.testing.assert_array_equal(found, [[2.5, 0, 1, 0]])
    new = written(tmp_path, "petal,colour\n1,green\n2,red\n", "new.csv")
    with pytest.raises(DataError, match=r"known texts in column 'colour' .*found 'green'"):
        read_inputs(new, columns)
    np.testing.assert_array_equal(read_inputs(new, columns, "ignore"), [[1, 0, 0, 0], [2, 0, 1, 0]])
    for text, says in (
        ("petal,leaf\n1,red\n", "also the columns 'colour'; found 'petal', 'leaf'"),
        ("petal,colour\nbig,red\n", "numbers in column 'petal'; found 'big' in row 1"),
        ("petal,colour\n,red\n", "no missing values; found 1 in 'petal'"),
    ):
        with pytest.raises(DataError, match=says):
            read_inputs(written(tmp_path, text, "new.csv"), columns)


def test_inputs_without_header_are_read_by_place(tmp_path: Path) -> None:
    columns = load_dataset(written(tmp_path, X5), target_column=0).columns
    for text in ("9,5,0.25\n", "5,0.25\n"):
        found = read_inputs(written(tmp_path, text + text, "new.csv"), columns)
        np.testing.assert_array_equal(found, [[5, 0.25]] * 2)


def test_a_table_is_divided_as_in_training_and_another_is_not(tmp_path: Path) -> None:
    path = written(tmp_path, FLOWERS)
    data = load_dataset(path, seed=3)
    again = load_dataset(path, columns=data.columns)
    np.testing.assert_array_equal(again.test.images, data.test.images)
    lilies = "\n".join(line for line in FLOWERS.splitlines() if not line.endswith("rose"))
    other = load_dataset(written(tmp_path, lilies), columns=data.columns)
    assert (len(other.test), other.class_names) == (10, ("lily",))
    assert "all rows test" in other.notes[0]


@pytest.mark.parametrize(
    "damage",
    [
        {"inputs": []},
        {"inputs": [{"name": 3}]},
        {"inputs": [{"name": "a", "categories": []}]},
        {"inputs": [{"name": "a", "fill": "x"}]},
        {"target": None},
        {"more": 1},
        {"seed": "x"},
        {"task": 3},
        {"pixels": "no"},
        {"inputs": None},
    ],
)
def test_damaged_columns_are_refused(tmp_path: Path, damage: dict[str, Any]) -> None:
    path = written(tmp_path, FLOWERS)
    columns = {**(load_dataset(path).columns or {}), **damage}
    with pytest.raises(DataError, match="columns must describe a table"):
        read_inputs(path, columns)


def test_parquet_is_read_by_what_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pandas = pytest.importorskip("pandas")
    path = written(tmp_path, "PAR1", "own.parquet")
    with monkeypatch.context() as patch:
        for name in ("pyarrow.parquet", "pandas"):
            patch.setitem(sys.modules, name, None)
        with pytest.raises(DataError, match="pip install pyarrow"):
            load_dataset(path)
    held = {"petal": [1.5, None, 2.0, 3.0], "y": ["a", "b", "a", "b"]}
    held["__index_level_0__"] = [4, 2, 4, 1]  # pandas writes the index so
    fake = SimpleNamespace(read_table=lambda path: pandas.DataFrame(held))
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", fake)
    data = load_dataset(path, impute="median", whole=True)
    np.testing.assert_array_equal(data.train.images, [[1.5], [2], [2], [3]])
    assert data.class_names == ("a", "b")
