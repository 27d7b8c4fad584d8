"""Answers as CSV have all digits of their precision, and no more."""

from __future__ import annotations

import numpy as np
import pytest

import fastmlp
from fastmlp.report import answer_rows, answers_csv, predictions


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_are_read_as_they_were(dtype: str) -> None:
    values = np.array([0.1, 1.76e9 + 128, 1 / 3, -2e-30], dtype)[:, np.newaxis]
    network = fastmlp.Network(1, 1, output="identity", cost="squared_error", dtype=dtype)
    _, *found = answers_csv(answer_rows(network, values, False), network.dtype).split()
    np.testing.assert_array_equal(np.array(found, dtype), values[:, 0])
    assert (found[0], found[3]) == ("0.1", "-2e-30")
    network = fastmlp.Network(1, 1, output="sigmoid", dtype=dtype)
    rows = answer_rows(network, values[[2]], True)
    shares = answers_csv(rows, network.dtype).split()[-1].split(",")[1:]
    np.testing.assert_array_equal(np.array(shares, dtype), [1 - values[2, 0], values[2, 0]])


def test_half_of_a_single_output_is_class_1_in_every_view() -> None:
    network = fastmlp.Network(4, 1, output="sigmoid", cost="cross_entropy")
    outputs = np.array([[0.5]], np.float32)
    (one,) = predictions(network, np.zeros((1, 4)), outputs, 0)
    (row,) = answer_rows(network, outputs, False)
    assert (one.answer, one.outputs, row) == (1, (0.5, 0.5), {"prediction": "1"})
    assert one.image is None  # four numbers of a table, not 2 x 2 pixels


def test_a_grey_picture_keeps_its_shape() -> None:
    grey = np.zeros((1, 7, 21), np.uint8)  # as many numbers as 7 x 7 pixels in colour
    (one,) = predictions(fastmlp.Network(147, 2), grey, np.ones((1, 2)), 0)
    assert np.shape(one.image) == (7, 21)
