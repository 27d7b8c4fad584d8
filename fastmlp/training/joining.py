"""Several epochs in one call of the engine, where nothing has to happen between them.

Each call costs about as much as 100 steps of a small network.
"""

from __future__ import annotations

from time import perf_counter

import numpy as np

from fastmlp.arrays import Array
from fastmlp.system.interrupts import hold_interrupts
from fastmlp.training.adaptive import Adaptive
from fastmlp.training.checkpoint import Checkpoints
from fastmlp.training.history import Done
from fastmlp.training.run import CHUNK_SECONDS, Run
from fastmlp.training.schedules import Rates, Schedule
from fastmlp.training.watcher import Watcher


def may_join(run: Run, plan: Schedule, watcher: Watcher, saved: Checkpoints | None) -> bool:
    """Return whether nothing depends on the state of the run between two epochs."""
    between = run.callbacks, run.validation, run.augmenter, run.parameters.average, saved
    ends = watcher.target is not None or isinstance(plan, Adaptive)
    return not (ends or any(each for each in between))


def epochs_ahead(run: Run) -> int:
    """Return how many of the epochs left take CHUNK_SECONDS, if they are as long as the last.

    Before the first, it is as many as the run's first chunk has.
    """
    taken = run.history.epoch_seconds
    count = int(CHUNK_SECONDS / taken[-1]) if taken else run.chunk // run.steps
    return min(run.epochs - len(taken), count)


def train_joined(run: Run, orders: list[Array], rates: Rates) -> bool:
    """Train the next epochs, with one order for each, and record them.

    Returns False if a cost or a parameter becomes NaN or infinite; nothing has changed then.
    Ctrl-C waits until all are recorded, so that history and parameters agree.
    """
    first, count = len(run.history), len(orders)
    before, learning_rates = run.parameters.slots(), rates(first, count)
    scale, weight = run.network.scale_of(run.images), run.sample_weight
    what = np.concatenate(orders), learning_rates, scale, first * run.steps, weight
    with hold_interrupts():
        began = perf_counter()
        costs, correct = run.engine.train(run.images, run.y, *what, epochs=count)
        run.seconds = max(perf_counter() - began, 1e-9) / count
        run.samples, seen = len(run.images), len(run.images) if weight is None else weight.sum()
        means = (costs.reshape(count, -1) / seen).sum(axis=1).tolist()
        if not (np.isfinite(means).all() and run.parameters.publish()):
            run.parameters.go_back((run.parameters.good, before))
            return False
        judged = run.history.task == "classification"
        accuracies = (correct / seen).tolist() if judged else [None] * count
        lasts = learning_rates[run.steps - 1 :: run.steps].tolist()
        run.record(*map(Done, means, accuracies, lasts))
        run.parameters.keep()
    return True
