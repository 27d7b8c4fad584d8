"""The data, the engine and the history of one call of `train`, and its epochs."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastmlp.arrays import Array, Rows, as_sample_weight
from fastmlp.backends import backend_named
from fastmlp.errors import ArgumentError, DivergedError, refuse
from fastmlp.functions.dropout import Dropout
from fastmlp.network import Evaluation, Network
from fastmlp.network.classes import by_code
from fastmlp.network.known import know, known_of
from fastmlp.training.augmenting import Augmenter
from fastmlp.training.averaging import Average
from fastmlp.training.choosing import Choice
from fastmlp.training.data import Data, check_data, first_data
from fastmlp.training.divergence import divergence_error, find_large_data
from fastmlp.training.history import NOTHING, Done, History
from fastmlp.training.parameters import Parameters, check_arrays
from fastmlp.training.progress import FUNCTION, Callback, Progress, call_hooks, hooked
from fastmlp.training.validation import is_share
from fastmlp.training.weighting import ClassWeight, weights_for

# The engine trains for about this long at a time, so that Ctrl-C and callbacks act soon
CHUNK_SECONDS = 0.1
# Seconds assumed for a step, and for each multiplication of it, until they are measured
SLOW_STEP, SLOW_PRODUCT = 5e-5, 2e-9


class Run:
    """The data, the engine and the history of one call of `train`.

    sample_weight : of the training data, float64 `(N,)`, with the weights of classes; None for 1
    twin : a copy of the network that knows how the data are scaled and encoded. The network itself
        knows it from `start` on, and forgets it if the run ends with no new parameters, unless it
        was to have 0 epochs
    """

    def __init__(
        self,
        network: Network,
        split: Data,
        validation: Data | float | None,
        backend: str,
        sample_weight: ArrayLike | None = None,
        class_weight: ClassWeight | None = None,
        labels: ArrayLike | None = None,
        seed: Any = 0,
        scaling: str | None = None,
        impute: str | None = None,
    ) -> None:
        self.network, self.backend = network, backend_named(backend)
        share = validation if is_share(validation) else None
        what = network, split, scaling, impute, labels, share, seed
        self.twin, self.images, self.y, parts = first_data(*what)
        self.validation: tuple[Rows, Array] | None = None
        held_weight = None
        if parts is not None:
            sample_weight = as_sample_weight(sample_weight, len(self.y))
            rows, held = parts
            held_weight = None if sample_weight is None else sample_weight[held]
            self.validation = self.images[held], self.y[held]
            self.images, self.y = self.images[rows], self.y[rows]
            if sample_weight is not None and not (sample_weight := sample_weight[rows]).any():
                rule = "must not be 0 for all samples but those that are held out for validation"
                remedy = "Pass another seed, or validation data."
                raise refuse("sample_weight", rule, f"{len(rows)} weights of 0", remedy)
        elif validation is not None:
            self.validation = check_data(self.twin, validation, "validation", part="")
        of_class = by_code(self.twin, class_weight, "class_weight")
        outputs, task = network.sizes[-1], network.task_for(self.y)
        self.sample_weight = weights_for(self.y, outputs, sample_weight, of_class, task)
        # whether validation data can be judged by weights as those that train, and by which
        self.is_judged, self.held_weight = held_weight is not None or sample_weight is None, None
        if self.validation is not None and self.is_judged:
            try:
                own = self.validation[1], outputs, held_weight, of_class, task
                self.held_weight = weights_for(*own)
            except ArgumentError:  # all of them weigh nothing
                self.is_judged = False
        _, y = self.validation or (self.images, self.y)
        self.history = History(backend=backend, task=network.task_for(y))
        self.history.scaling = str(self.twin.scaling)
        self.augmenter: Augmenter | None = None

    def start(
        self,
        epochs: int,
        batch_size: int,
        choice: Choice,
        threads: int | None,
        callbacks: Sequence[Callback],
        dropout: Dropout | None = None,
        smoothing: float = 0.0,
        average: Average | None = None,
    ) -> None:
        """Prepare the kernels, and create the engine."""
        network, self.epochs, self.callbacks = self.network, epochs, callbacks
        self.smoothing = smoothing
        own, layers = check_arrays(network), len(network.weights)
        self.history.compile_seconds = self.backend.prepare(network.dtype)
        self.batch_size = min(batch_size, len(self.images))
        self.steps = -(-len(self.images) // self.batch_size)
        what = own[:layers], own[layers:], network.activations, network.cost, self.batch_size
        by = choice.optimizer, choice.optimizer_settings, threads, choice.rate_factors
        self.engine = self.backend.Engine(*what, *by, dropout, smoothing)
        self.history.threads = self.engine.threads
        self.parameters = Parameters(network, own, self.engine, average)
        self._before = known_of(network)
        know(network, known_of(self.twin))
        products = 3 * network.parameter_count * self.batch_size
        first = int(CHUNK_SECONDS / (SLOW_STEP + products * SLOW_PRODUCT))
        self.chunk = 1 if hooked(callbacks, FUNCTION) else max(1, first)
        # is_changed: whether a callback has changed parameters
        self.in_callback = self.is_changed = False
        # of the epoch so far, including steps that were undone
        self.seconds, self.samples = 0.0, 0

    def train_epoch(self, epoch: int, order: Array, rates: Array) -> Done:
        """Take the steps of an epoch, counted from 0, and publish the parameters.

        Raises DivergedError if a cost or a parameter becomes NaN or infinite.
        """
        costs, correct, done, total = np.empty(len(rates)), 0.0, 0, 0.0
        most = self.augmenter.most_steps if self.augmenter else len(rates)
        average, averaged = self.parameters.average, 0
        while True:
            due = average.next_update(done) if average else np.inf
            last = int(min(done + min(self.chunk, most), len(rates), due))
            part = slice(done, last)
            samples = order[done * self.batch_size : last * self.batch_size]
            began = perf_counter()
            augmented = self.augmenter(self.images, samples, epoch) if self.augmenter else None
            what = self.images, self.y, samples, rates[part], self.network.scale_of(self.images)
            how = epoch * self.steps + done, self.sample_weight, augmented
            costs[part], right = self.engine.train(*what, *how)
            took = max(perf_counter() - began, 1e-9)
            self.seconds, self.samples = self.seconds + took, self.samples + len(samples)
            correct += right
            done = last
            if average and done in (due, len(rates)):
                self.parameters.add_to_average(done - averaged)
                averaged = done
            weight = self.sample_weight
            total += len(samples) if weight is None else float(weight[samples].sum())
            seen = total or 1.0  # weights can all be 0 until now
            cost = float((costs[:done] / seen).sum())
            if not np.isfinite(cost):
                bad = int(np.argmin(np.isfinite(costs[:done])))
                raise self._divergence_error(
                    epoch, rates[max(bad - 1, 0)], "the cost", first=bad == 0
                )
            wanted = int(self.chunk * min(4.0, CHUNK_SECONDS / took))
            self.chunk = min(max(1, wanted), most, len(rates))
            accuracy = correct / seen if self.history.task == "classification" else None
            result = Done(cost, accuracy, float(rates[done - 1]))
            if done == len(rates):
                self.publish(epoch, result.rate)
                return result
            if hooked(self.callbacks, FUNCTION):
                self.publish(epoch, result.rate)
                if self.call(FUNCTION, epoch=epoch, step=done, result=result):
                    return result._replace(whole=False)

    def publish(self, epoch: int, rate: float) -> None:
        """Write the engine's parameters into the network. Raises DivergedError if not finite."""
        if not self.parameters.publish():
            raise self._divergence_error(epoch, rate, "a parameter")

    def call(
        self, *hooks: str, epoch: int, step: int = 0, result: Done = NOTHING, ended: bool = False
    ) -> bool:
        """Call hooks of the callbacks, and copy their changes of parameters into the engine.

        Returns whether a callback ends the run: `asked` says why. `rewritten` is then whether
        parameters changed; after an exception, whether those before the one that failed did it.
        """
        self.asked, self.rewritten = "", False
        if not hooked(self.callbacks, *hooks):
            return False
        progress = Progress(
            epoch + 1,
            self.epochs,
            step,
            self.steps,
            result.cost,
            result.accuracy if self.history.task == "classification" else None,
            self.samples / self.seconds if self.seconds else 0.0,
            ended,
            self.history,
        )
        self.in_callback = True
        self.asked = call_hooks(self.callbacks, hooks, progress, self._take)
        self.in_callback = False
        return bool(self.asked)

    def _take(self) -> None:
        if self.parameters.take():
            self.rewritten = self.is_changed = True

    def validate(self, epoch: int, rate: float) -> Evaluation | None:
        """Evaluate the network on the validation data; None without validation data.

        Raises DivergedError if the cost is NaN or infinite.
        """
        if self.validation is None:
            return None
        result = self.evaluate(self.validation)
        if not np.isfinite(result.cost):
            what = "the validation cost"
            raise self._divergence_error(epoch, rate, what, "validation", self.validation)
        return result

    def evaluate(
        self, data: tuple[Rows, Array] | None = None, weight: Array | None = None
    ) -> Evaluation:
        """Evaluate the network, on the training data with their weights if `data` is None.

        Without NumPy's warnings: the cost shows a divergence.
        """
        weight = self.sample_weight if data is None else weight
        images, y = data or (self.images, self.y)
        with np.errstate(over="ignore", invalid="ignore"):
            return self.network.evaluate_rows(images, y, self.history.backend, weight)

    @property
    def is_new(self) -> bool:
        """Whether no epoch is done, and the network has the parameters of the start."""
        return not (len(self.history) or self.is_changed) and self.parameters.are_good()

    def forget(self) -> None:
        """Let the network know of its data only what it knew before the run."""
        know(self.network, self._before)

    def record(self, *epochs: Done, judged: Evaluation | None = None) -> None:
        """Add epochs, of which each took `seconds`, to the history.

        judged : the evaluation after the only one. `parameters.keep` has to follow
        """
        found = {} if judged is None else {"cost": judged.cost, **judged.metrics}
        self.history.record(self.engine, epochs, self.seconds, self.samples, **found)

    def _divergence_error(
        self,
        epoch: int,
        rate: float,
        what: str,
        name: str = "split",
        data: tuple[Rows, Array] | None = None,
        first: bool = False,
    ) -> DivergedError:
        """Return the error for an epoch; large numbers in `data`, called `name`, are the cause."""
        images, y = data or (self.images, self.y)
        large = find_large_data(name, images, self.network.scale_of(images), y)
        return divergence_error(epoch, rate, what, large, first)
