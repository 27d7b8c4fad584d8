"""Cases of whole networks: gradients, training and inference by both backends.

The data have no ties: for no sample does the sign of a weighted sum, or the largest output, depend
on rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from fastmlp import kernels, reference
from fastmlp.functions import Array, count_correct
from fastmlp.functions.optimizers import coefficients_for, form_for
from fastmlp.network import Network
from fastmlp.training.gradient import gradients as gradients_of
from fastmlp.verify.checks import ALLOWED, Case, Check, carried
from fastmlp.verify.drawn import Drawn, drawn_network, is_clear
from fastmlp.verify.tables import Draw

NETWORK = ("output", "hidden", "layers", "width", "inputs", "images")
TRAINED = (*NETWORK, "batch", "answers", "step", "rate factors", "threads")
# The error of steps in float64 may be EXACT times the largest parameter. The learning rate is so
# low that a relative change CHANGE of the parameters does not grow beyond LASTING
EXACT, CHANGE, LASTING, LARGEST_SOUND = 1e-9, 1e-13, 1e-10, 1e6
EPS = float(np.finfo(np.float32).eps)


def gradients(draw: Draw) -> Case:
    """Draw a case of the mean cost and its gradients, as `fastmlp.gradients` returns them."""
    dtype = draw.row("precision")
    drawn = drawn_network(draw, dtype, draw.row("batch"))
    y = drawn.answers(draw)
    # images in the precision of the network, which the reference in float64 reads too
    images = drawn.images
    narrow = images if images.dtype == np.uint8 else images.astype(dtype)
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
        cost, dw, db = gradients_of(network, x, y, backend)
        results.append([*dw, *db, np.array([cost], kind)])
    terms = drawn.terms(drawn.inputs(), y)
    checks = [
        carried(f"gradient {number}", *four)
        for number, four in enumerate(zip(*results, terms, strict=True))
    ]
    return Case(f"{drawn} answers of shape {y.shape}", tuple(checks))


class Inexact(reference.Engine):
    """The reference with errors of gradients, towards 0: `off` times the largest of an array.

    A step by g / sqrt(g^2), or by the sign of g, makes much of them where g is near 0, and always
    has another sign there.
    """

    off = 0.0

    def _gradients(self, *arguments: Any) -> tuple[float, int]:
        found = super()._gradients(*arguments)
        for g in (*self._dw, *self._db):
            g -= np.sign(g) * (self.off * np.abs(g).max())
        return found


@dataclass(frozen=True)
class Steps:
    """How to train a network: settings of an engine, and the samples of one or more calls."""

    step: tuple[str, dict[str, Any]]
    batch: int
    order: Array
    rates: Array
    calls: tuple[slice, ...]
    threads: int
    factors: Array | None

    def of(self, module: ModuleType, drawn: Drawn, y: Array, dtype: Any, off: float = 0.0) -> Any:
        """Train with a backend; return the parameters, state and costs, and how many are right.

        off : the size of changes of the initial parameters, and of errors of the gradients
        """
        parameters = drawn.parameters(dtype, off)
        # the reference leaves its threads to NumPy
        threads = self.threads if module is kernels else None
        engine = (Inexact if off else module.Engine)(
            *parameters,
            drawn.activations,
            drawn.cost,
            self.batch,
            *self.step,
            threads,
            self.factors,
        )
        if off:
            engine.off = off
        costs, correct = [], 0
        for part in self.calls:
            order = self.order[part.start * self.batch : part.stop * self.batch]
            some, right = engine.train(drawn.images, y, order, self.rates[part], drawn.scale)
            costs.append(some)
            correct += right
        engine.read(*parameters)
        found = [*parameters[0], *parameters[1]]
        for slot in engine.slots:
            state = drawn.parameters(dtype)
            engine.read_state(slot, *state)
            found += [*state[0], *state[1]]
        return [*found, np.concatenate(costs).astype(dtype)], correct

    def after(self, drawn: Drawn, gradients: list[Array]) -> list[Array]:
        """Return parameters and state after a first step by these gradients, weights first."""
        (w, b), found = drawn.parameters(), []
        form, settings = form_for(*self.step, self.factors)
        rows = coefficients_for(form, settings, self.rates[:1], 0, self.factors)[0]
        rows = np.broadcast_to(rows, (len(w), *rows.shape[1:]))
        for number, (p, g) in enumerate(zip((*w, *b), gradients, strict=True)):
            kind, layer = divmod(number, len(w))
            state = [np.zeros_like(p) for _ in form.slots]
            form.step(p, g.copy(), state, rows[layer, kind])
            found.append((p, *state))
        return [array for arrays in zip(*found, strict=True) for array in arrays]

    def __str__(self) -> str:
        calls = [part.stop - part.start for part in self.calls]
        return (
            f"{len(self.order)} samples, batch={self.batch} steps={calls} rate={self.rates[0]:g} "
            f"step={self.step} factors={self.factors is not None} threads={self.threads}"
        )


def step(draw: Draw) -> Case:
    """Draw a case of one step in float32, and of the number of right classes before it."""
    batch = draw.row("batch")
    drawn = drawn_network(draw, np.float32, batch + int(draw.rng.integers(1, 20)))
    count = len(drawn.images)
    y = drawn.answers(draw)
    # the rate is so high that the change in one step is as large as the weights
    rates, order = np.full(1, draw.rng.choice([0.1, 2.0])), draw.rng.permutation(count)[:batch]
    how = draw.row("step"), batch, order, rates, (slice(0, 1),), draw.row("threads", 0.5)
    plan = Steps(*how, draw.factors(len(drawn.weights)))
    got, right = plan.of(kernels, drawn, y, np.float32)
    exact, _ = plan.of(reference, drawn, y, np.float64)
    twin, _ = plan.of(reference, drawn, y, np.float32, EPS)
    apart = _apart(plan, drawn, y)
    checks = [
        Check(f"parameter {number}", mine, theirs, np.abs(theirs).max() + room / (ALLOWED * EPS))
        for number, (mine, theirs, room) in enumerate(zip(got[:-1], exact[:-1], apart, strict=True))
    ]
    checks.append(carried("costs", got[-1], exact[-1], twin[-1]))
    checks.append(_check_right(drawn, order, y, right))
    return Case(f"{drawn} answers of shape {y.shape}; {plan}", tuple(checks))


def _apart(plan: Steps, drawn: Drawn, y: Array) -> list[Array]:
    """Return how far apart a step in float32 can be, for each element of parameters and state.

    Its gradients may have an error, so it is taken with the largest error in both directions.
    """
    traces = [
        reference.Engine(*parameters, drawn.activations, drawn.cost, plan.batch).trace(
            drawn.images, y, plan.order, drawn.scale
        )
        for parameters in (drawn.parameters(), drawn.parameters(np.float32, EPS))
    ]
    exact, twin = ([*trace.dw, *trace.db] for trace in traces)
    terms = drawn.terms(drawn.inputs()[plan.order], y[plan.order])[:-1]
    errors = [
        ALLOWED * EPS * carried("", g.astype(np.float32), g, other, most).size
        for g, other, most in zip(exact, twin, terms, strict=True)
    ]
    ends = [
        plan.after(drawn, [g + side * error for g, error in zip(exact, errors, strict=True)])
        for side in (-1, 0, 1)
    ]
    return [np.ptp(np.array(three), axis=0) for three in zip(*ends, strict=True)]


def _check_right(drawn: Drawn, order: Array, y: Array, right: int) -> Check:
    """Return the check of the number of right classes; samples near a tie may count or not."""
    a, _ = drawn.sums(drawn.inputs()[order], len(drawn.weights))
    clear = is_clear(a)
    sure, unsure = count_correct(a[clear], y[order][clear]), int((~clear).sum())
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
    settings, threads = draw.row("step"), draw.row("threads", 0.5)
    factors = draw.factors(len(drawn.weights))
    rate = float(rng.choice([0.1, 2.0]))
    while True:
        rates = rate * rng.uniform(0.5, 1, taken)
        plan = Steps(settings, batch, order, rates, calls, threads, factors)
        exact, _ = plan.of(reference, drawn, y, np.float64)
        twin, _ = plan.of(reference, drawn, y, np.float64, CHANGE)
        pairs = zip(exact, twin, strict=True)
        stays = all(np.abs(a - b).max() <= LASTING * np.abs(a).max() for a, b in pairs)
        # a run that diverges can have equal results by chance, as where an exponential saturates
        if stays and all(np.abs(a).max() < LARGEST_SOUND for a in exact):
            break
        rate /= 2
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
        module.infer(*parameters, drawn.activations, images, a, drawn.scale, own)
        results.append(a)
        if module is kernels:
            classes = np.full(count, -7)
            module.classify(*parameters, drawn.activations, images, classes, drawn.scale, own)
    exact, wanted = results[1], np.empty(count, np.int64)
    reference.classify(*drawn.parameters(), drawn.activations, images, wanted, drawn.scale)
    clear, got = is_clear(exact), results[0]
    named = Check("classes", classes[clear].astype(dtype), wanted[clear], np.ones(clear.sum()))
    return Case(f"{drawn} threads={threads}", (carried("a", got, exact, results[2]), named))
