"""Labels of any kind become the numbers of classes, with their names."""

import numpy as np
import pytest

from fastmlp.arrays import encode_labels
from fastmlp.errors import ArgumentError


def category(values, **how):
    pandas = pytest.importorskip("pandas")
    return pandas.Series(pandas.Categorical(values, **how))


CASES = {
    "texts": (lambda: ["b", "a", "b"], ["a", "b"], [1, 0, 1]),
    "bytes": (lambda: np.array([b"b", b"a"]), ["a", "b"], [1, 0]),
    "objects": (lambda: np.array(["b", "a"], object), ["a", "b"], [1, 0]),
    "numbers as texts": (lambda: ["10", "9"], ["9", "10"], [1, 0]),
    "from 1": (lambda: [1, 3, 2], [1, 2, 3], [0, 2, 1]),
    "gaps": (lambda: [7, -1, 7], [-1, 7], [1, 0, 1]),
    "floats": (lambda: [2.0, 1.0], [1, 2], [1, 0]),
    "bools": (lambda: [True, False], [0, 1], [1, 0]),
    "column": (lambda: [[5], [4]], [4, 5], [1, 0]),
    "numbers with signs as texts": (lambda: ["1.5", "-2", "10"], ["-2", "1.5", "10"], [1, 0, 2]),
    "frame": (lambda: category(["b", "a"]).to_frame(), ["a", "b"], [1, 0]),
    "categories": (
        lambda: category(["low", "high"], categories=["low", "mid", "high"]),
        ["low", "mid", "high"],
        [0, 2],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_labels_are_names_of_classes(case):
    make, names, codes = CASES[case]
    found, named = encode_labels(make())
    assert named.tolist() == names
    assert found.tolist() == codes
    assert found.dtype == np.int64


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([1.0, np.nan], "labels must all be known; got 1 missing, the first of them in row 1"),
        (["a", None], "labels must all be known; got 1 missing"),
        (["a", "b", np.nan], "labels must all be known; got 1 missing, the first of them in row 2"),
        ([["a"], [np.nan]], "labels must all be known; got 1 missing"),
        (["a", 1], "labels must be one label .* got texts and numbers"),
        ([1.0, np.inf], "labels must be one label .* got inf in row 1. Number the classes from 0"),
        (np.array([0, 2**63], np.uint64), r"labels must be one label .* got 9.22337e\+18 in row 1"),
        ([0.5, 1.0], "labels must be one label .* got 0.5 in row 0"),
        ([[1, 2], [3, 4]], r"labels must be one label .* got shape \(2, 2\)"),
        (np.array(["a", 1], object), "labels must be one label .* got texts and numbers"),
    ],
)
def test_what_are_no_labels_is_refused(labels, message):
    with pytest.raises(ArgumentError, match=message):
        encode_labels(labels)
