"""Weights as panels: every number has one place, and comes back as it went."""

import itertools

import numpy as np
import pytest
from direct import DTYPES, lanes_of

from fastmlp.arrays.aligned import aligned_zeros
from fastmlp.kernels.memory.panels import (
    MEMORY_APART,
    pack,
    panel_views,
    panel_width,
    round_up,
    row_stride,
    vector_size,
    zeros_apart,
)
from fastmlp.kernels.memory.tuning import PANEL_VECTORS

SIZES = (1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 100, 128, 129, 200)


@pytest.mark.parametrize("dtype", DTYPES)
def test_panels_hold_the_columns_in_order_and_zeros_behind_them(dtype):
    rng, lanes = np.random.default_rng(0), lanes_of(dtype)
    for inputs, outputs, vectors in itertools.product(SIZES, SIZES, (1, 2, PANEL_VECTORS)):
        w, width = rng.normal(size=(inputs, outputs)).astype(dtype), vectors * lanes
        packed = pack(w, width)
        panels, rows, columns = packed.shape
        assert (panels, columns) == (-(-outputs // width), width)
        assert rows == round_up(inputs, lanes)  # whole squares, which transpositions read
        flat = packed.transpose(1, 0, 2).reshape(rows, -1)
        np.testing.assert_array_equal(flat[:inputs, :outputs], w)
        assert not flat[inputs:].any()
        assert not flat[:, outputs:].any()
        assert packed.ctypes.data % 64 == 0
        back = np.full_like(w, np.nan)
        for panel, columns_of in panel_views(packed, back):
            columns_of[...] = panel
        np.testing.assert_array_equal(back, w)
    np.testing.assert_array_equal(pack(w.T, lanes), pack(w.T.copy(), lanes))


@pytest.mark.parametrize("dtype", DTYPES)
def test_transposed_weights_come_back_as_they_went(dtype):
    rng = np.random.default_rng(0)
    for inputs, outputs in itertools.product(SIZES, (1, 2, 7)):
        w = rng.normal(size=(inputs, outputs)).astype(dtype)
        packed = pack(w, 0)
        assert packed.shape == (outputs, round_up(inputs, lanes_of(dtype)))
        np.testing.assert_array_equal(packed[:, :inputs], w.T)
        assert not packed[:, inputs:].any()
        back = np.full_like(w, np.nan)
        for panel, columns_of in panel_views(packed, back):
            columns_of[...] = panel
        np.testing.assert_array_equal(back, w)


@pytest.mark.parametrize("name", DTYPES)
def test_a_panel_is_as_narrow_as_its_outputs_and_its_members_allow(name):
    dtype, lanes = np.dtype(name), lanes_of(name)
    widths = [n * lanes for n in (1, 2, PANEL_VECTORS)]
    for outputs in range(1, 300):
        width = panel_width(outputs, dtype)
        assert width == next((n for n in widths if n >= outputs), widths[-1])
        for members in range(1, 9):
            shared = panel_width(outputs, dtype, members)
            panels = -(-outputs // width)
            assert shared == (min(width, 2 * lanes) if panels < members else width)
            assert shared in widths


@pytest.mark.parametrize("name", DTYPES)
def test_rows_are_aligned_and_an_odd_number_of_vectors_apart(name):
    dtype = np.dtype(name)
    for columns in range(1, 300):
        stride, rest = divmod(row_stride(columns, dtype), vector_size(dtype))
        assert rest == 0
        assert stride % 2 == 1
        assert columns <= stride * vector_size(dtype) < columns + 2 * vector_size(dtype)


def test_zeros_begin_at_a_cache_line():
    for shape, name in itertools.product(((0,), (1,), (3, 5), (2, 3, 4)), ("u1", "i8", "f4", "f8")):
        zeros = aligned_zeros(shape, np.dtype(name))
        assert zeros.shape == shape
        assert zeros.dtype == name
        assert zeros.flags.c_contiguous
        assert zeros.ctypes.data % 64 == 0 or not zeros.size
        assert not zeros.any()


@pytest.mark.parametrize("members", [1, 3])
def test_the_memory_of_members_is_zero_and_apart(members, monkeypatch):
    used = np.full(10**7, 255, np.uint8)  # as freed memory can be
    monkeypatch.setattr(np, "empty", lambda size, _: used[:size])
    memory = zeros_apart(members, (5, 7), np.dtype(np.float32))
    assert memory.shape == (members, 5, 7)
    assert not memory.any()
    assert memory.ctypes.data % 64 == 0
    assert members == 1 or memory.strides[0] == MEMORY_APART
