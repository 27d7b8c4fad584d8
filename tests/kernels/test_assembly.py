"""The machine code of the hot loops: vector instructions, in the precision of the network."""

import re

import numpy as np
import pytest
from assembly import hot_loop, machine_code
from numba.core import types

from fastmlp.kernels import launch
from fastmlp.kernels.llvm import compile
from fastmlp.kernels.llvm.compile import Shared
from fastmlp.kernels.llvm.emitter import VECTOR_BYTES
from fastmlp.kernels.memory.records import numbers_at
from fastmlp.kernels.memory.tuning import TILE_HEIGHTS, TILE_VECTORS

SPARSE = ["forward_inputs", "update_inputs"]
HOT = ["multiply", *SPARSE, "activate", "times_slope"]


@pytest.fixture(autouse=True)
def _prepared():
    launch.prepare(np.dtype("float32"))


@pytest.mark.skipif(VECTOR_BYTES == 16, reason="this processor has no fused multiply-add")
def test_the_tile_is_one_fused_multiply_add_for_each_vector():
    loop = hot_loop("multiply", types.float32)
    height = TILE_HEIGHTS[TILE_VECTORS]
    passes, rest = divmod(loop.vector_fmas, height * TILE_VECTORS)
    assert passes >= 1
    assert rest == 0
    assert loop.vector_loads <= passes * (height + TILE_VECTORS)
    assert loop.vector_stores == 0
    # beside these, two additions to addresses, a count and a jump
    assert loop.instructions <= loop.vector_fmas + loop.vector_loads + 5 * passes


@pytest.mark.skipif(VECTOR_BYTES == 16, reason="this processor has no fused multiply-add")
@pytest.mark.parametrize("name", SPARSE)
def test_sparse_loops_use_vectors(name):
    assert hot_loop(name, types.float32).vector_fmas >= 2


@pytest.mark.parametrize("name", HOT)
def test_nothing_is_computed_in_double_precision(name):
    scalars = re.findall(
        r"\bv?(?:add|mul|sub|div)[sp]d\b|\bv?cvtss2sd\b", machine_code(name, types.float32)
    )
    assert not scalars


def allocations(name):
    """Return the calls for memory, and into Python."""
    code = machine_code(name, types.float32)
    return re.findall(r"NRT_\w*[Aa]lloc\w*|\$malloc|\$Py\w+", code)


@pytest.mark.parametrize("name", sorted(Shared.by_name))
def test_nothing_is_allocated_inside_an_epoch_and_python_is_not_called(name):
    assert not allocations(name)


def test_an_allocation_would_be_seen():
    @compile.shared
    def allocates(place, like: "float"):
        room = np.zeros(place, np.float32)
        numbers_at(place, 1, like)[0] = room[0]

    try:
        assert allocations("allocates")
    finally:
        del Shared.by_name["allocates"]
