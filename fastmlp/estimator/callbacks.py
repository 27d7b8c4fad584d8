"""The callbacks of a fit: called as those of `fastmlp.train`, with its records."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter
from typing import Any

from fastmlp.estimator.solver import Solver
from fastmlp.functions import metrics_of, task_of
from fastmlp.training.history import Done, History
from fastmlp.training.progress import (
    FUNCTION,
    Progress,
    as_callbacks,
    call_hooks,
    hooked,
    is_callback,
)

NAN = float("nan")


def are_callbacks(value: Any) -> bool:
    """Return whether a value is None, a callback or several, which can be called repeatedly."""
    if isinstance(value, Iterator):
        return False
    return all(map(is_callback, as_callbacks(value)))


class Calls:
    """Calls the callbacks of an estimator, which is being fitted.

    steps, samples : of an epoch. Without callbacks, all methods do nothing
    """

    def __init__(self, mlp: Any, steps: int, samples: int, partial: bool) -> None:
        self.callbacks = [] if partial else as_callbacks(mlp.callbacks)
        self.mlp, self.steps, self.samples = mlp, steps, samples
        if self.callbacks:
            task = task_of(mlp._activations[-1], mlp._cost, mlp.n_outputs_)
            self.history = History(backend="compiled", threads=mlp._team(), task=task)

    def begin(self) -> bool:
        """Call what begins the run; return whether a callback ends it."""
        return self._call("on_train_begin")

    def begin_epoch(self) -> bool:
        """Call what begins an epoch; return whether a callback ends the run."""
        self.began = perf_counter()
        return self._call("on_epoch_begin", ahead=1)

    def end_epoch(self, loss: float, score: float | None, rate: float, solver: Solver) -> bool:
        """Record an epoch, and call what ends it; return whether a callback ends the run.

        score : of held-out samples; rate : the learning rate of the last step; solver : took it
        """
        if not self.callbacks:
            return False
        main, took = metrics_of(self.history.task)[0].name, max(perf_counter() - self.began, 1e-9)
        accuracy = solver.right / solver.total if main == "accuracy" else None
        done = Done(loss, accuracy, rate)
        self.history.record(solver.engine, [done], took, self.samples, **{main: score})
        return self._call("on_epoch_end", FUNCTION, means=(loss, accuracy), step=self.steps)

    def end(self, stopped: str) -> None:
        """Call what ends the run; `stopped` is why it ended, unless a callback did."""
        if self.callbacks:
            self.history.stopped = self.history.stopped or stopped
            self._call("on_train_end", step=self.steps)

    def _call(
        self,
        *hooks: str,
        means: tuple[float, float | None] | None = None,
        step: int = 0,
        ahead: int = 0,
    ) -> bool:
        """Call these hooks.

        means : the loss and the accuracy of an epoch; ahead : how many have begun but not ended
        """
        if not hooked(self.callbacks, *hooks):
            return False
        history, done = self.history, len(self.history)
        speed = history.samples_per_second[-1] if done else 0.0
        ended, unknown = means is not None, NAN if history.task == "classification" else None
        means = means or (NAN, unknown)
        progress = Progress(
            *(done + ahead, self.mlp.max_iter, step, self.steps, *means, speed, ended, history)
        )
        asked = call_hooks(self.callbacks, hooks, progress)
        history.stopped = history.stopped or asked
        return bool(asked)
