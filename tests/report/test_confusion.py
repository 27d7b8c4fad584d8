from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from fastmlp.errors import ArgumentError
from fastmlp.report import class_accuracies, confusion_matrix, confusion_tables, fitted


def drawn(renderable: object, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(renderable)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_rows_are_labels_and_columns_are_answers() -> None:
    matrix = confusion_matrix([0, 1, 1, 2], [0, 0, 0, 2], 3)
    assert matrix.tolist() == [[1, 2, 0], [0, 0, 0], [0, 0, 1]]
    assert matrix.dtype == np.int64


def test_labels_of_one_byte_do_not_wrap_around() -> None:
    labels = np.array([25, 25, 3], np.uint8)
    matrix = confusion_matrix(np.array([25, 3, 3], np.int8), labels, 26)
    assert matrix[25, 25] == matrix[25, 3] == matrix[3, 3] == 1
    assert matrix.sum() == 3


@pytest.mark.parametrize(
    ("answers", "labels"),
    [([3], [0]), ([0], [-1]), ([0, 1], [0]), ([[0]], [[0]]), ([0.0], [0])],
    ids=["answer too high", "label negative", "more answers", "two dimensions", "floats"],
)
def test_what_is_no_class_number_is_refused(answers: list[int], labels: list[int]) -> None:
    with pytest.raises(ArgumentError, match=r"^(answers|labels) must be"):
        confusion_matrix(answers, labels, 3)


def test_class_accuracies_and_a_class_without_images() -> None:
    shares = class_accuracies(np.array([[3, 1, 0], [0, 0, 0], [0, 0, 2]]))
    assert shares[[0, 2]].tolist() == [0.75, 1.0]
    assert np.isnan(shares[1])


def test_ten_named_classes_fit_in_80_columns_with_their_matrix() -> None:
    names = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt"]
    names += ["Sneaker", "Bag", "Ankle boot with a long name"]
    matrix = np.full((10, 10), 1234)
    (table,) = confusion_tables(matrix, names, 80)
    lines = drawn(table).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["label", "accuracy", *map(str, range(10))]
    assert lines[7].split() == ["6", "Shirt", "10.00", "%", *["1234"] * 10]


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_names_of_classes_are_whole_at_any_width(width: int) -> None:
    names = ["very satisfied with all of it", "not", "x" * 60]
    console = Console(file=io.StringIO(), width=width)
    for table in confusion_tables(np.diag([7, 1, 3]), names, width):
        narrow, console.width = fitted(console, table)
        console.print(narrow)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert max(map(len, lines)) <= max(width, 43)  # 43 is the width of all numbers
    words = " ".join(lines).split()
    assert set(names[0].split()) <= set(words)
    assert "".join(words).count("x") == 60
    assert "…" not in "".join(words)


def test_many_classes_show_the_most_frequent_confusions_instead() -> None:
    names = [chr(ord("a") + n) for n in range(26)]
    matrix = np.diag(np.full(26, 100))
    matrix[2, 3], matrix[7, 1] = 5, 9
    classes, confused = (drawn(table).splitlines() for table in confusion_tables(matrix, names, 80))
    assert len(classes) == 27
    assert classes[3].split() == ["2", "c", "105", "100", "95.24", "%"]
    assert [line.split() for line in confused[1:]] == [["h", "b", "9"], ["c", "d", "5"]]
