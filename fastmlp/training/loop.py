"""Minibatch stochastic gradient descent: the epoch loop around a backend's engine."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from os import PathLike
from pathlib import Path

import numpy as np

from fastmlp.errors import refuse
from fastmlp.inputs import check_at_least
from fastmlp.interrupts import interrupts_held
from fastmlp.network import Network
from fastmlp.training import resuming
from fastmlp.training.checkpoint import Checkpoints
from fastmlp.training.halving import halved_epoch
from fastmlp.training.history import History
from fastmlp.training.run import Callback, Data, Run
from fastmlp.training.schedules import Halving, Schedule, schedule_named, step_rates
from fastmlp.training.watcher import EarlyStopping, Watcher

# What must stay the same when a run goes on: the others do not change its bits
SETTINGS = (
    *("epochs", "batch_size", "learning_rate", "momentum", "nesterov", "weight_decay"),
    *("schedule", "target_accuracy", "seed", "backend"),
)


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
    checkpoint: str | PathLike[str] | None = None,
    every: int = 1,
    resume: bool = False,
) -> History:
    """Train a network in place by minibatch SGD, and return the history.

    split : a Split, or (images `(N, I)`, labels `(N,)` or targets `(N, O)`)
    batch_size : 1 is pure stochastic gradient descent, N full batch; a short last batch counts
    schedule : a name, or a callable from progress (0 to 1) to a factor of learning_rate
    early_stopping : EarlyStopping(...), or just its patience; needs validation data
    target_accuracy : stop once validation (without it, training) accuracy reaches this, 0 to 1
    seed : of the order of the samples; the same seed gives the same run, to the bit
    callbacks : called with a Progress, while the network holds the parameters of that step; one
        that returns True ends the run, None or False goes on. What it writes to the network's
        weights and biases takes effect from the next step on; what it writes to labels or targets
        has no effect, as they were copied at the start
    checkpoint : a folder, where the whole state of the run is saved after `every` epochs
    resume : go on with the newest checkpoint that is whole, or begin where there is none. The run
        ends with the same bits as one that was never stopped; data and settings must be the same

    However the run ends, by itself, by a callback, an exception, or Ctrl-C, `history.stopped` says
    why, and with early stopping the network holds its best parameters. Without it, those after the
    last step; after divergence, those of the last good epoch.

    Raises ArgumentError for bad input, CheckpointError when a checkpoint cannot be written or all
    of them are damaged, and DivergedError when a cost or a parameter becomes NaN or infinite.
    """
    given = locals()
    settings = {name: given[name] for name in SETTINGS}
    run = Run(network, split, validation, backend)
    _check_settings(epochs, batch_size, learning_rate, momentum, nesterov, weight_decay)
    check_at_least("every", every, 1)
    if target_accuracy is not None:
        check_at_least("target_accuracy", target_accuracy, 0, float)
    asked: object = early_stopping
    if not isinstance(asked, (EarlyStopping, int, type(None))):
        rule, got = "must be EarlyStopping or its patience", repr(asked)
        raise refuse("early_stopping", rule, got, "Pass early_stopping=3.")
    if isinstance(early_stopping, int):
        early_stopping = EarlyStopping(early_stopping)
    if early_stopping and validation is None:
        raise refuse(
            "early_stopping", "needs validation data", "validation=None", "Pass validation=."
        )
    if threads is not None:
        check_at_least("threads", threads, 1)
    plan, generator = schedule_named(schedule), np.random.default_rng(seed)
    state, saved = None, None
    if checkpoint is not None:
        settings["early_stopping"] = early_stopping
        saved = Checkpoints(Path(checkpoint), resuming.identity(run, settings), every)
        state = saved.begin(resume)
    elif resume:
        raise refuse("resume", "needs a folder of checkpoints", "None", "Pass checkpoint=.")
    if state is not None:
        resuming.put_parameters(state, run)
    run.start(epochs, batch_size, momentum, nesterov, weight_decay, threads, callbacks)
    watcher = Watcher(run, early_stopping, target_accuracy)
    if state is not None:
        resuming.put_rest(state, run, plan, generator, watcher)
        run.history.resumed_epoch = state.epochs
    try:
        _epochs(run, plan, generator, watcher, saved, learning_rate)
    except BaseException as why:
        run.end(why)
        raise
    finally:
        watcher.restore()
        if saved is not None:
            saved.flush()
    return run.history


def _epochs(
    run: Run,
    plan: Schedule,
    generator: np.random.Generator,
    watcher: Watcher,
    saved: Checkpoints | None,
    learning_rate: float,
) -> None:
    """Train epoch by epoch, from the one after those in the history, until something ends it."""
    history = run.history

    def note(epoch: int) -> None:
        if saved is not None:
            state = resuming.taken(run, epoch + 1, plan, generator, watcher)
            saved.note(state, last=bool(history.stopped) or epoch + 1 == run.epochs)

    for epoch in range(len(history), run.epochs):
        if history.stopped:
            return
        run.start_clock()
        order = generator.permutation(len(run.images))
        if isinstance(plan, Halving):
            done = halved_epoch(run, plan, learning_rate, epoch, order)
        else:
            rates = step_rates(plan, learning_rate, epoch, run.epochs, run.steps)
            done = run.epoch(epoch, order, rates)
        stops = not done.whole
        if done.whole:
            judged = run.judged(epoch, done.rate)
            # no interrupt comes between: an epoch is whole, or as if it had never been
            with interrupts_held():
                run.record(done, judged)
                watcher.judge(epoch)
                note(epoch)
            stops = run.tell(epoch, run.steps, done, ended=True)
            if run.rewritten:
                run.parameters.keep()
                note(epoch)
        if stops:
            history.stopped = history.stopped or "a callback asked for it"
            return
    history.stopped = history.stopped or f"all {run.epochs} epochs done"


def _check_settings(
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
        if not isfinite(value):
            raise refuse(name, "must be finite", value, "Pass an ordinary number.")
    if momentum >= 1:
        raise refuse("momentum", "must be below 1", momentum, "Pass 0.9, for example.")
    if nesterov and momentum == 0:
        raise refuse("nesterov", "needs a momentum", "momentum=0", "Pass momentum=0.9.")
