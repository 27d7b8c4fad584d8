"""The record of images and labels converts what it is given."""

import numpy as np
import pytest

from fastmlp.datasets import Dataset, Split
from fastmlp.errors import ArgumentError


def test_a_split_converts_arrays_of_any_kind():
    split = Split([[1.0], [2.0]], [[0.0], [1.0]])
    assert (split.images.shape, split.labels.dtype, len(split)) == ((2, 1), np.int64, 2)
    pictures = np.zeros((3, 4, 5), np.uint8)
    assert Split(pictures, ["a", "b", "a"]).images.shape == (3, 20)
    rows, labels = np.zeros((3, 20), np.uint8), np.arange(3, dtype=np.uint8)
    split = Split(rows, labels)
    assert split.images is rows
    assert split.labels is labels


def test_data_are_described_in_one_line():
    split = Split(np.zeros((3, 20), np.uint8), [0, 1, 1])
    assert repr(split) == "Split(3 rows of 20 uint8, int64 labels)"
    data = Dataset("some", split, split, ("a", "b"), (4, 5), "here")
    assert repr(data) == f"Dataset('some', train={split}, test={split}, 2 classes)"


def test_a_data_set_has_two_splits_of_one_width_and_names():
    split = Split(np.zeros((3, 20)), [0, 1, 1])
    for names in (["a", "b"], np.array(["a", "b"])):
        data = Dataset("some", split, split, names, (4, 5), "here")
        assert (data.class_names, data.test.class_names) == (("a", "b"), ("a", "b"))
    other = Split(np.zeros((3, 5)), [0, 1, 1])
    for test, names, message in (
        (None, (), "test must be a Split; got NoneType"),
        ((split.images, split.labels), (), r"test must be a Split; got tuple. Pass Split\(images"),
        (other, (), "test must have 20 values each, as train has; got 5"),
        (split, "ab", "class_names must be names, one for each class, or None; got 'ab'"),
    ):
        with pytest.raises(ArgumentError, match=message):
            Dataset("some", split, test, names, (4, 5), "here")


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        ([1.0, 2.0], [0, 1], r"images must be numbers of shape \(N, I\)"),
        ([["a"]], [0], "images must be numbers"),
        ([[1.0], [2.0]], [0], "labels must be as many as the images"),
        ([[1.0]], [["a", "b"]], "labels must be one label for each sample"),
    ],
)
def test_a_split_refuses_what_does_not_fit(images, labels, message):
    with pytest.raises(ArgumentError, match=message):
        Split(images, labels)
