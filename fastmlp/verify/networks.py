"""Cases of whole networks: gradients, training and inference by both backends.

The data have no ties: for no sample does the sign of a weighted sum, or the largest output, depend
on rounding.
"""

from __future__ import annotations

import numpy as np

from fastmlp import kernels, reference
from fastmlp.arrays import as_dense
from fastmlp.functions import Array, count_correct, smoothed
from fastmlp.network import Network
from fastmlp.training.gradient import gradients as gradients_of
from fastmlp.verify.checks import ALLOWED, Case, Check, carried
from fastmlp.verify.drawn import Drawn, drawn_network, is_clear
from fastmlp.verify.tables import Draw
from fastmlp.verify.trained import Steps

NETWORK = ("output", "hidden", "layers", "width", "inputs", "images", "blocks")
WEIGHTED = (*NETWORK, "batch", "answers", "sample weights")
TRAINED = (*WEIGHTED, "step", "limits", "rate factors", "smoothing", "threads")
# The error of steps in float64 may be EXACT times the largest parameter. The learning rate is so
# low that a relative change CHANGE of the parameters does not grow beyond LASTING
EXACT, CHANGE, LASTING, LARGEST_SOUND = 1e-9, 1e-13, 1e-10, 1e6
# Where lower rates do not help, the first gradients are too large: another case is drawn
LEAST_RATE = 1e-9
EPS = float(np.finfo(np.float32).eps)


def gradients(draw: Draw) -> Case:
    """Draw a case of the mean cost and its gradients, as `fastmlp.gradients` returns them."""
    dtype = draw.row("precision")
    drawn = drawn_network(draw, dtype, draw.row("batch"))
    y = drawn.answers(draw)
    weight = draw.sample_weight(len(y))
    # images in the precision of the network, which the reference in float64 reads too
    images = drawn.images
    narrow = images if images.dtype == np.uint8 else as_dense(images).astype(dtype)
    results, eps = [], float(np.finfo(dtype).eps)
    for backend, x, kind, off in (
        ("compiled", images, dtype, 0.0),
        ("numpy", narrow, np.float64, 0.0),
        ("numpy", narrow, dtype, eps),
    ):
        network = Network(
            drawn.sizes, drawn.activations[:-1], drawn.activations[-1], drawn.cost, 0, kind
        )
        network.weights, network.biases = drawn.parameters(kind, off)
        cost, dw, db = gradients_of(network, x, y, backend, weight)
        results.append([*dw, *db, np.array([cost], kind)])
    terms = drawn.terms(drawn.inputs(), y, weight)
    checks = [
        carried(f"gradient {number}", *four)
        for number, four in enumerate(zip(*results, terms, strict=True))
    ]
    what = f"{drawn} answers of shape {y.shape} weights={weight is not None}"
    return Case(what, tuple(checks))


def step(draw: Draw) -> Case:
    """Draw a case of one step in float32, and of the number of right classes before it."""
    batch = draw.row("batch")
    drawn = drawn_network(draw, np.float32, batch + int(draw.rng.integers(1, 20)))
    count = len(drawn.images)
    y = drawn.answers(draw)
    # the rate is so high that the change in one step is as large as the weights
    rates, order = np.full(1, draw.rng.choice([0.1, 2.0])), draw.rng.permutation(count)[:batch]
    how = draw.step(), batch, order, rates, (slice(0, 1),), draw.row("threads", 0.5)
    weighted = draw.sample_weight(count), draw.row("smoothing", 0.5)
    plan = Steps(*how, draw.factors(len(drawn.weights)), *weighted)
    got, right = plan.of(kernels, drawn, y, np.float32)
    exact, _ = plan.of(reference, drawn, y, np.float64)
    twin, _ = plan.of(reference, drawn, y, np.float32, EPS)
    sizes = _sizes(plan, drawn, y)
    checks = [
        Check(f"parameter {number}", mine, theirs, np.abs(theirs).max() + size)
        for number, (mine, theirs, size) in enumerate(zip(got[:-1], exact[:-1], sizes, strict=True))
    ]
    checks.append(carried("costs", got[-1], exact[-1], twin[-1]))
    checks.append(_check_right(plan, drawn, y, right))
    return Case(f"{drawn} answers of shape {y.shape}; {plan}", tuple(checks))


def _sizes(plan: Steps, drawn: Drawn, y: Array) -> list[Array]:
    """Return the size of the terms of a step in float32, for each element of parameters and state.

    A parameter is the difference of its old value and its change, and may be less than both.
    Its gradients may have an error, so it is taken with the largest error in both directions.
    """
    traces = [
        reference.Engine(
            *parameters, drawn.activations, drawn.cost, plan.batch, smoothing=plan.smoothing
        ).trace(drawn.images, y, plan.order, drawn.scale, plan.weight)
        for parameters in (drawn.parameters(), drawn.parameters(np.float32, EPS))
    ]
    exact, twin = ([*trace.dw, *trace.db] for trace in traces)
    weight = None if plan.weight is None else plan.weight[plan.order]
    how = plan.smoothing, drawn.activations[-1], drawn.sizes[-1]
    targets = smoothed(y[plan.order], *how, np.float64)
    terms = drawn.terms(drawn.inputs()[plan.order], targets, weight)[:-1]
    errors = [
        ALLOWED * EPS * carried("", g.astype(np.float32), g, other, most).size
        for g, other, most in zip(exact, twin, terms, strict=True)
    ]
    ends = [
        plan.after(drawn, [g + side * error for g, error in zip(exact, errors, strict=True)])
        for side in (-1, 0, 1)
    ]
    old = [*drawn.weights, *drawn.biases]
    old += [np.zeros_like(state) for state in ends[0][len(old) :]]
    return [
        np.abs(before).max() + np.ptp(np.array(three), axis=0) / (ALLOWED * EPS)
        for before, three in zip(old, zip(*ends, strict=True), strict=True)
    ]


def _check_right(plan: Steps, drawn: Drawn, y: Array, right: float) -> Check:
    """Return the check of the number of right classes; samples near a tie may count or not."""
    order = plan.order
    a, _ = drawn.sums(drawn.inputs()[order], len(drawn.weights))
    clear, weight = is_clear(a), np.ones(len(order))
    if plan.weight is not None:
        weight = plan.weight[order]
    sure, unsure = count_correct(a[clear], y[order][clear], weight[clear]), weight[~clear].sum()
    got, exact = np.array([float(right)]), np.array([float(np.clip(right, sure, sure + unsure))])
    return Check("right answers", got, exact, np.ones(1))


def steps(draw: Draw) -> Case:
    """Draw a case of three to six steps in float64, in one call or two, some with a short batch."""
    rng, batch, taken = draw.rng, draw.row("batch"), int(draw.rng.integers(3, 7))
    last = int(rng.integers(1, batch + 1)) if draw.row("last batch") else batch
    samples, count = batch * (taken - 1) + last, min(batch * taken, 200)
    drawn = drawn_network(draw, np.float64, count)
    y, order = drawn.answers(draw), rng.integers(0, count, samples)
    cut = int(rng.integers(1, taken)) if draw.row("calls") == 2 else 0
    calls = (slice(0, cut), slice(cut, taken))[0 if cut else 1 :]
    settings, threads = draw.step(), draw.row("threads", 0.5)
    factors = draw.factors(len(drawn.weights))
    weighted = draw.sample_weight(count), draw.row("smoothing", 0.5)
    how = threads, factors, *weighted, draw.dropout(len(drawn.weights) - 1)
    rate = float(rng.choice([0.1, 2.0]))
    while True:
        rates = rate * rng.uniform(0.5, 1, taken)
        plan = Steps(settings, batch, order, rates, calls, *how)
        exact, _ = plan.of(reference, drawn, y, np.float64)
        twin, _ = plan.of(reference, drawn, y, np.float64, CHANGE)
        pairs = zip(exact, twin, strict=True)
        stays = all(np.abs(a - b).max() <= LASTING * np.abs(a).max() for a, b in pairs)
        # a run that diverges can have equal results by chance, as where an exponential saturates
        if stays and all(np.abs(a).max() < LARGEST_SOUND for a in exact):
            break
        rate /= 2
        if rate < LEAST_RATE:
            draw.rows.clear()
            return steps(draw)
    got, _ = plan.of(kernels, drawn, y, np.float64)
    start = [*drawn.weights, *drawn.biases]
    start += [np.zeros_like(p) for p in exact[len(start) :]]
    largest = max(float(np.abs(p).max()) for p in exact[: 2 * len(drawn.weights)])
    checks = []
    for number, (mine, theirs, before) in enumerate(zip(got, exact, start, strict=True)):
        # the changes are compared, as most of a parameter is its initial value
        size = np.full(mine.shape, max(largest, float(np.abs(theirs).max())))
        allowed = EXACT / float(np.finfo(np.float64).eps)
        checks.append(Check(f"parameter {number}", mine - before, theirs - before, size, allowed))
    return Case(f"{drawn} answers of shape {y.shape}; {plan}", tuple(checks))


def infer(draw: Draw) -> Case:
    """Draw a case of the outputs and the classes of a network, for few images or many."""
    dtype, count, threads = draw.row("precision"), draw.row("batch"), draw.row("threads", 0.5)
    drawn = drawn_network(draw, dtype, count)
    images, count, results = drawn.images, len(drawn.images), []
    for module, kind, off in (
        (kernels, dtype, 0.0),
        (reference, np.float64, 0.0),
        (reference, dtype, float(np.finfo(dtype).eps)),
    ):
        a = np.full((count, drawn.sizes[-1]), np.nan, kind)
        parameters = drawn.parameters(kind, off)
        own = threads if module is kernels else None
        predictor = module.Predictor(*parameters, drawn.activations, drawn.scale)
        predictor(images, "outputs", a, own)
        results.append(a)
        if module is kernels:
            classes = np.full(count, -7)
            predictor(images, "classes", classes, own)
    exact, wanted = results[1], np.empty(count, np.int64)
    predictor = reference.Predictor(*drawn.parameters(), drawn.activations, drawn.scale)
    predictor(images, "classes", wanted)
    clear, got = is_clear(exact), results[0]
    named = Check("classes", classes[clear].astype(dtype), wanted[clear], np.ones(clear.sum()))
    return Case(f"{drawn} threads={threads}", (carried("a", got, exact, results[2]), named))
