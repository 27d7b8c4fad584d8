"""Minibatch stochastic gradient descent: the epoch loop around a backend's engine."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from os import PathLike
from pathlib import Path

import numpy as np

from fastmlp.arrays import check_at_least
from fastmlp.errors import refuse
from fastmlp.functions.optimizers import OPTIMIZERS, Setting, optimizer_for
from fastmlp.network import Network
from fastmlp.system.interrupts import interrupts_held
from fastmlp.training import resuming
from fastmlp.training.checkpoint import Checkpoints
from fastmlp.training.ending import ending
from fastmlp.training.halving import halved_epoch
from fastmlp.training.history import History
from fastmlp.training.run import Callback, Data, Run
from fastmlp.training.schedules import Halving, Schedule, schedule_named, step_rates
from fastmlp.training.watcher import EarlyStopping, Watcher

# What a run may change when it goes on: none of it changes its bits
NOT_SETTINGS = ("threads", "callbacks", "checkpoint", "every", "resume")


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
    schedule : a name, or a callable from progress (0 to 1) to a factor of learning_rate; each step
        has that of its middle
    early_stopping : EarlyStopping(...), or just its patience; needs validation data
    target_accuracy : stop once validation (without it, training) accuracy reaches this, 0 to 1
    seed : of the order of the samples; the same seed gives the same run, to the bit
    callbacks : each is called with a Progress; one that returns True ends the run, and None or
        False goes on. What it writes to network.weights and biases, or puts in their places,
        counts from the next step on; the velocities of momentum stay as they are
    checkpoint : a folder, where the whole state of the run is saved after `every` epochs; the
        schedule must then be a name or a function of progress alone
    resume : go on with the newest checkpoint that is whole, or begin where there is none. The run
        ends with the same bits as one that was never stopped; data and settings must be the same

    Labels and targets are copied at the start: what is written to them later has no effect.

    Whatever ends the run, `history.stopped` says it, and early stopping that restores brings back
    the best parameters. Otherwise the network has those of the last step, and after DivergedError
    those of the last epoch that ended well. After Ctrl-C and an exception in a callback, that is
    done before the exception goes on; a Progress holds the history.

    Raises ArgumentError for bad input, CheckpointError when a checkpoint cannot be written or
    all of them are damaged, and DivergedError when the cost, the validation cost or a parameter
    becomes NaN or infinite.
    """
    early_stopping = _checked_stopping(early_stopping, validation)
    settings = {
        name: value
        for name, value in locals().items()
        if name not in ("network", "split", "validation", *NOT_SETTINGS)
    }
    run = Run(network, split, validation, backend)
    _check_settings(epochs, batch_size, learning_rate, momentum, nesterov, weight_decay)
    # NumPy's small integers would overflow, and its half precision would round
    epochs, batch_size, learning_rate = int(epochs), int(batch_size), float(learning_rate)
    check_at_least("every", every, 1)
    if target_accuracy is not None:
        check_at_least("target_accuracy", target_accuracy, 0, float)
    if threads is not None:
        check_at_least("threads", threads, 1)
    plan, generator = schedule_named(schedule), np.random.default_rng(seed)
    state, saved = None, None
    if checkpoint is not None:
        steps = epochs * -(-len(run.images) // batch_size)
        identity = resuming.identity(run, settings, steps)
        saved = Checkpoints(Path(checkpoint), identity, every)
        state = saved.begin(resume)
    elif resume:
        raise refuse("resume", "needs a folder of checkpoints", "None", "Pass checkpoint=.")
    if state is not None:
        resuming.put_parameters(state, run)
    optimizer, own = optimizer_for(momentum, nesterov, weight_decay)
    run.start(epochs, batch_size, optimizer.name, own, threads, callbacks)
    watcher = Watcher(run, early_stopping, target_accuracy)
    if state is not None:
        resuming.put_rest(state, run, plan, generator, watcher)
        run.history.resumed_epoch = state.epochs
    with ending(run, watcher, saved):
        _epochs(run, plan, generator, watcher, saved, learning_rate)
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

    def save(epoch: int, ends: bool) -> None:
        if saved is not None:
            state = resuming.taken(run, epoch + 1, plan, generator, watcher)
            saved.note(state, last=ends or epoch + 1 == run.epochs)

    for epoch in range(len(history), run.epochs):
        if history.stopped:
            return
        order = generator.permutation(len(run.images))
        run.seconds, run.samples = 0.0, 0
        if isinstance(plan, Halving):
            done = halved_epoch(run, plan, learning_rate, epoch, order)
            if done is None:
                return
        else:
            rates = step_rates(plan, learning_rate, epoch, run.epochs, run.steps)
            done = run.epoch(epoch, order, rates)
        stop = not done.whole
        if done.whole:
            judged = run.judged(epoch, done.rate)
            with interrupts_held():  # an epoch is either whole, or as if it had never been
                run.record(done, judged)
                ends = watcher.ends(epoch)
                save(epoch, ends)
            stop = run.tell(epoch, run.steps, done, ended=True)
            if run.rewritten:
                with interrupts_held():
                    run.parameters.keep()
                    save(epoch, ends)
        if stop:
            history.stopped = history.stopped or "a callback asked for it"
            return
    history.stopped = history.stopped or f"all {run.epochs} epochs done"


def _checked_stopping(
    early_stopping: EarlyStopping | int | None, validation: Data | None
) -> EarlyStopping | None:
    asked: object = early_stopping
    if not isinstance(asked, (EarlyStopping, int, np.integer, type(None))):
        rule, got = "must be EarlyStopping or its patience", repr(asked)
        raise refuse("early_stopping", rule, got, "Pass early_stopping=3.")
    if early_stopping is None:
        return None
    if not isinstance(early_stopping, EarlyStopping):
        early_stopping = EarlyStopping(early_stopping)
    if validation is None:
        raise refuse(
            "early_stopping", "needs validation data", "validation=None", "Pass validation=."
        )
    return early_stopping


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
    bounds = OPTIMIZERS["momentum"].settings
    for name, value, bound in (
        ("learning_rate", learning_rate, Setting(0.0)),
        ("momentum", momentum, bounds["momentum"]),
        ("weight_decay", weight_decay, bounds["weight_decay"]),
    ):
        check_at_least(name, value, bound.least, float)
        if not isfinite(value):
            raise refuse(name, "must be finite", value, "Pass an ordinary number.")
        if value >= bound.below:
            remedy = f"Pass {bound.default}, for example."
            raise refuse(name, f"must be below {bound.below:g}", value, remedy)
    if nesterov and momentum == 0:
        raise refuse("nesterov", "needs a momentum", "momentum=0", "Pass momentum=0.9.")
