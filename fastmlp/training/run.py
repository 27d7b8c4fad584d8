"""One call of `train` from the inside: data, engine and history, an epoch at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from fastmlp.backends import backend_named
from fastmlp.datasets.dataset import Split
from fastmlp.errors import DivergedError
from fastmlp.functions import Array
from fastmlp.inputs import as_answers, as_images
from fastmlp.interrupts import interrupts_held
from fastmlp.network import Evaluation, Network
from fastmlp.training.history import History

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


Callback = Callable[[Progress], object]


class Run:
    """The data, the engine and the history of one call of `train`."""

    def __init__(
        self, network: Network, split: Data, validation: Data | None, backend: str
    ) -> None:
        self.network, self.backend = network, backend_named(backend)
        self.images, self.y = checked_data(network, split, "split")
        self.validation = None
        if validation is not None:
            self.validation = checked_data(network, validation, "validation")
        self.history = History(backend=backend)

    def start(
        self,
        batch_size: int,
        momentum: float,
        nesterov: bool,
        weight_decay: float,
        threads: int | None,
    ) -> None:
        """Make the kernels and the engine ready."""
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
        self,
        epoch: int,
        epochs: int,
        order: Array,
        rates: Array,
        callbacks: Sequence[Callback],
        finish: Callable[[int], None],
    ) -> bool:
        """Train for one epoch; return whether a callback asked to end the run.

        finish : called when the epoch is in the history, before the callbacks hear of its end. No
        interrupt comes between the two: an epoch is either whole, or as if it had never been.
        """
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
            wanted = int(self.chunk * min(4.0, CHUNK_SECONDS / max(took, 1e-6)))
            self.chunk = min(max(1, wanted), len(rates))
            seen = min(done * self.batch_size, len(order))
            cost, accuracy = float(costs[:done].sum()) / seen, correct / seen
            ended = done == len(rates)
            if ended:
                self.keep(epoch, rates[-1])
                judged = self.judged()
                with interrupts_held():
                    self.record(cost, accuracy, judged, float(rates[-1]), seconds)
                    finish(epoch)
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
        with interrupts_held():
            for target, parameter in zip(own, (*weights, *biases), strict=True):
                np.copyto(target, parameter)

    def judged(self) -> Evaluation | None:
        """Evaluate the network on the validation data, where there is any."""
        if self.validation is None:
            return None
        return self.network.evaluate(*self.validation, self.history.backend)

    def record(
        self,
        cost: float,
        accuracy: float,
        judged: Evaluation | None,
        rate: float,
        seconds: float,
    ) -> None:
        """Add an epoch's entry to the history."""
        history = self.history
        history.inputs = self.engine.inputs
        history.train_cost.append(cost)
        history.train_accuracy.append(accuracy)
        history.learning_rate.append(rate)
        history.epoch_seconds.append(seconds)
        history.samples_per_second.append(len(self.images) / seconds)
        history.validation_cost.append(None if judged is None else judged.cost)
        history.validation_accuracy.append(None if judged is None else judged.accuracy)


def checked_data(network: Network, data: Data, argument: str) -> tuple[Array, Array]:
    """Return images and answers in the form that engines take; ArgumentError names `argument`."""
    images, labels = (data.images, data.labels) if isinstance(data, Split) else data
    rows = as_images(images, network.sizes[0], network.dtype, f"{argument} images")
    return rows, as_answers(
        labels, len(rows), network.sizes[-1], network.dtype, network.cost, f"{argument} labels"
    )


def _diverged(epoch: int, rate: float) -> DivergedError:
    return DivergedError(
        f"training diverged in epoch {epoch + 1}: the cost or a parameter became NaN or infinite "
        f"at learning rate {rate:g}. Try half of it (find_learning_rate searches for one). "
        "The network holds its last good parameters."
    )
