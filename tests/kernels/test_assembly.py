"""The machine code of the hot loops: vector instructions, in the precision of the network."""

import re

import numpy as np
import pytest
from numba.core import types

from fastmlp.kernels import launch
from fastmlp.kernels.assembly import hot_loop, machine_code
from fastmlp.kernels.simd import VECTOR_BYTES
from fastmlp.kernels.tiles import TILE_ROWS, TILE_VECTORS

HOT = ["multiply", "listed_forward", "listed_update", "sparse_rows", "activate", "times_slope"]


@pytest.fixture(autouse=True)
def _prepared():
    launch.prepare(np.dtype("float32"))


@pytest.mark.skipif(VECTOR_BYTES == 16, reason="this processor has no fused multiply-add")
def test_the_tile_is_one_fused_multiply_add_for_each_vector():
    loop = hot_loop("multiply", types.float32)
    passes, rest = divmod(loop.vector_fmas, TILE_ROWS * TILE_VECTORS)
    assert passes >= 1
    assert rest == 0
    assert loop.vector_loads <= passes * (TILE_ROWS + TILE_VECTORS)
    assert loop.vector_stores == 0


@pytest.mark.parametrize("name", ["listed_forward", "listed_update", "sparse_rows"])
def test_sparse_loops_use_vectors(name):
    assert hot_loop(name, types.float32).vector_fmas >= 2


@pytest.mark.parametrize("name", HOT)
def test_nothing_is_computed_in_double_precision(name):
    scalars = re.findall(
        r"\bv?(?:add|mul|sub|div)[sp]d\b|\bv?cvtss2sd\b", machine_code(name, types.float32)
    )
    assert not scalars
