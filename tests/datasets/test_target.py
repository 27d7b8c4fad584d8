"""The labels of a table keep the texts that they are written with."""

from __future__ import annotations

from enum import Enum, StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp.datasets import encode_labels, load_dataset
from fastmlp.errors import ArgumentError, DataError

CODES = [f"{n:03}" for n in range(40)]
# Labels, the names of their classes, and what is said of them
LABELS: dict[str, tuple[list[str], tuple[str, ...], str]] = {
    "leading zeros": (["007", "012"], ("007", "012"), "texts such as '007', not numbers"),
    "one leading zero": (["7", "007", "12"], ("007", "7", "12"), "because of leading zeros"),
    "beside exponents": (["1e5", "007"], ("007", "1e5"), "because of leading zeros"),
    "more than a few": (CODES, tuple(CODES), "texts such as '000'"),
    "a sign": (["-1", "05", "5"], ("-1", "5"), ""),
    "no leading zero": (["0", "1.0", "-2"], ("-2", "0", "1"), ""),
    "bools in two spellings": (["TRUE", "False", "true", "FALSE"], ("False", "True"), ""),
    "bools in one spelling": (["TRUE", "FALSE"], ("FALSE", "TRUE"), ""),
    "two cases": (["Cat", "cat", "dog"], ("Cat", "cat", "dog"), "'Cat' and 'cat' differ in upper"),
}
# A last column of zeros is no target, however it is spelled, if the first column has labels
ZEROS = "".join(f"{n % 2},{n},{('0', '0.0', '-0')[n % 3]}\n" for n in range(40))
WAYS = ("numbers", "texts", "label first", "a DataFrame")


def table(folder: Path, labels: list[str], way: str) -> Any:
    """Return a table of 80 rows: the path of a file, or a DataFrame."""
    held = [labels[n % len(labels)] for n in range(80)]
    if way in WAYS[:3]:
        other = ("1", '"2"') if way == "numbers" else ("red", "blue")
        rows = [[other[n % 2], str(n % 3), label] for n, label in enumerate(held)]
        lines = [["a", "b", "label"], *rows]
        path = folder / "own.csv"
        path.write_text("\n".join(",".join(r[::-1] if "first" in way else r) for r in lines))
        return path
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame({"a": np.arange(80) % 7, "label": held})


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", LABELS)
def test_classes_have_the_names_that_labels_are_written_with(
    tmp_path: Path, case: str, way: str
) -> None:
    labels, names, said = LABELS[case]
    data = load_dataset(table(tmp_path, labels, way), whole=True)
    assert data.class_names == names
    if case == "a sign":  # 05 is 5
        return
    read = np.array(names)[data.train.labels].tolist()
    spelled = [labels[n % len(labels)] for n in range(80)]
    lower = [name.lower() for name in read]
    assert read == spelled or lower == [s.lower().removesuffix(".0") for s in spelled]
    assert said in "\n".join(data.notes)
    if not said:
        assert not any(" target has " in note or "upper" in note for note in data.notes)


def test_numbers_with_leading_zeros_are_quantities_if_the_task_says_so(tmp_path: Path) -> None:
    data = load_dataset(table(tmp_path, ["007", "012"], "numbers"), task="regression", whole=True)
    np.testing.assert_array_equal(data.train.labels[:2], [7, 12])
    fractions = load_dataset(table(tmp_path, ["00.5", "12.0"], "numbers"))
    assert fractions.task == "regression"


def test_codes_come_back_from_a_saved_network(tmp_path: Path) -> None:
    data = load_dataset(table(tmp_path, ["007", "012"], "numbers"), whole=True)
    network = fastmlp.Network(2, 2)
    fastmlp.train(network, data, epochs=0, backend="numpy")
    network.save(tmp_path / "own.safetensors")
    again = fastmlp.Network.load(tmp_path / "own.safetensors")
    assert set(again.predict(data.test.images, names=True)) <= {"007", "012"}
    known = load_dataset(table(tmp_path, ["012", "007"], "texts"), columns=None)
    assert known.class_names == again.class_names


@pytest.mark.parametrize("task", [None, "classification", "regression"])
def test_an_infinite_label_is_named_with_its_row(tmp_path: Path, task: str | None) -> None:
    path = table(tmp_path, ["1", "inf"], "numbers")
    with pytest.raises(DataError, match="finite numbers in the target 'label'; found infinity in "):
        load_dataset(path, task=task)


def test_the_target_of_another_table_is_chosen_among_all_columns(tmp_path: Path) -> None:
    frame = table(tmp_path, ["x", "y"], "label first")
    columns = load_dataset(frame).columns
    renamed = tmp_path / "renamed.csv"
    renamed.write_text(frame.read_text().replace("label", "kind"))
    for number in ("kind", 0, -3):
        data = load_dataset(renamed, columns=columns, target_column=number)
        assert data.class_names == ("x", "y")
    for number in ("a", 2, -1):
        with pytest.raises(ArgumentError, match=r"target_column must be no input .* got 'a'"):
            load_dataset(renamed, columns=columns, target_column=number)


class Colour(StrEnum):
    RED = "red"
    LIGHT_BLUE = "light blue"

    def __str__(self) -> str:
        return "a colour"


class Size(Enum):
    SMALL = 1
    LARGE = 2

    def __str__(self) -> str:
        return "a size"


@pytest.mark.parametrize(
    ("members", "names"),
    [(Colour, ("light blue", "red")), (Size, ("LARGE", "SMALL"))],
)
def test_members_of_an_enum_are_classes_of_their_own(members: Any, names: tuple[str, ...]) -> None:
    labels = [*members] * 20
    _, found = encode_labels(labels)
    assert found == names
    network = fastmlp.Network(3, 2)
    fastmlp.train(network, np.eye(3)[np.arange(40) % 3], labels, epochs=0, backend="numpy")
    assert network.class_names == names
    split = fastmlp.Split(np.ones((40, 3)), labels, class_names=[*members])
    assert split.class_names == names[::-1]


def test_decimals_beside_a_leading_zero_are_quantities(tmp_path: Path) -> None:
    labels = ["00", *(f"{n % 19}.5" for n in range(39))]
    for way in WAYS:
        assert load_dataset(table(tmp_path, labels, way), whole=True).task == "regression"


def test_labels_with_line_ends_in_quotes_stay_beside_their_rows(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("a,b,label\n" + "".join(f'{n},{n * 2},"0{n % 3}\n"\n' for n in range(40)))
    data = load_dataset(path, whole=True)
    assert data.class_names == ("00", "01", "02")
    assert data.train.labels.tolist() == [n % 3 for n in range(40)]


def test_a_padded_quantity_is_told_how_to_be_one(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("a,b,label\n" + "".join(f"{n},{n * 2},{n:04}\n" for n in range(40)))
    with pytest.raises(DataError, match='pass task="regression" if it is a quantity'):
        load_dataset(path)


def test_the_note_names_a_label_with_a_leading_zero(tmp_path: Path) -> None:
    notes = load_dataset(table(tmp_path, ["00", "0", "1"], "numbers"), whole=True).notes
    assert "such as '00'" in "\n".join(notes)


def test_missing_labels_are_refused() -> None:
    for values in (np.ma.masked_array([1, 2], mask=[0, 1]), [1.0, np.nan]):
        with pytest.raises(ArgumentError, match="values must all be known; got 1 missing"):
            encode_labels(values)


def test_a_quantity_with_a_text_names_the_text(tmp_path: Path) -> None:
    path, prices = tmp_path / "own.csv", [f"{1000 + 7 * n}" for n in range(60)]
    prices[9] = "on request"
    path.write_text("size,price\n" + "".join(f"{n},{p}\n" for n, p in enumerate(prices)))
    for task in (None, "regression"):
        with pytest.raises(DataError, match=r"in the target 'price'; found .*'on request'"):
            load_dataset(path, task=task)
    assert len(load_dataset(path, task="classification", whole=True).class_names) == 60
    path.write_text("size;price\n" + "".join(f"{n};{p},5\n" for n, p in enumerate(prices)))
    with pytest.raises(DataError, match="'on request,5'"):
        load_dataset(path)


def test_columns_that_are_left_out_need_not_be_well_written(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    rows = "".join(f'{n},"1,{100 + n}",{n * 3}.5\n' for n in range(40))
    path.write_text("size,note,price\n" + rows)
    with pytest.raises(DataError, match="'note'"):
        load_dataset(path, target_column="price")
    data = load_dataset(path, target_column="price", drop_columns=["note"])
    # a column that is left out says whether commas are decimal
    path.with_name("w.csv").write_text(
        "w;price;kind\n"
        + "".join(f"{n},5;{n % 9 + 1},{100 + n};{'ab'[n % 2]}\n" for n in range(40))
    )
    other = load_dataset(path.with_name("w.csv"), drop_columns=["w"], whole=True)
    assert other.train.images[:2, 0] == pytest.approx([1.1, 2.101])
    assert data.train.images.shape[1] == 1
    assert fastmlp.datasets.read_inputs(path, data.columns).shape == (40, 1)


def test_zeros_in_two_spellings_are_no_target_and_codes_are(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text(ZEROS)
    assert load_dataset(path).class_names == ("0", "1")
    path.write_text("".join(f"{n % 5},{n},{('7', '007')[n % 2]}\n" for n in range(40)))
    assert load_dataset(path).class_names == ("007", "7")
