"""How the engine of a case trains: its settings, and the samples and rates of its calls."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from fastmlp import kernels, reference
from fastmlp.functions import Array
from fastmlp.functions.coefficients import WEIGHTS
from fastmlp.functions.dropout import Dropout
from fastmlp.functions.limits import clip
from fastmlp.functions.optimizers import coefficients_for, form_for
from fastmlp.verify.drawn import Drawn

# Linear in pieces: where their outputs and slopes are 0, they are so in every backend
EXACT_ZEROS = {"identity", "relu", "leaky_relu", "step"}


class Inexact(reference.Engine):
    """The reference with errors of gradients, towards 0: `off` times the largest of an array.

    A step by g / sqrt(g^2), or by the sign of g, makes much of them where g is near 0, and always
    has another sign there. Gradients of 0 have one where the 0 can be an underflow. Where all of
    an array are tiny, as those of a saturated output, whose slope 1 - a^2 is the difference of
    nearly equal numbers, the error is `off` times LEAST.
    """

    LEAST, off = 1e-3, 0.0

    def _gradients(self, x: Array, *rest: Any) -> tuple[float, float]:
        found = super()._gradients(x, *rest)
        exact = set(self.activations) <= EXACT_ZEROS
        for g in (*self._dw, *self._db):
            error = self.off * max(np.abs(g).max(), self.LEAST)
            g -= np.where(g == 0, not exact, np.sign(g)) * error
        self._dw[0][(x == 0).all(axis=0)] = 0
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
    weight: Array | None
    smoothing: float
    dropout: Dropout | None = None

    def of(self, module: ModuleType, drawn: Drawn, y: Array, dtype: Any, off: float = 0.0) -> Any:
        """Train with a backend; return the parameters, state and costs, and how many are right.

        off : the size of changes of the initial parameters, and of errors of the gradients
        """
        parameters = drawn.parameters(dtype, off)
        # the reference leaves its threads to NumPy
        threads = self.threads if module is kernels else None
        how = drawn.activations, drawn.cost, self.batch, *self.step, threads, self.factors
        make: Any = Inexact if off else module.Engine
        engine = make(*parameters, *how, self.dropout, self.smoothing)
        if off:
            engine.off = off
        costs, correct = [], 0.0
        for part in self.calls:
            order = self.order[part.start * self.batch : part.stop * self.batch]
            what = drawn.images, y, order, self.rates[part], drawn.scale, 0, self.weight
            some, right = engine.train(*what)
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
        gradients = [g.copy() for g in gradients]
        clip(gradients, rows[0, WEIGHTS])
        for number, (p, g) in enumerate(zip((*w, *b), gradients, strict=True)):
            kind, layer = divmod(number, len(w))
            state = [np.zeros_like(p) for _ in form.slots]
            form.step(p, g, state, rows[layer, kind])
            found.append((p, *state))
        return [array for arrays in zip(*found, strict=True) for array in arrays]

    def __str__(self) -> str:
        calls = [part.stop - part.start for part in self.calls]
        return (
            f"{len(self.order)} samples, batch={self.batch} steps={calls} rate={self.rates[0]:g} "
            f"step={self.step} factors={self.factors is not None} dropout={self.dropout} "
            f"threads={self.threads} weights={self.weight is not None} "
            f"smoothing={self.smoothing}"
        )
