"""How a team shares a step: which plan, what changes cores, and how many take part at first."""

import itertools

import numpy as np
import pytest
from networks import engine_for

from fastmlp.kernels.memory.panels import MEMORY_APART, panel_width, vector_size
from fastmlp.kernels.memory.records import (
    BY_COLUMNS,
    BY_INPUTS,
    BY_SAMPLES,
    COLUMNS_THEN_ROWS,
)
from fastmlp.kernels.team.plan import NAMES, Plan, has_halves, plan_of
from fastmlp.system.team_size import BARRIERS

SINGLE = np.dtype(np.float32)
ROWS = {
    ((784, 128, 10), 64): COLUMNS_THEN_ROWS,
    ((784, 128, 10), 32): COLUMNS_THEN_ROWS,
    ((784, 16, 16, 10), 10): BY_INPUTS,
    ((784, 16, 16, 10), 1): BY_COLUMNS,
    ((784, 512, 512, 10), 128): COLUMNS_THEN_ROWS,
    ((784, 1024, 1024, 10), 512): COLUMNS_THEN_ROWS,
    ((28, 64, 64, 2), 256): BY_SAMPLES,
    ((54, 100, 7), 200): BY_SAMPLES,
    ((54, 100, 7), 127): COLUMNS_THEN_ROWS,
    ((30, 100, 2), 32): COLUMNS_THEN_ROWS,
}


@pytest.mark.parametrize(("network", "kind"), ROWS.items(), ids=str)
def test_sizes_and_batch_choose_the_plan(network, kind):
    sizes, batch_size = network
    assert plan_of(sizes, batch_size, SINGLE, sizes[0] == 784).kind == kind


def test_small_changes_of_a_network_keep_what_the_plan_demands():
    for hidden, outputs, batch in itertools.product((1, 8, 16, 17, 64), (1, 10, 64, 65), (1, 64)):
        plan = plan_of((20, hidden, outputs), batch, SINGLE)
        vector = vector_size(SINGLE)
        two_panels = hidden > 2 * vector and outputs <= 4 * vector
        assert (plan.kind == COLUMNS_THEN_ROWS) == two_panels
    assert plan_of((28, 64, 64, 2), 127, SINGLE).kind != BY_SAMPLES  # one slice
    assert plan_of((28, 64, 64, 2), 255, SINGLE).slices == 2  # an even number
    assert plan_of((784, 128, 10), 200, SINGLE).kind == COLUMNS_THEN_ROWS  # many parameters
    assert plan_of((54, 100, 7), 200, SINGLE, True).kind == COLUMNS_THEN_ROWS  # sparse
    assert plan_of((28, 64, 64, 2), 100_000, SINGLE).slices == 16


def test_several_hidden_layers_are_owned_if_each_has_two_halves():
    vector = vector_size(SINGLE)
    for vectors, halves in ((4, False), (5, False), (8, True), (12, False), (16, True), (25, True)):
        outputs = vectors * vector - 1
        assert has_halves(outputs, SINGLE) == halves
        sizes = 20, 8 * vector, outputs, 16 * vector, 3
        kinds = plan_of(sizes, 1, SINGLE).kind, plan_of((*sizes, 200), 1, SINGLE).kind
        assert kinds == (COLUMNS_THEN_ROWS if halves else BY_COLUMNS, BY_COLUMNS)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("more", [1, 100])
def test_the_panels_of_members_lie_apart(more, threads, dtype):
    width = panel_width(10_000, np.dtype(dtype))
    engine = engine_for((20, more * width + 1, 3), 32, dtype, threads, ("adam", {}))
    assert engine.plan.kind == COLUMNS_THEN_ROWS
    layer, arrays = engine.layers[0], engine.buffers[0]
    item, panels = arrays["w"].itemsize, {n: a for n, a in arrays.items() if a.ndim == 3}
    states = [name for name in panels if "_" in name]
    assert {*panels} == {"w", "a", "dz", *states}
    spans = []
    for array in panels.values():
        first = array.ctypes.data
        spans += [(first + k * array.strides[0], array[0].nbytes) for k in range(len(array))]
        assert array.strides[1:] == (width * item, item)
    assert layer["w_panel"] * item == arrays["w"].strides[0] == arrays[states[1]].strides[0]
    assert layer["a_panel"] * item == arrays["a"].strides[0] == arrays["dz"].strides[0]
    assert [layer[name] for name in states] == [arrays[name].ctypes.data for name in states]
    ends = sorted((start, start + size) for start, size in spans)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(ends))
    is_apart = arrays["w"].strides[0] >= MEMORY_APART
    assert is_apart == (threads > 1 and more == 1)


def test_lines_that_change_cores():
    found, today = {}, Plan(BY_COLUMNS)
    for sizes, batch_size in ROWS:
        sparse = sizes[0] == 784
        plan = plan_of(sizes, batch_size, SINGLE, sparse)
        what = sizes, batch_size, SINGLE, sparse
        assert sum(plan.lines(*what, 1).values()) == 0
        found[sizes, batch_size] = lines = sum(plan.lines(*what, 2).values())
        assert lines <= sum(today.lines(*what, 2).values())
    if vector_size(SINGLE) == 16:
        assert found[(784, 128, 10), 64] == 40
        assert found[(30, 100, 2), 32] == 4
        assert found[(28, 64, 64, 2), 256] < 1100
        assert found[(54, 100, 7), 200] == 560
        # two panels of 784 rows, of 256 bytes, each shared by two members
        shared = plan_of((784, 128, 10), 64, SINGLE).lines((784, 128, 10), 64, SINGLE, True, 4)
        assert shared["shared panels"] == 784 * 256 // 2 // 64
        few, many, clipped = (784, 16, 10), (784, 512, 10), Plan(BY_COLUMNS, clipped=True)
        plans = (today, few), (clipped, many), (today, many)
        images = [plan.lines(s, 64, SINGLE, True, 2).get("images") for plan, s in plans]
        assert images == [784 // 2, 784 // 2, None]  # half of 64 x 784 bytes, or each has its own


def test_plans_have_names():
    assert [Plan(kind).name for kind in NAMES] == [*NAMES.values()]


# sizes, batch size, most members, first members on near cores and on far ones, where a vector is
# 64 bytes
FIRST = [
    ((784, 128, 10), 64, 1, 1, 1),
    ((784, 128, 10), 64, 16, 16, 16),
    ((784, 16, 16, 10), 10, 16, 1, 1),  # no two have enough to do
    ((28, 64, 64, 2), 256, 16, 4, 4),  # slices
    ((100, 300, 10), 128, 8, 8, 5),  # panels, which have one barrier
]


@pytest.mark.parametrize(("sizes", "batch_size", "most", *BARRIERS), FIRST)
def test_lines_and_barriers_choose_the_first_members(sizes, batch_size, most, near, far):
    sparse = sizes[0] == 784
    plan, step = plan_of(sizes, batch_size, SINGLE, sparse), (sizes, batch_size, SINGLE, sparse)
    found = [plan.first_members(step, most, barrier) for barrier in (*BARRIERS.values(), 1.0)]
    if vector_size(SINGLE) == 16:
        assert found == [near, far, 1]
    engine = engine_for(sizes, batch_size, "float32", None)
    assert engine.first_members == plan.first_members((*step[:3], False), engine.threads, 14e-8)
