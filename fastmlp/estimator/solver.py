"""The steps of scikit-learn's solvers "sgd" and "adam", taken by an engine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np

from fastmlp.arrays import Array, Rows, sum_of_squares
from fastmlp.backends import Engine, backend_named
from fastmlp.functions.dropout import Dropout
from fastmlp.system.interrupts import hold_interrupts
from fastmlp.training.run import CHUNK_SECONDS, SLOW_PRODUCT, SLOW_STEP

# How many times as large the gradients of a network's cost are as those of scikit-learn's loss
GRADIENT = {"cross_entropy": 1.0, "poisson": 1.0, "squared_error": 2.0}
# Limits of the tol that decides how often |w|^2 is read
LEAST_TOL, MOST_TOL = 1e-6, 1e-4


@dataclass
class State:
    """What a solver keeps between two calls of `partial_fit`.

    rate : the learning rate of the next step, as scikit-learn's solver has it
    steps : how many steps were taken; slots : the optimiser's state, by slot: weights, biases
    engine : that of the last call, with that state, as a new one costs more than a small epoch;
        made : what it was made from. Pickles and copies are without it
    """

    optimizer: str
    rate: float
    steps: int = 0
    slots: dict[str, tuple[list[Array], list[Array]]] = field(default_factory=dict)
    engine: Engine | None = None
    made: tuple[Any, ...] = ()

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "engine": None, "made": ()}


class Solver:
    """Trains weights and biases of an estimator, which `epochs` and `interrupt` update in place.

    mlp : the estimator; state : of an earlier solver, or None
    samples : how many there are; batch_size : of all steps but the last of an epoch
    weight : of each sample, float64 `(N,)`; None for 1; seed : of dropout
    right : how many classes were right in the last `epochs`, before each step, or their weights
    """

    def __init__(
        self,
        mlp: Any,
        samples: int,
        weight: Array | None,
        batch_size: int,
        seed: int,
        state: State | None,
    ) -> None:
        parameters, activations, cost = (mlp.coefs_, mlp.intercepts_), mlp._activations, mlp._cost
        self.mlp, self.parameters, self.cost, self.factor = mlp, parameters, cost, GRADIENT[cost]
        self.samples, self.weight, self.batch_size = samples, weight, batch_size
        self.total, self.right = float(samples if weight is None else weight.sum()), 0.0
        self.sizes = _step_sizes(samples, batch_size)
        optimizer, settings = self._choose()
        if state is None or state.optimizer != optimizer:
            state = State(optimizer, float(mlp.learning_rate_init))
        self.state = state
        rates = (float(mlp.dropout),) * (len(activations) - 1)
        dropout = Dropout(rates, seed) if mlp.dropout else None
        how: Any = (activations, cost, batch_size, optimizer, settings, mlp._team(), None, dropout)
        made = [(w.shape, w.dtype) for w in parameters[0]], *how
        if state.engine is not None and state.made == made:
            self.engine = state.engine
            self.engine.write(*parameters)
        else:
            self.engine = backend_named("compiled").Engine(*parameters, *how)
            for slot, values in state.slots.items():
                self.engine.write_state(slot, *values)
        state.made = made
        products = 3 * sum(w.size for w in parameters[0]) * batch_size
        self.chunk = max(1, int(CHUNK_SECONDS / (SLOW_STEP + products * SLOW_PRODUCT)))
        # |w|^2 of the last reading, and the largest of all, as a decay can be followed by a rise
        self._squares = self._largest = self._sum_squares()

    def _choose(self) -> tuple[str, dict[str, Any]]:
        """Return the optimiser's name and its settings.

        The L2 term is a decay that depends on the samples of a step. The gradients are c times as
        large as scikit-learn's: with c alpha / samples as the decay, c epsilon and, for sgd, the
        rate / c, the steps are the same.
        """
        mlp, decay = self.mlp, {"weight_decay": self.factor * self.mlp.alpha}
        if mlp.solver == "adam":
            return "adam", {"beta_1": mlp.beta_1, "beta_2": mlp.beta_2, **decay}
        if not mlp.momentum:
            return "sgd", decay
        name = "nesterov" if mlp.nesterovs_momentum else "momentum"
        return name, {"momentum": mlp.momentum, **decay}

    def epochs(self, x: Rows, y: Array, orders: list[Array], rates: list[float]) -> Array:
        """Take the steps of some epochs; return the mean loss of each, with its L2 term.

        x : `(N, I)`; y : labels `(N,)` or targets `(N, O)`
        orders : of the rows, int64 `(N,)` for each epoch
        rates : the learning rate of each epoch, and of the next one; the first is the present one
        """
        count, epochs, order = len(self.sizes), len(orders), np.concatenate(orders)
        costs, squares = np.empty(count * epochs), np.empty(count * epochs)
        sizes = np.tile(self.sizes, epochs)
        sums = sizes if self.weight is None else _step_sums(self.weight[order], sizes)
        sums = np.where(sums == 0, np.inf, sums)  # as w / sum is 0
        each, carried = np.repeat(rates[:-1], count), np.ones(len(costs))
        carried[count::count] = np.divide(rates[:-2], rates[1:-1])
        # loss = (sum of w c + alpha / 2 |w|^2) / sum of w, times the samples of the step
        shares = sizes / sums
        factors = 0.5 * self.mlp.alpha * shares
        self.right, start = 0.0, 0
        for some in self._parts(orders, self._stride(factors, epochs)):
            steps = self._steps_of(some)
            part = slice(start, start + steps)
            of_steps = sums[part], each[part], carried[part]
            costs[part] = self._take_steps(x, y, some, *of_steps)
            before, self._squares = self._squares, self._sum_squares()
            self._largest = max(self._largest, self._squares)
            squares[part] = before + (self._squares - before) / steps * np.arange(steps)
            start += steps
        self.set_rate(rates[-1])
        if self.cost == "poisson":  # a - y log a, without the terms y log y - y of a deviance
            rest = (y * np.log(np.where(y > 0, y, 1)) - y).sum(axis=1, dtype=np.float64)
            rest = rest if self.weight is None else rest * self.weight
            costs += _step_sums(rest[order], sizes)
        # scikit-learn's squared error is half of the mean over outputs
        costs *= shares
        costs /= self.factor * y.shape[1] if self.factor != 1 else 1
        return (costs + factors * squares).reshape(epochs, -1).sum(axis=1) / self.samples

    def _stride(self, factors: Array, epochs: int) -> int:
        """Return after how many steps to read |w|^2, which is interpolated between.

        Each reading ends a call of the engine. With k readings in an epoch, the loss is wrong by a
        small share of its L2 term / k^2. k is the smaller of m and sqrt(m), where m is how many
        times as large as tol that term is: the error is then about a hundredth of tol, and a tenth
        in the first epochs.

        factors : of |w|^2 in the L2 term of each step
        """
        mlp = self.mlp
        is_compared = not mlp.early_stopping and mlp.n_iter_no_change < mlp.max_iter
        tol = np.clip(mlp.tol, LEAST_TOL, MOST_TOL) if is_compared else MOST_TOL
        times = factors.sum() * self._largest / (self.samples * epochs * tol)
        readings = max(1.0, epochs * min(times, np.sqrt(times)))
        return max(1, int(len(factors) / readings))

    def _parts(self, orders: list[Array], most: int) -> Iterator[list[Array]]:
        """Yield the orders of some whole epochs, or of a piece of one: of at most `most` steps."""
        if joined := most // self._steps_of(orders[:1]):
            for first in range(0, len(orders), joined):
                yield orders[first : first + joined]
            return
        rows = most * self.batch_size
        for order in orders:
            for start in range(0, len(order), rows):
                yield [order[start : start + rows]]

    def _steps_of(self, orders: list[Array]) -> int:
        return sum(-(-len(order) // self.batch_size) for order in orders)

    def _take_steps(
        self, x: Rows, y: Array, orders: list[Array], sums: Array, rates: Array, carried: Array
    ) -> Array:
        """Take steps in parts of about CHUNK_SECONDS, between which Ctrl-C acts.

        Returns their costs, sums over samples.
        sums : of the weights of each step's samples; rates : as scikit-learn's; carried : by what
        the velocity is multiplied before each step
        """
        costs, start = np.empty(len(sums)), 0
        for some in self._parts(orders, self.chunk):
            steps, began = self._steps_of(some), perf_counter()
            part = slice(start, start + steps)
            with hold_interrupts():
                costs[part] = self._take_part(x, y, some, sums[part], rates[part], carried[part])
            took = max(perf_counter() - began, 1e-9)
            self.chunk = max(1, int(min(4 * self.chunk, steps * CHUNK_SECONDS / took)))
            start += steps
        self.engine.read(*self.parameters)
        return costs

    def _take_part(
        self, x: Rows, y: Array, orders: list[Array], sums: Array, rates: Array, carried: Array
    ) -> Array:
        state, mlp, c = self.state, self.mlp, self.factor
        state.rate = float(rates[-1])
        settings = {**self.engine.settings, "weight_decay": c * mlp.alpha / sums}
        if state.optimizer == "adam":
            # fastmlp adds epsilon to sqrt(v / (1 - beta_2^t)), and scikit-learn adds it to sqrt v
            root = np.sqrt(1 - mlp.beta_2 ** (state.steps + 1.0 + np.arange(len(sums))))
            settings["epsilon"] = c * mlp.epsilon / root
        else:
            rates, settings["carried"] = rates / c, carried
        self.engine.settings = settings
        what = x, y, np.concatenate(orders), rates, 1.0, state.steps, self.weight
        costs, right = self.engine.train(*what, epochs=len(orders))
        self.right += float(np.sum(right))
        state.steps += len(sums)
        return costs

    def _sum_squares(self) -> float:
        return sum(map(sum_of_squares, self.parameters[0]))

    def set_rate(self, rate: float) -> None:
        """Change the learning rate of sgd.

        scikit-learn's velocity contains the rates of the past: u = momentum u - rate g. Here it is
        v = momentum v + g, so u = -rate v stays the same only if v is scaled.
        """
        if rate != self.state.rate:
            for slot in self.engine.slots:
                self.engine.scale_state(slot, self.state.rate / rate)
        self.state.rate = rate

    def interrupt(self) -> None:
        """Let weights and biases be those of the last step, which no epoch has ended yet."""
        self.engine.read(*self.parameters)

    def finish(self, keep_engine: bool) -> State:
        """Return the state, complete."""
        self.state.engine = self.engine if keep_engine else None
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


def _step_sums(values: Array, sizes: Array) -> Array:
    """Return the sums of the values of each step's samples."""
    return np.add.reduceat(values, (np.cumsum(sizes) - sizes).astype(np.int64))
