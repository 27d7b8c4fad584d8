"""Transpositions against NumPy."""

import itertools

import numpy as np
import pytest
from direct import DTYPES, compiled, lanes_of, shared

from fastmlp.kernels.loops.tile import write_rows


@compiled
def write(c, c_row, block, columns, like):
    write_rows(c, c_row, block, columns, like)


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


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_block_is_written_as_rows_of_whole_128_bits_and_nothing_else(dtype):
    lanes, part = lanes_of(dtype), 16 // np.dtype(dtype).itemsize
    for columns, gap in itertools.product((1, part, part + 1, 3 * lanes), (0, 3)):
        whole = -(-columns // part) * part
        block = np.arange(whole * lanes, dtype=dtype).reshape(whole, lanes)
        c = np.full((lanes + 1, whole + gap), -1, dtype)
        write(c, c.shape[1], block, columns, np.dtype(dtype).type(0))
        np.testing.assert_array_equal(c[:lanes, :whole], block.T)
        assert (c[lanes:] == -1).all()
        assert (c[:, whole:] == -1).all()
