"""Labels of any kind become the codes 0 … K - 1, and quantities are told from classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastmlp.datasets.labels import are_quantities, as_vector, encode_labels

ENCODED = {
    "whole numbers": (np.array([0, 2, 1]), [0, 2, 1], "0 1 2"),
    "from 1, with gaps": ([5, 1, 9, 5], [1, 0, 2, 1], "1 5 9"),
    "-1 and 1": (np.array([1, -1], np.int8), [1, 0], "-1 1"),
    "whole floats": ([2.0, 1.0], [1, 0], "1 2"),
    "booleans": ([True, False], [1, 0], "False True"),
    "texts": (np.array(["dog", "cat", "dog"]), [1, 0, 1], "cat dog"),
    "bytes": (np.array([b"b", b"a"]), [1, 0], "a b"),
    "objects": (np.array(["b", "a"], object), [1, 0], "a b"),
    "numbers as texts": (["10", "9", "100"], [1, 0, 2], "9 10 100"),
}


@pytest.mark.parametrize("kind", ENCODED)
def test_labels_become_codes_with_names(kind: str) -> None:
    values, codes, names = ENCODED[kind]
    found = encode_labels(values)
    assert found[0].dtype == np.int64
    assert found[0].tolist() == codes
    assert found[1] == tuple(names.split())


RNG = np.random.default_rng(0)
QUANTITIES: dict[str, tuple[Any, bool]] = {
    "fractions": (np.array([1.5, 2.0]), True),
    "texts": (np.array(["1.5", "2"]), False),
    "two whole floats": (np.array([0.0, 1.0, 1.0]), False),
    "ten of ten rows": (np.arange(10), False),
    "ages": (RNG.integers(18, 90, 500), True),
    "26 letters": (np.arange(26_000) % 26, False),
    "100 of 500": (np.arange(500) % 100, True),
    "prices": (RNG.integers(1, 1000, 5000) * 500, True),
}


@pytest.mark.parametrize("kind", QUANTITIES)
def test_quantities_are_fractions_or_many_whole_numbers(kind: str) -> None:
    values, expected = QUANTITIES[kind]
    assert are_quantities(values) == expected


def test_columns_and_one_hot_rows_become_vectors() -> None:
    one = np.array([2, 0, 1])
    for labels in (one, one[:, None], np.eye(3)[one], np.eye(3, dtype=bool)[one]):
        found = as_vector(labels)
        assert found is not None
        assert found.tolist() == [2, 0, 1]
    for labels in (np.ones((3, 2)), np.zeros((3, 2)), np.ones((2, 2, 2))):
        assert as_vector(labels) is None
