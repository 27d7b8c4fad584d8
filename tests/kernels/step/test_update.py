"""General steps on blocks of parameters: the formulas of the table, and numbers at the limits."""

import itertools

import numpy as np
import pytest
from direct import DTYPES, compiled, lanes_of, shared, vectorised
from networks import FORMS, TWINS, parameters, rate_for, read, wide

from fastmlp import kernels, reference
from fastmlp.functions import OPTIMIZERS, vector_steps
from fastmlp.functions.coefficients import COEFFICIENTS, WEIGHTS
from fastmlp.kernels.llvm.emitter import FLUSHES
from fastmlp.kernels.llvm.intrinsics import flush_small, set_control
from fastmlp.kernels.loops.elementwise import UNROLL, optimizer_step
from fastmlp.kernels.memory.tuning import PART, TRANSPOSED, UPDATE_DEPTH
from fastmlp.verify.tables import TABLES

GENERAL = {name: step for name, step in TABLES["step"].items() if not OPTIMIZERS[step[0]].fused}


def coefficients_of(step, rates):
    """Return rows of coefficients for weights, as the engine passes them."""
    optimizer, settings = step
    row = OPTIMIZERS[optimizer]
    own = row.coefficients(row.complete(settings), np.asarray(rates), 0)[:, WEIGHTS]
    padded = np.zeros((len(rates), COEFFICIENTS))
    padded[:, : own.shape[1]] = own
    return padded


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("step", GENERAL)
def test_blocks_take_the_step_of_the_table(step, dtype):
    rng, row = np.random.default_rng(0), OPTIMIZERS[GENERAL[step][0]]
    # blocks of whole vectors that are taken several at once, and of what is left of them
    for vectors in (1, 2, UNROLL - 1, UNROLL, UNROLL + 1, 3 * UNROLL + 2):
        count = vectors * lanes_of(dtype)
        w, g, *state = rng.normal(size=(2 + len(row.slots), count + 1)).astype(dtype)
        slots = dict(zip(row.slots, state, strict=True))
        if "square" in slots:  # the mean of squares is not less than the square of the mean
            slots["square"][:] = np.square(slots.get("mean", 0)) + np.abs(slots["square"]) + 1
        exact = [array[:count].astype(np.float64) for array in (w, *state)]
        ends = [array[count] for array in (w, *state)]
        slots = [*state, *[np.zeros(1, dtype)] * 2][:2]
        for coefficients in coefficients_of(GENERAL[step], (0.1, 0.05, 2.0)):
            own = shared("optimizer_step", dtype)
            own(row.code, w, *slots, g, count, coefficients, 0.0)
            row.step(exact[0], g[:count].astype(np.float64), exact[1:], coefficients)
        for mine, theirs in zip((w, *state), exact, strict=True):
            np.testing.assert_allclose(mine[:count], theirs, rtol=0, atol=50 * np.finfo(dtype).eps)
        assert [array[count] for array in (w, *state)] == ends


@pytest.mark.parametrize("dtype", DTYPES)
def test_quotients_are_right_to_two_eps(dtype):
    rng = np.random.default_rng(0)
    u, d = rng.normal(size=10_000).astype(dtype), (10 ** rng.uniform(-30, 37, 10_000)).astype(dtype)
    minus_quotient = vectorised(vector_steps.minus_quotient)
    found, exact = -minus_quotient(np.zeros_like(u), u, d), u.astype(float) / d.astype(float)
    normal = np.abs(exact) > 16 * np.finfo(dtype).tiny
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(found[normal], exact[normal], rtol=2 * eps, atol=0)
    u, d = np.array([[1, 0, np.nan, 1, np.inf], [np.inf, 1, 1, np.nan, 1]], dtype)
    found = minus_quotient(np.zeros_like(u), u, d)
    assert abs(found[0]) <= 2.0**-126
    assert found[1] == 0
    assert np.isnan(found[2:4]).all()
    assert not np.isfinite(found[4])


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_variance_below_0_counts_as_0(dtype):
    row, lanes = OPTIMIZERS["rmsprop_centered"], lanes_of(dtype)
    w, g, v, m = np.array([[0.0], [1.0], [1.0], [1.001]], dtype) @ np.ones((1, lanes), dtype)
    exact = [array.astype(np.float64) for array in (w, g, v, m)]
    (coefficients,) = coefficients_of(("rmsprop_centered", {"epsilon": 0.5}), (0.1,))
    shared("optimizer_step", dtype)(row.code, w, v, m, g, lanes, coefficients, 0.0)
    row.step(exact[0], exact[1], exact[2:], coefficients)
    np.testing.assert_allclose(w, exact[0], rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_allclose(w, -0.2, rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_fused_optimiser_has_no_general_step(dtype):
    for row in OPTIMIZERS.values():
        if row.fused:
            w, g = np.ones((2, lanes_of(dtype)), dtype)
            shared("optimizer_step", dtype)(
                row.code, w, w, w, g, len(w), np.ones(COEFFICIENTS), 0.0
            )
            assert (w == 1).all()


@compiled
def flushed_step(optimizer, w, state_0, state_1, g, count, coefficients, like):
    control = flush_small()
    optimizer_step(optimizer, w, state_0, state_1, g, count, coefficients, like)
    set_control(control)


@pytest.mark.skipif(not FLUSHES, reason="this processor computes with all numbers alike")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("step", GENERAL)
def test_state_too_small_for_a_normal_number_is_0_and_nan_stays(step, dtype):
    row, tiny, lanes = OPTIMIZERS[GENERAL[step][0]], np.finfo(dtype).tiny, lanes_of(dtype)
    # the factors of the table lead some of these below the smallest normal number
    start = [tiny * 1.0001, -tiny * 1.05, tiny * 1.2, -tiny * 2.5, tiny / 4, np.nan, np.inf, 0.0]
    w, g, *state = np.zeros((4, max(lanes, 8)), dtype)
    for slot in state:
        slot[...] = np.resize(np.array(start, dtype), len(slot))
    exact = [slot.astype(np.float64) for slot in state[: len(row.slots)]]
    (coefficients,) = coefficients_of(GENERAL[step], (0.1,))
    flushed_step(row.code, w, *state, g, len(w), coefficients, np.dtype(dtype).type(0))
    assert np.array([tiny])[0] / 2 > 0  # this thread counts such numbers again
    with np.errstate(all="ignore"):
        row.step(np.zeros(len(w)), np.zeros(len(w)), exact, coefficients)
    for mine, theirs in zip(state, exact, strict=False):
        wanted = np.where(np.abs(theirs) < tiny, 0, theirs)
        np.testing.assert_allclose(mine, wanted, rtol=2 * np.finfo(dtype).eps)
        assert mine[4] == 0
        assert np.isnan(mine[5])
    assert np.isnan(w[5])


@pytest.mark.skipif(not FLUSHES, reason="this processor computes with all numbers alike")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", [1, 16])
@pytest.mark.parametrize("sparse", [True, False])
def test_velocities_without_gradients_reach_0_in_training(sparse, batch, dtype):
    shapes = ((40, 70), (70, 3))
    weights, biases = [np.zeros(s, dtype) for s in shapes], [np.zeros(s[1], dtype) for s in shapes]
    images = np.zeros((batch, 40), np.uint8)
    if not sparse:
        images = images.astype(np.float32)
    names, small = ("relu", "identity"), np.finfo(dtype).tiny * 4
    settings = {"momentum": 0.5}
    engine = kernels.Engine(weights, biases, names, "squared_error", batch, "momentum", settings)
    state = [np.full_like(p, small) for p in (*weights, *biases)]
    engine.write_state("velocity", state[:2], state[2:])
    targets, order = np.zeros((batch, 3)), np.arange(batch)
    for step, factor in enumerate((0.5, 0.25, 0.0)):
        engine.train(images, targets, order, np.zeros(1))
        engine.read_state("velocity", state[:2], state[2:])
        for velocity in (*state[:2], *state[2:]):
            assert (velocity == np.dtype(dtype).type(small) * factor).all(), step


@pytest.mark.skipif(not FLUSHES, reason="this processor computes with all numbers alike")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("sizes", [(70, 128, 10), (20, 20, 20, 3), (40, 300, 300, 3)])
def test_what_is_too_small_for_a_normal_number_is_0_in_training_alone(sizes, threads):
    small, batch = np.float32(1e-20), 128
    weights = [np.full(shape, small) for shape in itertools.pairwise(sizes)]
    biases = [np.zeros(w.shape[1], np.float32) for w in weights]
    names = ("identity",) * len(weights)
    engine = kernels.Engine(weights, biases, names, "squared_error", batch, threads=threads)
    images, targets = np.full((batch, sizes[0]), small), np.zeros((batch, sizes[-1]), np.float32)
    assert (engine.trace(images, targets, np.arange(batch)).a[0] == 0).all()
    assert (images @ weights[0] > 0).all()


def test_the_coefficients_of_a_step_fit_their_record():
    for optimizer, settings in TABLES["step"].values():
        row = OPTIMIZERS[optimizer]
        own = row.coefficients(row.complete(settings), np.array([0.1, 0.2]), 0)
        assert own.shape[:2] == (2, 2)
        assert own.shape[2] <= COEFFICIENTS


@pytest.mark.parametrize("module", TWINS)
def test_weights_decay_and_biases_do_not(module):
    for optimizer, row in OPTIMIZERS.items():
        if "weight_decay" not in row.settings:
            continue
        w, b = [np.ones((9, 5)), np.ones((5, 2))], [np.ones(5), np.ones(2)]
        settings = {"weight_decay": 0.5}
        engine = module.Engine(w, b, ("step", "step"), "squared_error", 4, optimizer, settings)
        # nothing is learnt through a step: what changes is what decays
        for images in (np.zeros((4, 9), np.uint8), np.ones((4, 9))):
            engine.write(w, b)
            engine.train(images, np.zeros((4, 2)), np.arange(4), np.full(1, 0.1))
            found = [np.empty_like(p) for p in (*w, *b)]
            engine.read(found[:2], found[2:])
            for p in found[:2]:
                np.testing.assert_allclose(p, found[0][0, 0])
                assert p.max() < 1
            for p in found[2:]:
                assert (p == 1).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_part_of_a_minibatch_that_goes_by_changes_no_result(dtype):
    """A general step takes the whole minibatch at once; a fused one part by part."""
    rng = np.random.default_rng(0)
    for batch, outputs in itertools.product((127, 128, 129, 300), (3, 70)):
        w, b = [rng.normal(size=(50, outputs)).astype(dtype)], [np.zeros(outputs, dtype)]
        x, y = rng.normal(size=(batch, 50)).astype(dtype), np.zeros((batch, outputs), dtype)
        found = []
        for step in (("sgd", {}), ("momentum", {"momentum": 0.0})):
            engine = kernels.Engine(w, b, ("tanh",), "squared_error", batch, *step)
            engine.train(x, y, np.arange(batch), np.full(1, 0.5))
            found.append(np.empty_like(w[0]))
            engine.read(found[-1:], [np.empty_like(b[0])])
        np.testing.assert_allclose(*found, rtol=0, atol=100 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", [PART + 1, UPDATE_DEPTH + PART + 1, 3 * UPDATE_DEPTH])
@pytest.mark.parametrize("form", FORMS)
def test_transposed_inputs_give_the_step_of_the_reference(form, batch, dtype):
    rng, (optimizer, settings) = np.random.default_rng(0), FORMS[form]
    w, b = parameters(rng, (TRANSPOSED + 35, 170, 150, 3), dtype)
    x = rng.normal(size=(batch, TRANSPOSED + 35)).astype(dtype)
    y, order = rng.integers(0, 3, batch), rng.permutation(batch)
    rates = np.full(1, rate_for(optimizer, settings, 0.1))
    what = ("tanh", "relu", "softmax"), "cross_entropy", batch, optimizer, settings
    exact = reference.Engine(wide(w), wide(b), *what)
    exact.train(x, y, order, rates)
    found = read(exact, wide(w), wide(b))
    mine = []
    for threads in (1, 3):
        engine = kernels.Engine(w, b, *what, threads=threads)
        engine.train(x, y, order, rates)
        mine.append(read(engine, w, b))
    for one, several, theirs in zip(*mine, found, strict=True):
        np.testing.assert_array_equal(one, several)
        assert np.abs(one - theirs).max() <= 500 * np.finfo(dtype).eps * max(
            1, np.abs(theirs).max()
        )
    moved = [np.abs(theirs - p).max() for theirs, p in zip(found, (*w, *b), strict=False)]
    assert min(moved) > 1e-5
