"""Minibatch stochastic gradient descent: the epoch loop around a backend's engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from fastmlp.backends import backend_named
from fastmlp.datasets.dataset import Split
from fastmlp.errors import DivergedError, refuse
from fastmlp.functions import Array
from fastmlp.inputs import as_answers, as_images, check_at_least
from fastmlp.network import Network
from fastmlp.training.history import History
from fastmlp.training.schedules import Halving, Schedule, schedule_named, step_rates

# An engine is asked for so much at a time that Ctrl-C and callbacks answer in time
CHUNK_SECONDS = 0.1

Data = Split | tuple[Any, Any]


@dataclass(frozen=True)
class Progress:
    """Where a run is: given to the callbacks several times a second, and after each epoch.

    epoch counts from 1, step within the epoch. cost and accuracy are means over the epoch so
    far. `epoch_ended` is set once per epoch, when `history` has its new entry.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    cost: float
    accuracy: float
    samples_per_second: float
    epoch_ended: bool
    history: History


@dataclass(frozen=True)
class EarlyStopping:
    """Stop when the validation cost has not fallen for `patience` epochs.

    With restore_best, the parameters of the epoch with the lowest validation cost come back.
    """

    patience: int = 3
    restore_best: bool = True

    def __post_init__(self) -> None:
        check_at_least("patience", self.patience, 1)


Callback = Callable[[Progress], object]


def train(
    network: Network,
    split: Data,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
    schedule: str | Schedule = "constant",
    validation: Data | None = None,
    early_stopping: EarlyStopping | int | None = None,
    target_accuracy: float | None = None,
    seed: int | np.random.Generator = 0,
    threads: int | None = None,
    backend: str = "compiled",
    callbacks: Sequence[Callback] = (),
) -> History:
    """Train a network in place by minibatch SGD, and return the history.

    split : a Split, or (images `(N, I)`, labels `(N,)` or targets `(N, O)`)
    batch_size : 1 is pure stochastic gradient descent, N full batch; a short last batch counts
    schedule : a name, or a callable from progress (0 to 1) to a factor of learning_rate
    early_stopping : EarlyStopping(...), or just its patience; needs validation data
    target_accuracy : stop once validation (without it, training) accuracy reaches this, 0 to 1
    seed : of the order of the samples; the same seed gives the same run, to the bit
    callbacks : called with a Progress; one that returns True ends the run

    Raises ArgumentError for bad input, and DivergedError when the cost or a parameter becomes
    NaN or infinite; the network then holds the parameters of the last good epoch.
    """
    run = _Run(network, split, validation, backend)
    run.check_settings(epochs, batch_size, learning_rate, momentum, nesterov, weight_decay)
    if isinstance(early_stopping, int):
        early_stopping = EarlyStopping(early_stopping)
    if early_stopping and validation is None:
        raise refuse(
            "early_stopping", "needs validation data", "validation=None", "Pass validation=."
        )
    if threads is not None:
        check_at_least("threads", threads, 1)
    plan, generator = schedule_named(schedule), np.random.default_rng(seed)
    run.start(batch_size, momentum, nesterov, weight_decay, threads)
    history, steps = run.history, -(-len(run.images) // batch_size)
    watcher = _Watcher(run, early_stopping, target_accuracy)
    for epoch in range(epochs):
        rates = step_rates(plan, learning_rate, epoch, epochs, steps)
        order = generator.permutation(len(run.images))
        if run.epoch(epoch, epochs, order, rates, callbacks):
            history.stopped = "a callback asked for it"
            break
        if isinstance(plan, Halving):
            plan.watch(history.validation_cost[-1] or history.train_cost[-1])
        if watcher.ends(epoch):
            break
    else:
        history.stopped = f"all {epochs} epochs done"
    watcher.restore()
    return history


class _Run:
    """The data, the engine and the history of one call of `train`."""

    def __init__(
        self, network: Network, split: Data, validation: Data | None, backend: str
    ) -> None:
        self.network, self.backend = network, backend_named(backend)
        self.images, self.y = _checked_data(network, split, "split")
        self.validation = None
        if validation is not None:
            self.validation = _checked_data(network, validation, "validation")
        self.history = History(backend=backend)

    def check_settings(
        self,
        epochs: int,
        batch_size: int,
        learning_rate: float,
        momentum: float,
        nesterov: bool,
        weight_decay: float,
    ) -> None:
        check_at_least("epochs", epochs, 0)
        check_at_least("batch_size", batch_size, 1)
        for name, value in (
            ("learning_rate", learning_rate),
            ("momentum", momentum),
            ("weight_decay", weight_decay),
        ):
            check_at_least(name, value, 0, float)
            if not np.isfinite(value):
                raise refuse(name, "must be finite", value, "Pass an ordinary number.")
        if momentum >= 1:
            raise refuse("momentum", "must be below 1", momentum, "Pass 0.9, for example.")
        if nesterov and momentum == 0:
            raise refuse("nesterov", "needs a momentum", "momentum=0", "Pass momentum=0.9.")

    def start(
        self,
        batch_size: int,
        momentum: float,
        nesterov: bool,
        weight_decay: float,
        threads: int | None,
    ) -> None:
        network = self.network
        weights, biases = network.checked_parameters()
        self.history.compile_seconds = self.backend.prepare(network.dtype)
        self.batch_size = min(batch_size, len(self.images))
        self.engine = self.backend.Engine(
            weights,
            biases,
            network.activations,
            network.cost,
            self.batch_size,
            momentum,
            nesterov,
            weight_decay,
            threads,
        )
        self.history.threads = self.engine.threads
        self.chunk = 1

    def epoch(
        self, epoch: int, epochs: int, order: Array, rates: Array, callbacks: Sequence[Callback]
    ) -> bool:
        """Train for one epoch; return whether a callback asked to end the run."""
        costs, correct, seconds, done, stop = np.empty(len(rates)), 0, 0.0, 0, False
        while done < len(rates) and not stop:
            part = slice(done, done + self.chunk)
            samples = order[done * self.batch_size : (done + self.chunk) * self.batch_size]
            began = perf_counter()
            try:
                costs[part], right = self.engine.train(
                    self.images, self.y, samples, rates[part], self.network.scale_of(self.images)
                )
            except KeyboardInterrupt:
                self.keep(epoch, rates[done])
                raise
            took = perf_counter() - began
            if not np.isfinite(costs[part]).all():
                raise _diverged(epoch, rates[done])
            done, correct, seconds = (
                min(done + self.chunk, len(rates)),
                correct + right,
                seconds + took,
            )
            self.chunk = max(1, int(self.chunk * min(4.0, CHUNK_SECONDS / max(took, 1e-6))))
            seen = min(done * self.batch_size, len(order))
            cost, accuracy = float(costs[:done].sum()) / seen, correct / seen
            ended = done == len(rates)
            if ended:
                self.keep(epoch, rates[-1])
                self.record(cost, accuracy, float(rates[-1]), seconds)
            progress = Progress(
                epoch + 1,
                epochs,
                done,
                len(rates),
                cost,
                accuracy,
                seen / seconds,
                ended,
                self.history,
            )
            try:
                answers = [callback(progress) for callback in callbacks]
                stop = any(answer is True for answer in answers)
            except KeyboardInterrupt:
                self.keep(epoch, rates[done - 1])
                raise
        if stop and done < len(rates):
            self.keep(epoch, rates[done - 1])
        return stop

    def keep(self, epoch: int, rate: float) -> None:
        """Bring the engine's parameters into the network, if they are finite."""
        weights = [np.empty_like(w) for w in self.network.weights]
        biases = [np.empty_like(b) for b in self.network.biases]
        self.engine.read(weights, biases)
        if not all(np.isfinite(parameter).all() for parameter in (*weights, *biases)):
            raise _diverged(epoch, rate)
        own = (*self.network.weights, *self.network.biases)
        for target, parameter in zip(own, (*weights, *biases), strict=True):
            np.copyto(target, parameter)

    def record(self, cost: float, accuracy: float, rate: float, seconds: float) -> None:
        """Add an epoch's entry to the history."""
        history, judged = self.history, None
        history.train_cost.append(cost)
        history.train_accuracy.append(accuracy)
        history.learning_rate.append(rate)
        history.epoch_seconds.append(seconds)
        history.samples_per_second.append(len(self.images) / seconds)
        if self.validation is not None:
            judged = self.network.evaluate(*self.validation, history.backend)
        history.validation_cost.append(None if judged is None else judged.cost)
        history.validation_accuracy.append(None if judged is None else judged.accuracy)


class _Watcher:
    """Decides after each epoch whether to go on, and remembers the best parameters."""

    def __init__(
        self, run: _Run, early_stopping: EarlyStopping | None, target_accuracy: float | None
    ) -> None:
        self.run, self.early_stopping, self.target = run, early_stopping, target_accuracy
        self.best: list[Array] = []
        self.best_epoch, self.lowest = 0, np.inf

    def ends(self, epoch: int) -> bool:
        history = self.run.history
        accuracy = history.validation_accuracy[-1]
        reached = history.train_accuracy[-1] if accuracy is None else accuracy
        if self.target is not None and reached >= self.target:
            history.stopped = f"target accuracy {self.target:g} reached"
            return True
        if self.early_stopping is None:
            return False
        cost = history.validation_cost[-1]
        if cost is not None and cost < self.lowest:
            network = self.run.network
            self.lowest, self.best_epoch = cost, epoch
            self.best = [array.copy() for array in (*network.weights, *network.biases)]
        if epoch - self.best_epoch >= self.early_stopping.patience:
            history.stopped = f"validation cost has not fallen since epoch {self.best_epoch + 1}"
            return True
        return False

    def restore(self) -> None:
        """Bring back the best parameters, where early stopping asks for that."""
        if self.early_stopping and self.early_stopping.restore_best and self.best:
            network = self.run.network
            own = (*network.weights, *network.biases)
            for target, parameter in zip(own, self.best, strict=True):
                np.copyto(target, parameter)
            self.run.history.restored_epoch = self.best_epoch + 1


def _checked_data(network: Network, data: Data, argument: str) -> tuple[Array, Array]:
    images, labels = (data.images, data.labels) if isinstance(data, Split) else data
    rows = as_images(images, network.sizes[0], f"{argument} images")
    return rows, as_answers(
        labels, len(rows), network.sizes[-1], network.dtype, f"{argument} labels"
    )


def _diverged(epoch: int, rate: float) -> DivergedError:
    return DivergedError(
        f"training diverged in epoch {epoch + 1}: the cost or a parameter became NaN or infinite "
        f"at learning rate {rate:g}. Try half of it (find_learning_rate searches for one). "
        "The network holds its last good parameters."
    )
