"""One call of `train` from the inside: data, engine and history, an epoch at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from fastmlp.arrays import Array, as_images
from fastmlp.backends import backend_named
from fastmlp.datasets.dataset import Split
from fastmlp.errors import DivergedError, refuse
from fastmlp.functions import as_answers
from fastmlp.network import Evaluation, Network
from fastmlp.training.divergence import diverged, large_data
from fastmlp.training.history import History
from fastmlp.training.parameters import Parameters

# An engine is asked for so much at a time that Ctrl-C and callbacks answer in time
CHUNK_SECONDS = 0.1

Data = Split | tuple[Any, Any]


@dataclass(frozen=True)
class Progress:
    """Where a run is: given to the callbacks several times a second, and after each epoch.

    The arrays of the network hold the parameters as they are at that step.

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


class Done(NamedTuple):
    """What an epoch's steps came to: means over its samples, and the rate of the last step.

    whole : whether all steps were taken; False where a callback ended the run
    """

    cost: float
    accuracy: float
    rate: float
    whole: bool = True


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
        epochs: int,
        batch_size: int,
        optimizer: str,
        settings: Mapping[str, Any],
        threads: int | None,
        callbacks: Sequence[Callback],
    ) -> None:
        """Make the kernels and the engine ready."""
        network, self.epochs, self.callbacks = self.network, epochs, callbacks
        weights, biases = network.checked_parameters()
        self.history.compile_seconds = self.backend.prepare(network.dtype)
        self.batch_size = min(batch_size, len(self.images))
        self.steps = -(-len(self.images) // self.batch_size)
        self.engine = self.backend.Engine(
            weights,
            biases,
            network.activations,
            network.cost,
            self.batch_size,
            optimizer,
            settings,
            threads,
        )
        self.history.threads = self.engine.threads
        self.parameters = Parameters(network, self.engine)
        self.chunk, self.in_callback = 1, False
        # spent on the epoch so far, those of its steps that were undone included
        self.seconds, self.samples = 0.0, 0

    def epoch(self, epoch: int, order: Array, rates: Array) -> Done:
        """Take the steps of an epoch, counted from 0; the network then has its parameters.

        Raises DivergedError when a cost or a parameter becomes NaN or infinite.
        """
        costs, correct, done = np.empty(len(rates)), 0, 0
        while True:
            part = slice(done, done + self.chunk)
            samples = order[done * self.batch_size : (done + self.chunk) * self.batch_size]
            began = perf_counter()
            costs[part], right = self.engine.train(
                self.images, self.y, samples, rates[part], self.network.scale_of(self.images)
            )
            took = max(perf_counter() - began, 1e-9)
            self.seconds, self.samples = self.seconds + took, self.samples + len(samples)
            correct += right
            done = min(done + self.chunk, len(rates))
            seen = min(done * self.batch_size, len(order))
            cost = float((costs[:done] / seen).sum())
            if not np.isfinite(cost):
                bad = int(np.argmin(np.isfinite(costs[:done])))
                raise self._diverged(epoch, rates[max(bad - 1, 0)], "the cost", first=bad == 0)
            wanted = int(self.chunk * min(4.0, CHUNK_SECONDS / took))
            self.chunk = min(max(1, wanted), len(rates))
            result = Done(cost, correct / seen, float(rates[done - 1]))
            if done == len(rates):
                self.publish(epoch, result.rate)
                return result
            if self.callbacks:
                self.publish(epoch, result.rate)
                if self.tell(epoch, done, result):
                    return result._replace(whole=False)

    def publish(self, epoch: int, rate: float) -> None:
        """Write the engine's parameters into the network; DivergedError if they are not finite."""
        if not self.parameters.publish():
            raise self._diverged(epoch, rate, "a parameter")

    def tell(self, epoch: int, step: int, result: Done, ended: bool = False) -> bool:
        """Call the callbacks, and take what they wrote; return whether one ends the run.

        `rewritten` says afterwards whether they changed parameters.
        """
        progress = Progress(
            epoch + 1,
            self.epochs,
            step,
            self.steps,
            result.cost,
            result.accuracy,
            self.samples / self.seconds,
            ended,
            self.history,
        )
        self.in_callback = True
        stops = [_stops(callback(progress)) for callback in self.callbacks]
        self.rewritten = bool(self.callbacks) and self.parameters.take()
        self.in_callback = False
        return any(stops)

    def judged(self, epoch: int, rate: float) -> Evaluation | None:
        """Evaluate the network on the validation data, where there is any.

        Raises DivergedError when the cost is NaN or infinite.
        """
        if self.validation is None:
            return None
        result = self.evaluated(self.validation)
        if not np.isfinite(result.cost):
            what = "the validation cost"
            raise self._diverged(epoch, rate, what, "validation", self.validation)
        return result

    def evaluated(self, data: tuple[Array, Array]) -> Evaluation:
        """Evaluate the network. The cost alone tells of a divergence, not NumPy's warnings."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self.network.evaluate(*data, self.history.backend)

    def record(self, done: Done, judged: Evaluation | None) -> None:
        """Add an epoch's entry to the history; its parameters are good ones."""
        history = self.history
        history.inputs = self.engine.inputs
        history.train_cost.append(done.cost)
        history.train_accuracy.append(done.accuracy)
        history.learning_rate.append(done.rate)
        history.epoch_seconds.append(self.seconds)
        history.samples_per_second.append(self.samples / self.seconds)
        history.validation_cost.append(None if judged is None else judged.cost)
        history.validation_accuracy.append(None if judged is None else judged.accuracy)
        self.parameters.keep()

    def _diverged(
        self,
        epoch: int,
        rate: float,
        what: str,
        name: str = "split",
        data: tuple[Array, Array] | None = None,
        first: bool = False,
    ) -> DivergedError:
        """Return the error for an epoch; `data`, called `name`, is what to look at for causes."""
        images, y = data or (self.images, self.y)
        large = large_data(name, images, self.network.scale_of(images), y)
        return diverged(epoch, rate, what, large, first)


def checked_data(network: Network, data: Data, argument: str) -> tuple[Array, Array]:
    """Return images and answers in the form that engines take; ArgumentError names `argument`.

    The answers are a copy: what is written to labels or targets later has no effect.
    """
    images, labels = (data.images, data.labels) if isinstance(data, Split) else data
    rows = as_images(images, network.sizes[0], network.dtype, f"{argument} images")
    y = as_answers(
        labels, len(rows), network.sizes[-1], network.dtype, network.cost, f"{argument} labels"
    )
    return rows, y.copy()


def _stops(answer: object) -> bool:
    """Return whether a callback's answer ends the run; ArgumentError where it says neither."""
    if isinstance(answer, (bool, np.bool_)):
        return bool(answer)
    if answer is None or (isinstance(answer, int) and answer == 0):
        return False
    raise refuse(
        "callbacks",
        "must return True to end the run, and None or False to go on",
        f"{answer!r} from one of them",
        "Return True, or nothing.",
    )
