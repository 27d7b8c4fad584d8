"""Sums of rows, and of the rows whose bits are set, against NumPy."""

import itertools

import numpy as np
import pytest
from direct import DTYPES, compiled, lanes_of

from fastmlp.kernels.loops.bit_loops import (
    gather_outputs,
    gather_samples,
    scatter_samples,
    sum_rows,
)
from fastmlp.kernels.memory.tuning import GROUP, PANEL_VECTORS, PART, QUAD

WIDTHS = (1, PANEL_VECTORS // 2, PANEL_VECTORS)


@compiled
def sums(columns, c, q, q_row, count, beta):
    sum_rows(columns, c, q, q_row, count, beta)


@compiled
def gathered(
    c, c_row, goes_on, p, p_next, p_row, one, other, one_next, other_next, q, q_next, q_k, beta
):
    gather_outputs(
        c, c_row, goes_on, p, p_next, p_row, one, other, one_next, other_next, q, q_next, q_k, beta
    )


@compiled
def gathered_samples(columns, c, c_row, stride, q, q_row, word, pixels, table, beta):
    gather_samples(columns, c, c_row, stride, q, q_row, word, pixels, table, beta)


@compiled
def scattered_samples(columns, c, c_row, q, q_row, stride, word, pixels, table, like):
    scatter_samples(columns, c, c_row, q, q_row, stride, word, pixels, table, like)


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
        # the operands of the next words lie elsewhere
        q_next, p_next = q[PART:].copy(), np.full(p.shape, np.nan, dtype)
        p_next[:, :PART] = p[:, PART:-1]
        halves = is_set.reshape(2, 2, PART).astype(np.uint64) << places
        words = halves.sum(axis=2, dtype=np.uint64).astype(np.int64).T.ravel().tolist()
        c, (c_row, p_row) = old.copy(), (old.shape[1], p.shape[1])
        what = c, c_row, goes_on, p, p_next, p_row, *words, q, q_next, q.shape[1]
        gathered(*what, c.dtype.type(beta))
        for row in (0, 1):
            chosen, before = is_set[row], old[row, :columns].astype(float)
            terms = p[row, :-1][chosen, None].astype(float) * q[chosen, :columns]
            exact = terms.sum(axis=0) + goes_on * before + beta * before
            size = np.abs(terms).sum(axis=0) + 2 * np.abs(before)
            assert np.all(np.abs(c[row, :columns] - exact) <= 16 * eps * size)
        np.testing.assert_array_equal(c[:, columns:], old[:, columns:])


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_samples_of_a_group_are_gathered_and_scattered(dtype):
    rng, eps = np.random.default_rng(0), np.finfo(dtype).eps
    table = numbers(rng, dtype, 256)
    for vectors, share, stride in itertools.product(WIDTHS, (0.0, 0.3, 1.0), (2, 6)):
        columns, group = vectors * lanes_of(dtype), [0, 1, stride, stride + 1][:GROUP]
        bits = rng.random(PART) < share
        word = int(
            (bits.astype(np.uint64) << np.arange(PART, dtype=np.uint64)).sum().view(np.int64)
        )
        pixels = rng.integers(0, 256, (PART, QUAD), np.uint8)
        x = np.where(bits[:, None], table[pixels[:, :GROUP]], 0).astype(float)
        w, z = numbers(rng, dtype, stride + 2, columns + 3), numbers(rng, dtype, PART, columns + 1)
        z[~bits, 0] = np.nan  # not read
        for beta in (0, 1, 0.5):
            c, old, known = w.copy(), beta * w[group, :columns].astype(float), np.nan_to_num(z)
            c[group, :columns] += np.nan if beta == 0 else 0  # not read
            gathered_samples(
                columns,
                c,
                c.shape[1],
                stride,
                z,
                z.shape[1],
                word,
                pixels,
                table,
                c.dtype.type(beta),
            )
            exact, size = x.T @ known[:, :columns], np.abs(x.T) @ np.abs(known[:, :columns])
            assert np.all(
                np.abs(c[group, :columns] - exact - old) <= 16 * eps * (size + np.abs(old))
            )
            c[group, :columns] = w[group, :columns]
            np.testing.assert_array_equal(c, w)
        sums = z.copy()
        scattered_samples(
            columns, sums, z.shape[1], w, w.shape[1], stride, word, pixels, table, w.dtype.type(0)
        )
        exact = known[:, :columns] + x @ w[group, :columns]
        size = np.abs(known[:, :columns]) + np.abs(x) @ np.abs(w[group, :columns])
        assert np.all(np.abs(sums[bits, :columns] - exact[bits]) <= 8 * eps * size[bits])
        sums[bits, :columns] = z[bits, :columns]
        np.testing.assert_array_equal(sums, z)
