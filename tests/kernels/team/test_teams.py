"""How a team shares a step: the same bits for every assignment, and the barriers of its plan."""

import hashlib
import itertools
import os
from threading import Thread

import numpy as np
import pytest
from networks import engine_for

import fastmlp
from fastmlp import kernels
from fastmlp.kernels import launch
from fastmlp.kernels.memory.records import (
    BY_COLUMNS,
    BY_GROUP,
    BY_INPUTS,
    BY_SAMPLES,
    COLUMNS_THEN_ROWS,
)
from fastmlp.kernels.memory.tuning import SLICE, SLICE_ROWS
from fastmlp.kernels.team.barrier import ARRIVED, make_board
from fastmlp.kernels.team.plan import Plan, plan_of
from fastmlp.verify.tables import TABLES

# each optimiser with other settings than its defaults, and plain SGD
STEPS = [("sgd", {}), *(step for name, step in TABLES["step"].items() if "," in name)]
# sizes, batch size: of each plan, with whole panels and others, and slices of different sizes
NETWORKS = [
    ((40, 10), 7),
    ((40, 16, 16, 10), 10),
    ((40, 130, 70, 10), 33),
    ((40, 33, 1), 1),
    ((40, 128, 10), 17),
    ((40, 128, 256, 10), 33),
    ((200, 400, 120, 250, 60), 70),  # a marked layer, which ReLU is, has slices of 3 and 4 panels
    ((300, 256, 128, 3), 1),
    ((301, 200, 3), 65),
    ((40, 100, 7), 1),
    ((40, 100, 7), 201),
    ((41, 100, 7), 200),  # of an odd number of inputs, the last minibatch has one sample
    ((41, 20, 20, 2), 300),
    ((40, 30, 20, 3), 130),
    ((40, 64, 17, 20, 5), 200),
    ((40, 20, 20, 2), 1000),
    ((40, 20, 20, 70), 137),  # the last slice, of 65 or 71 samples, leaves one of a block
    ((40, 20, 58), 3),  # few samples of many outputs, in one panel or two
    ((300, 16, 16, 10), 10),
    ((301, 70, 20, 3), 5),
    ((700, 30, 5), 100),
    ((400, 16, 10), 1),
]

# scripts/soak draws so many more, and takes every team up to 16, and one of 64
DRAWN = int(os.environ.get("FASTMLP_DRAWN_TEAMS", "0"))
TEAMS = (*range(1, 17), 64) if DRAWN else (1, 2, 3, 16)


def drawn(count):
    """Draw networks of every number of layers, with minibatches of 1 to 1,000 samples.

    Each third has one more sample than a multiple of 8, so that slices may leave a single one.
    """
    rng = np.random.default_rng(0)
    for number in range(count):
        hidden = rng.integers(1, 200, rng.integers(0, 4))
        if number % 3 == 1:  # whole pairs of panels
            hidden = 128 * rng.integers(1, 4, rng.integers(2, 5))
        batch_size = int(10 ** rng.uniform(0, 3))
        if number % 3 == 0:
            batch_size = 8 * int(rng.integers(16, 64)) + 1
        yield (40, *map(int, hidden), int(rng.integers(1, 80))), batch_size


NETWORKS += drawn(DRAWN)


def trained(engine, images, sizes):
    """Train for a few steps, the last on fewer samples; return the fingerprint of all results."""
    batch_size = engine.batch_size
    # of a large minibatch so few that slices have none or one
    large = 1 if sizes[0] % 2 else SLICE_ROWS + 1
    few = large if batch_size >= 2 * SLICE else max(1, batch_size // 3)
    samples = 3 * batch_size + few
    y = np.random.default_rng(1).integers(0, max(2, sizes[-1]), samples)
    costs, hits = engine.train(images[:samples], y, np.arange(samples), np.full(4, 0.05), 1 / 255)
    shapes = list(itertools.pairwise(sizes))
    dtype = engine.buffers[0]["w"].dtype
    weights, biases = [np.empty(s, dtype) for s in shapes], [np.empty(s[1], dtype) for s in shapes]
    engine.read(weights, biases)
    assert all(np.isfinite(w).all() for w in weights)
    numbers = b"".join(n.tobytes() for n in (*weights, *biases, costs))
    return hashlib.sha256(numbers).hexdigest(), hits


@pytest.fixture
def boards(monkeypatch):
    """Let all members of a team take part, however busy the machine is; keep their boards."""
    kept = []

    def run(function, job, layers, members, dtype):
        board = make_board()
        kept.append(board)
        call = launch.symbol(function, dtype)
        where = job.ctypes.data, layers.ctypes.data, layers.shape[-1], board.ctypes.data
        scratch, size = int(job["scratch"][0]), int(job["scratch_bytes"][0])
        team = [
            Thread(target=call, args=(*where, scratch + member * size, member, members, 0.0))
            for member in range(members)
        ]
        for member in team:
            member.start()
        for member in team:
            member.join()
        return members

    monkeypatch.setenv("FASTMLP_FIXED_TEAM", "1")
    for door in ("engine", "predictor"):
        monkeypatch.setattr(f"fastmlp.kernels.{door}.run", run)
    return kept


@pytest.mark.parametrize("step", STEPS, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("network", NETWORKS, ids=str)
@pytest.mark.usefixtures("boards")
def test_every_team_gives_the_same_bits(network, dtype, step):
    sizes, batch_size = network
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4 * batch_size, sizes[0]), np.uint8)
    for sparse in (False, True):
        if sparse:
            images[rng.random(images.shape) > 0.2] = 0
        found = {
            trained(engine_for(sizes, batch_size, dtype, threads, step), images, sizes)
            for threads in TEAMS
        }
        assert len(found) == 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.usefixtures("boards")
def test_every_team_predicts_the_same_bits(dtype):
    network = fastmlp.Network((40, 20, 70), dtype=dtype, seed=1)
    what, found = (network.weights, network.biases, network.activations), set()
    images = np.random.default_rng(0).random((177, 40))
    for threads in TEAMS:
        a = np.empty((177, 70), dtype)
        kernels.Predictor(*what, 1.0)(images, "outputs", a, threads)
        found.add(a.tobytes())
    assert len(found) == 1


@pytest.mark.usefixtures("boards")
def test_more_members_than_units_give_the_same_bits():
    sizes, rng = (784, 128, 10), np.random.default_rng(0)
    images = rng.integers(0, 256, (4 * 64, 784), np.uint8) * (rng.random((4 * 64, 784)) < 0.2)
    engines = [engine_for(sizes, 64, "float32", members) for members in (1, 5, 64)]
    assert len({trained(engine, images.astype(np.uint8), sizes) for engine in engines}) == 1
    assert engines[0].job["images_as"] == BY_GROUP


@pytest.mark.parametrize("step", [STEPS[0], ("adam", {})], ids=str)
@pytest.mark.parametrize(
    "network",
    [
        ((40, 128, 256, 10), 33, 1.0),
        ((784, 300, 10), 64, 1.0),
        ((301, 16, 16, 10), 10, 0.2),
        ((4101, 64, 16, 10), 5, 0.2),  # more weights than members have copies of
    ],
    ids=str,
)
@pytest.mark.usefixtures("boards")
def test_teams_of_changing_sizes_give_the_same_bits(network, step, monkeypatch):
    (sizes, batch_size, share), rng = network, np.random.default_rng(0)
    images = rng.integers(0, 256, (4 * batch_size, sizes[0]), np.uint8)
    images[rng.random(images.shape) >= share] = 0

    def twice(engine):
        return tuple(trained(engine, images, sizes) for _ in range(2))

    found = {twice(engine_for(sizes, batch_size, "float32", 1, step))}
    run, come, asked = kernels.engine.run, itertools.cycle((2, 2, 1, 1, 2, 1, 2, 2)), []

    def fewer(function, job, layers, members, dtype):
        asked.append(members)
        return run(function, job, layers, min(members, next(come)), dtype)

    monkeypatch.setattr("fastmlp.kernels.engine.run", fewer)
    engine = engine_for(sizes, batch_size, "float32", 6, step)
    sizes_of_teams = itertools.cycle((6, 2, 6, 1))
    # an engine that changes its plan has another TeamSize
    kind = type(engine.team)
    monkeypatch.setattr(kind, "next", lambda *_: (next(sizes_of_teams), 1))
    found |= {twice(engine)}
    assert len(asked) == 8
    assert len(found) == 1
    assert (engine.plan.kind == BY_INPUTS) == (share < 1)
    if share < 1:
        first, second = engine._records["w"][1:3, 0]
        assert (first == second) == (sizes[0] == 4101)


@pytest.mark.parametrize("step", STEPS[:2] + STEPS[-1:], ids=str)
@pytest.mark.usefixtures("boards")
def test_an_engine_changes_its_plan_with_its_images(step):
    sizes, batch_size, found = (40, 100, 7), 200, set()
    dense = np.random.default_rng(0).integers(1, 256, (4 * batch_size, 40), np.uint8)
    sparse = dense * (np.random.default_rng(1).random(dense.shape) < 0.2).astype(np.uint8)
    for threads in TEAMS:
        engine, kinds = engine_for(sizes, batch_size, "float32", threads, step), []
        results = []
        for images in (dense, sparse, dense, sparse):
            results.append(trained(engine, images, sizes))
            kinds.append(engine.plan.kind)
        assert kinds == [BY_SAMPLES, COLUMNS_THEN_ROWS] * 2
        found.add(tuple(results))
    assert len(found) == 1


@pytest.mark.parametrize("network", NETWORKS, ids=str)
@pytest.mark.usefixtures("boards")
def test_every_plan_computes_the_same_to_rounding(network, monkeypatch):
    sizes, batch_size = network
    rng = np.random.default_rng(0)
    x, y = rng.random((batch_size, sizes[0])), rng.integers(0, max(2, sizes[-1]), batch_size)
    kinds = [Plan(BY_COLUMNS)]
    if len(sizes) > 2:
        kinds.append(Plan(BY_SAMPLES, 4))
    plan = plan_of(sizes, batch_size, np.dtype(np.float64))
    if plan.kind == COLUMNS_THEN_ROWS:
        kinds.append(plan)
    traces = []
    for plan in kinds:
        monkeypatch.setattr("fastmlp.kernels.team.plan.plan_of", lambda *_, plan=plan: plan)
        engine = engine_for(sizes, batch_size, "float64", 2)
        traces.append(engine.trace(x, y, np.arange(batch_size)))
    for trace in traces[1:]:
        for name in ("a", "dz", "dw", "db"):
            for one, other in zip(getattr(traces[0], name), getattr(trace, name), strict=True):
                np.testing.assert_allclose(other, one, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("members", [2, 5])
@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_a_step_has_the_barriers_of_its_plan(network, members, boards):
    sizes, batch_size = network
    engine = engine_for(sizes, batch_size, "float32", members)
    images = np.random.default_rng(0).random((4 * batch_size, sizes[0]), np.float32)
    trained(engine, images, sizes)
    # one more before the first step: until its images are prepared
    barriers = sum(int(board[ARRIVED]) for board in boards) / members
    assert barriers == 1 + 4 * engine.plan.barriers(len(sizes) - 1, members)
