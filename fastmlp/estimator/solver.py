"""The steps of scikit-learn's solvers "sgd" and "adam", taken by an engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastmlp.arrays import Array
from fastmlp.backends import backend_named

# How many times as large the gradients of a network's cost are as those of scikit-learn's loss
GRADIENT = {"cross_entropy": 1.0, "squared_error": 2.0}


@dataclass
class State:
    """What a solver keeps between two calls of `partial_fit`.

    rate : the learning rate of the next step, as scikit-learn's solver has it
    steps : how many steps were taken; slots : the optimiser's state, by slot: weights, biases
    """

    optimizer: str
    rate: float
    steps: int = 0
    slots: dict[str, tuple[list[Array], list[Array]]] = field(default_factory=dict)


class Solver:
    """Trains weights and biases, which `epoch` updates in place.

    mlp : an estimator, for its parameters; state : of an earlier solver, or None
    cost : "squared_error" or "cross_entropy"; batch_size : of all steps but the last of an epoch
    """

    def __init__(
        self,
        mlp: Any,
        parameters: tuple[list[Array], list[Array]],
        activations: tuple[str, ...],
        cost: str,
        samples: int,
        batch_size: int,
        threads: int | None,
        state: State | None,
    ) -> None:
        self.mlp, self.parameters, self.factor = mlp, parameters, GRADIENT[cost]
        self.samples, self.sizes = samples, _step_sizes(samples, batch_size)
        optimizer, settings = self._choose()
        if state is None or state.optimizer != optimizer:
            state = State(optimizer, float(mlp.learning_rate_init))
        self.state = state
        self.engine = backend_named("compiled").Engine(
            *parameters, activations, cost, batch_size, optimizer, settings, threads
        )
        for slot, values in state.slots.items():
            self.engine.write_state(slot, *values)
        self._squares = self._sum_squares()

    def _choose(self) -> tuple[str, dict[str, Any]]:
        """Return the optimiser's name and its settings; the L2 term is a decay for each step.

        The gradients here are c times as large as scikit-learn's: with c alpha / samples as the
        decay, c epsilon and, for sgd, the rate / c, the steps are the same.
        """
        mlp, decay = self.mlp, {"weight_decay": self.factor * self.mlp.alpha / self.sizes}
        if mlp.solver == "adam":
            return "adam", {"beta_1": mlp.beta_1, "beta_2": mlp.beta_2, **decay}
        if not mlp.momentum:
            return "sgd", decay
        name = "nesterov" if mlp.nesterovs_momentum else "momentum"
        return name, {"momentum": mlp.momentum, **decay}

    def epoch(self, x: Array, y: Array, order: Array) -> float:
        """Take the steps of an epoch; return the mean loss, with its L2 term.

        x : `(N, I)`; y : labels `(N,)` or targets `(N, O)`; order : of the rows, int64
        """
        state, engine, steps = self.state, self.engine, len(self.sizes)
        rate = state.rate
        if state.optimizer == "adam":
            # fastmlp adds epsilon to sqrt(v / (1 - beta_2^t)), and scikit-learn adds it to sqrt v
            root = np.sqrt(1 - self.mlp.beta_2 ** (state.steps + 1.0 + np.arange(steps)))
            engine.settings = {**engine.settings, "epsilon": self.factor * self.mlp.epsilon / root}
        else:
            rate /= self.factor
        costs, _ = engine.train(x, y, order, np.full(steps, rate), 1.0, state.steps)
        state.steps += steps
        engine.read(*self.parameters)
        loss = float(costs.sum()) / (self.samples * self.factor)
        if y.ndim == 2 and self.factor != 1:  # the squared error is a mean over outputs
            loss /= y.shape[1]
        return loss + self._penalty(steps)

    def _penalty(self, steps: int) -> float:
        """Return the mean over an epoch's steps of alpha / 2 |w|^2 / samples, times samples.

        scikit-learn takes |w|^2 before each step. Of these only the first is known, and the one
        after the last step: those between are taken from the straight line through both.
        """
        before, self._squares = self._squares, self._sum_squares()
        middle = before + (self._squares - before) * (steps - 1) / (2 * steps)
        return float(0.5 * self.mlp.alpha * middle * steps / self.samples)

    def _sum_squares(self) -> float:
        return float(sum(np.vdot(w, w) for w in self.parameters[0]))

    def set_rate(self, rate: float) -> None:
        """Change the learning rate of sgd.

        scikit-learn's velocity contains the rates of the past: u = momentum u - rate g. Here it is
        v = momentum v + g, so u = -rate v stays the same only if v is scaled.
        """
        for slot in self.engine.slots:
            values = self._slot(slot)
            for array in (*values[0], *values[1]):
                array *= self.state.rate / rate
            self.engine.write_state(slot, *values)
        self.state.rate = rate

    def finish(self) -> State:
        """Return the state, complete."""
        self.state.slots = {slot: self._slot(slot) for slot in self.engine.slots}
        return self.state

    def _slot(self, slot: str) -> tuple[list[Array], list[Array]]:
        weights, biases = ([np.empty_like(a) for a in arrays] for arrays in self.parameters)
        self.engine.read_state(slot, weights, biases)
        return weights, biases


def _step_sizes(samples: int, batch_size: int) -> Array:
    """Return how many samples each step of an epoch has, float64 `(steps,)`."""
    sizes = np.full(-(-samples // batch_size), float(batch_size))
    sizes[-1] = samples - (len(sizes) - 1) * batch_size
    return sizes
