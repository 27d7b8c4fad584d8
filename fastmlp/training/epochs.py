"""The epochs of a run, and what happens between them."""

from __future__ import annotations

import numpy as np

from fastmlp.arrays import Array
from fastmlp.system.interrupts import hold_interrupts
from fastmlp.training import resuming
from fastmlp.training.adaptive import Halving, Plateau
from fastmlp.training.checkpoint import Checkpoints
from fastmlp.training.halving import train_halving_epoch
from fastmlp.training.joining import epochs_ahead, may_join, train_joined
from fastmlp.training.progress import FUNCTION
from fastmlp.training.run import Run
from fastmlp.training.schedules import Rates, Schedule
from fastmlp.training.watcher import Watcher


def train_epochs(
    run: Run,
    plan: Schedule,
    generator: np.random.Generator,
    watcher: Watcher,
    saved: Checkpoints | None,
    rates: Rates,
) -> None:
    """Train the epochs that are not in the history yet, until something ends the run."""
    history = run.history

    def save(ends: bool = False) -> None:
        if saved is not None:
            state = resuming.take_state(run, len(history), plan, generator, watcher)
            saved.add(state, last=ends or len(history) == run.epochs)

    def call(hook: str, epoch: int) -> bool:
        """Call a hook between two epochs; return whether the run ends."""
        stop = run.call(hook, epoch=epoch)
        if run.rewritten:
            run.parameters.keep()
        history.stopped = history.stopped or run.asked
        return stop

    if call("on_train_begin", len(history) - 1):
        return
    if not len(history):
        save()  # written if the run ends in its first epoch
    joins, orders = may_join(run, plan, watcher, saved), list[Array]()
    while (epoch := len(history)) < run.epochs:
        if joins and (count := epochs_ahead(run)) > 1:
            orders = [generator.permutation(len(run.images)) for _ in range(count)]
            if train_joined(run, orders, rates):
                orders = []
                continue
            joins = False  # one by one, to keep the last good one
        run.seconds, run.samples = 0.0, 0
        if history.stopped or call("on_epoch_begin", epoch):
            return
        order = orders.pop(0) if orders else generator.permutation(len(run.images))
        if isinstance(plan, Halving):
            done = train_halving_epoch(run, plan, rates, epoch, order)
        else:
            done = run.train_epoch(epoch, order, rates(epoch))
        if done is None or not done.whole:
            break
        judged = run.validate(epoch, done.rate)
        with hold_interrupts():  # an epoch is recorded completely or not at all
            run.record(done, judged=judged)
            run.parameters.keep()
            if isinstance(plan, Plateau):
                plan.watch(history)
            ends = watcher.ends(epoch)
            save(ends)
        hooks = ("on_epoch_end", FUNCTION)
        try:
            stop = run.call(*hooks, epoch=epoch, step=run.steps, result=done, ended=True)
        finally:  # a later callback may have failed
            if run.rewritten:
                with hold_interrupts():
                    run.parameters.keep()
                    save(ends)
        if stop:
            break
    else:
        history.stopped = history.stopped or f"all {run.epochs} epochs done"
    history.stopped = history.stopped or run.asked
