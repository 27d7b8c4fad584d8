"""Sums of rows, and of the rows whose bits are set, against NumPy."""

import itertools

import numpy as np
import pytest
from direct import DTYPES, compiled, lanes_of

from fastmlp.kernels.loops.bit_loops import gather_outputs, sum_rows
from fastmlp.kernels.memory.tuning import PANEL_VECTORS, PART

WIDTHS = (1, PANEL_VECTORS // 2, PANEL_VECTORS)


@compiled
def sums(columns, c, q, q_row, count, beta):
    sum_rows(columns, c, q, q_row, count, beta)


@compiled
def gathered(c, c_row, goes_on, p, p_row, one, other, one_next, other_next, q, q_k, beta):
    gather_outputs(c, c_row, goes_on, p, p_row, one, other, one_next, other_next, q, q_k, beta)


def numbers(rng, dtype, *shape):
    return rng.normal(size=shape).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_are_summed_in_their_order(dtype):
    rng = np.random.default_rng(0)
    for vectors, count, gap in itertools.product(WIDTHS, (0, 1, 2, 7, 64, 65), (0, 3)):
        columns = vectors * lanes_of(dtype)
        q, old = numbers(rng, dtype, count + 1, columns + gap), numbers(rng, dtype, columns + 1)
        for beta in (0, 1, 0.5):
            c = old.copy()
            if beta == 0:
                c[:columns] = np.nan  # not read
            sums(columns, c, q, q.shape[1], count, c.dtype.type(beta))
            total = np.zeros(columns, dtype)
            for row in q[:count, :columns]:
                total = total + row
            # beta c is rounded once, together with the sum
            exact = total.astype(float) + (beta * old[:columns].astype(float) if beta else 0)
            np.testing.assert_array_equal(c[:columns], exact.astype(dtype))
            assert c[columns] == old[columns]


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_width_that_no_panel_has_writes_nothing(dtype):
    q, c = np.ones((3, 99), dtype), np.zeros(99, dtype)
    sums(3 * lanes_of(dtype), c, q, 99, 3, c.dtype.type(0))
    assert not c.any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_whose_bits_are_set_are_gathered(dtype):
    rng, columns = np.random.default_rng(0), PANEL_VECTORS * lanes_of(dtype)
    eps, places = np.finfo(dtype).eps, np.arange(PART, dtype=np.uint64)
    shares = itertools.product((0.0, 0.1, 1.0), repeat=2)
    for share, goes_on, beta in itertools.product(shares, (0, 1), (0, 1, 0.5)):
        p, q = numbers(rng, dtype, 2, 2 * PART + 1), numbers(rng, dtype, 2 * PART, columns + 3)
        old, is_set = numbers(rng, dtype, 2, columns + 2), rng.random((2, 2 * PART)) < [*zip(share)]
        p[:, :-1][~is_set], q[~is_set.any(axis=0)] = np.nan, np.nan  # not read
        halves = is_set.reshape(2, 2, PART).astype(np.uint64) << places
        words = halves.sum(axis=2, dtype=np.uint64).astype(np.int64).T.ravel().tolist()
        c, (c_row, p_row) = old.copy(), (old.shape[1], p.shape[1])
        gathered(c, c_row, goes_on, p, p_row, *words, q, q.shape[1], c.dtype.type(beta))
        for row in (0, 1):
            chosen, before = is_set[row], old[row, :columns].astype(float)
            terms = p[row, :-1][chosen, None].astype(float) * q[chosen, :columns]
            exact = terms.sum(axis=0) + goes_on * before + beta * before
            size = np.abs(terms).sum(axis=0) + 2 * np.abs(before)
            assert np.all(np.abs(c[row, :columns] - exact) <= 16 * eps * size)
        np.testing.assert_array_equal(c[:, columns:], old[:, columns:])
