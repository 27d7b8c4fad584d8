"""The dense product against NumPy: all heights and widths, strides, runs, and what was there."""

import itertools

import numpy as np
import pytest
from direct import DTYPES, compiled, lanes_of, shared

from fastmlp.functions import ACTIVATIONS
from fastmlp.kernels.loops.tile import (
    FUSED,
    HEIGHTS,
    PRODUCT,
    SLOPE,
    add_outer,
    dot_rows,
    multiply_row,
    tile_height,
)
from fastmlp.kernels.memory.tuning import PANEL_VECTORS, TILE_ROWS

# so many rows go through every height of a tile, alone and behind others
ROWS = [*range(1, 2 * TILE_ROWS + 2), 2 * TILE_ROWS + 4, 3 * TILE_ROWS - 1, 5 * TILE_ROWS + 7]
VECTORS = [1, 2, 3, 4, 5]
LENGTHS = [0, 1, 2, 3, 8, 33]
WIDTHS = (1, PANEL_VECTORS // 2, PANEL_VECTORS)  # of panels, in vectors


class Strided:
    """A matrix in memory with its strides, between rows, between columns, and behind runs."""

    def __init__(self, values, by_columns=False, run=0, jump=0, gap=3):
        rows, columns = values.shape
        ends = [k + (k // run * jump if run else 0) for k in range(columns)]
        long = (max(rows, 1) if by_columns else max(ends, default=0) + 1) + gap
        self.row, self.k = (1, long) if by_columns else (long, 1)
        places = [self.row * i + self.k * k for i in range(rows) for k in range(columns)]
        if run:
            places = [
                self.row * i + self.k * k + k // run * jump
                for i in range(rows)
                for k in range(columns)
            ]
        self.places = np.array(places, int).reshape(rows, columns)
        self.memory = np.full(max(places, default=0) + 200, np.nan, values.dtype)
        self.memory[self.places] = values

    def values(self):
        return self.memory[self.places]


def product(p, q, c, beta, **how):
    """Return c = beta c + p q by the kernel, and check that nothing else was written."""
    dtype, (rows, length), columns = q.dtype, p.shape, q.shape[1]
    run, jump = how.get("run", 0), how.get("jump", 0)
    finish, other = how.pop("finish", PRODUCT), how.pop("other", q)
    left, right, target = Strided(p, **how), Strided(q), Strided(c)
    before = target.memory.copy()
    shared("multiply", dtype)(
        *(target.memory, target.row, left.memory, left.row, left.k, run, jump),
        *(right.memory, right.row, rows, columns, length, finish, other, beta),
    )
    found = target.values()
    target.memory[target.places] = before[target.places]
    np.testing.assert_array_equal(target.memory, before)
    return found


def case(rng, dtype, rows, vectors, length):
    columns = vectors * lanes_of(dtype)
    shapes = (rows, length), (length, columns), (rows, columns)
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def check(found, p, q, c, beta):
    p, q, c = (array.astype(np.float64) for array in (p, q, c))
    kept = beta * c if beta else 0
    terms = np.abs(p) @ np.abs(q) + np.abs(kept)
    eps = np.finfo(found.dtype).eps
    assert np.all(np.abs(found - (p @ q + kept)) <= (len(q) + 2) * eps * terms)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("vectors", VECTORS)
def test_every_height_and_width(dtype, vectors):
    rng = np.random.default_rng(vectors)
    for rows, length in itertools.product(ROWS, LENGTHS):
        p, q, c = case(rng, dtype, rows, vectors, length)
        for beta in (0, 1, 0.5):
            # where beta is 0, what was there is not read
            old = np.full_like(c, np.nan) if beta == 0 else c
            check(product(p, q, old, beta), p, q, old, beta)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "how",
    [
        {"by_columns": True},
        {"gap": 0},
        {"run": 1, "jump": 2},
        {"run": 4, "jump": 5},
        {"run": 16, "jump": 160},
        {"run": 64, "jump": 1},
        {"run": 8, "jump": -3},
        {"run": 2, "jump": 70, "by_columns": True},
    ],
    ids=str,
)
def test_strides_and_runs(dtype, how):
    rng = np.random.default_rng(0)
    for rows, vectors, length in itertools.product((1, 5, 8, 19), (1, 2, 3), (1, 4, 8, 15, 65)):
        p, q, c = case(rng, dtype, rows, vectors, length)
        if how.get("jump", 0) < 0:  # runs that overlap: what counts is where they are read
            p = np.repeat(p[:, :1], length, axis=1)
        check(product(p, q, c, 0.5, **how), p, q, c, 0.5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_bits_depend_on_no_tile(dtype):
    rng = np.random.default_rng(0)
    p, q, c = case(rng, dtype, 5 * TILE_ROWS + 7, 5, 40)
    whole = product(p, q, c, 0.5)
    lanes = lanes_of(dtype)
    for i, j in itertools.product(range(len(p)), range(0, q.shape[1], lanes)):
        columns = slice(j, j + lanes)
        part = product(p[i : i + 1], q[:, columns], c[i : i + 1, columns], 0.5)
        np.testing.assert_array_equal(part[0], whole[i, columns])


def test_a_tile_is_the_highest_that_the_rows_fill():
    for width, heights in HEIGHTS.items():
        for rows in range(1, 5 * TILE_ROWS):
            assert tile_height.py_func(rows, width) == max(n for n in heights if n <= rows)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*FUSED, "slope"])
def test_sums_are_finished_in_registers(dtype, name):
    rng = np.random.default_rng(0)
    for rows, vectors in itertools.product((1, 7, TILE_ROWS + 3), VECTORS):
        p, q, c = case(rng, dtype, rows, vectors, 5)
        z, other = product(p, q, c, 0), Strided(rng.normal(size=c.shape).astype(dtype))
        finish, b = SLOPE, other.values()
        if name == "slope":
            expected = np.where(b > 0, z, 0)
        else:
            finish, expected = ACTIVATIONS[name].code, np.empty_like(z)
            ACTIVATIONS[name].f(z + b[0], expected)
        found = product(p, q, c, 0, finish=finish, other=other.memory)
        np.testing.assert_array_equal(found, expected)


@compiled
def dots(c, w, w_row, w_panel, width, q, rows, columns, like):
    dot_rows(c, w, w_row, w_panel, width, q, rows, columns, like)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("vectors", [1, 2, 4])
def test_dots_of_rows_leave_out_the_padding(dtype, vectors):
    rng, lanes = np.random.default_rng(0), lanes_of(dtype)
    width = vectors * lanes
    for rows, columns in itertools.product((1, 3), (1, lanes - 1, width, width + 1, 3 * width - 1)):
        panels = -(-columns // width)
        w = rng.normal(size=(panels, rows * lanes, width)).astype(dtype)
        q = rng.normal(size=panels * width).astype(dtype)
        flat = w.transpose(1, 0, 2).reshape(rows * lanes, -1)
        exact = flat[:, :columns].astype(float) @ q[:columns].astype(float)
        for column in range(columns, panels * width):
            w[column // width, :, column % width] = np.inf
        q[columns:] = np.nan
        c = np.full((rows + 1) * lanes, 7, dtype)
        dots(c, w, width, w[0].size, width, q, rows * lanes, columns, w.dtype.type(0))
        np.testing.assert_allclose(c[: rows * lanes], exact, atol=100 * np.finfo(dtype).eps)
        assert (c[rows * lanes :] == 7).all()


@compiled
def row(columns, c, p, p_run, p_jump, q, q_k, length, finish, other, beta):
    multiply_row(columns, c, p, p_run, p_jump, q, q_k, length, finish, other, beta)


@compiled
def outer(columns, w, w_row, x, dz, count, beta):
    add_outer(columns, w, w_row, x, dz, count, beta)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("how", [{}, {"run": 16, "jump": 160}, {"run": 64, "jump": 5}], ids=str)
def test_a_single_row(dtype, how):
    rng = np.random.default_rng(0)
    for vectors, length in itertools.product(WIDTHS, (*LENGTHS, 67, 130)):
        p, q, c = case(rng, dtype, 1, vectors, length)
        left, right = Strided(p, **how), Strided(q)
        what = left.memory, how.get("run", 0), how.get("jump", 0), right.memory, right.row, length
        for beta in (0, 0.5):
            found = np.full_like(c, np.nan) if beta == 0 else c.copy()
            row(c.size, found, *what, PRODUCT, found, c.dtype.type(beta))
            check(found, p, q, c, beta)
        z, slope, other = np.empty_like(c), np.empty_like(c), rng.normal(size=c.shape).astype(dtype)
        row(c.size, z, *what, PRODUCT, z, c.dtype.type(0))
        row(c.size, slope, *what, SLOPE, other, c.dtype.type(0))
        np.testing.assert_array_equal(slope, np.where(other > 0, z, 0))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_product_of_one_term(dtype):
    rng = np.random.default_rng(0)
    for vectors, rows, gap, beta in itertools.product(WIDTHS, (0, 1, 9), (0, 7), (0, 1, 0.5)):
        p, q, c = case(rng, dtype, rows, vectors, 1)
        memory = np.full((rows + 1, c.shape[1] + gap), np.nan, dtype)
        if beta:
            memory[:rows, : c.shape[1]] = c
        outer(c.shape[1], memory, memory.shape[1], p, q, rows, c.dtype.type(beta))
        found = memory[:rows, : c.shape[1]].copy()
        np.testing.assert_array_equal(found, product(p, q, c, beta))
        memory[:rows, : c.shape[1]] = np.nan
        assert np.isnan(memory).all()
