"""Transpositions against NumPy."""

import itertools

import numpy as np
import pytest
from direct import DTYPES, compiled, lanes_of, shared

from fastmlp.kernels.loops.bits import transpose_bits


@pytest.mark.parametrize("dtype", DTYPES)
def test_whole_squares_are_transposed_and_nothing_else_is_written(dtype):
    lanes = lanes_of(dtype)
    for rows, columns, gap in itertools.product((1, 2, 3), (1, 2, 4), (0, 3, lanes)):
        rows, columns = rows * lanes, columns * lanes
        p = np.arange(rows * (columns + gap), dtype=dtype).reshape(rows, -1)
        c = np.full((columns + 1, rows + gap), -1, dtype)
        for few in (0, lanes // 2):  # rows and columns that the squares cover
            c[...] = -1
            shape = rows - few, columns - few
            shared("transpose", dtype)(c, c.shape[1], p, p.shape[1], *shape, 0.0)
            np.testing.assert_array_equal(c[:columns, :rows], p[:, :columns].T)
            assert (c[columns:] == -1).all()
            assert (c[:, rows:] == -1).all()


@compiled
def transposed(target, source):
    transpose_bits(target, source)


def bits_of(words):
    return words[:, None] >> np.arange(64, dtype=np.uint64) & np.uint64(1)


def test_64_words_are_transposed_bit_by_bit():
    rng = np.random.default_rng(0)
    for words in (
        rng.integers(0, 2**64, 64, np.uint64),
        np.uint64(1) << np.arange(64, dtype=np.uint64),
        np.where(np.arange(64) == 5, np.uint64(2**64 - 1), np.uint64(0)),
        *np.bitwise_and(*rng.integers(0, 2**64, (2, 10, 64), np.uint64)),
    ):
        target, source = np.zeros(66, np.uint64), words.copy()
        transposed(target[1:65], source)
        np.testing.assert_array_equal(bits_of(target[1:65]), bits_of(words).T)
        np.testing.assert_array_equal(source, words)
        assert target[0] == target[65] == 0
        transposed(source, source)  # in place
        np.testing.assert_array_equal(source, target[1:65])
