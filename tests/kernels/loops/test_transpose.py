"""Transpositions against NumPy."""

import itertools

import numpy as np
import pytest
from direct import DTYPES, lanes_of, shared


@pytest.mark.parametrize("dtype", DTYPES)
def test_whole_pieces_are_transposed_and_nothing_else_is_written(dtype):
    lanes, part = lanes_of(dtype), 16 // np.dtype(dtype).itemsize
    for pieces, columns, gap in itertools.product((1, 2, 5), (1, 2, 4), (0, 3, lanes)):
        rows, columns = pieces * part, columns * lanes
        p = np.arange(rows * (columns + gap), dtype=dtype).reshape(rows, -1)
        c = np.full((columns + 1, rows + gap), -1, dtype)
        for few in (0, part // 2):  # rows and columns that the pieces cover
            c[...] = -1
            shape = rows - few, columns - few
            shared("transpose", dtype)(c, c.shape[1], p, p.shape[1], *shape, 0.0)
            np.testing.assert_array_equal(c[:columns, :rows], p[:, :columns].T)
            assert (c[columns:] == -1).all()
            assert (c[:, rows:] == -1).all()
