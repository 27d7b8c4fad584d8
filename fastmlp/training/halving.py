"""Training with the schedule "halving": epochs that do not lower the cost are undone.

The cost is computed after the epoch, on the validation data or, without it, on the training data.

- The first epoch is a search. It is repeated from the same parameters, each time with half the
  factor, until that no longer lowers the cost (`Search`); the best of these epochs is kept.
- Each later epoch that diverges, or does not lower the lowest cost so far, is undone: parameters
  and the optimiser's state are reset to those before it, and the factor is halved.
"""

from __future__ import annotations

import numpy as np

from fastmlp.arrays import Array
from fastmlp.errors import DivergedError
from fastmlp.training.adaptive import Halving
from fastmlp.training.guessing import cost_of_guessing
from fastmlp.training.history import Done
from fastmlp.training.parameters import State
from fastmlp.training.run import Run
from fastmlp.training.schedules import Rates
from fastmlp.training.search import Search


def train_halving_epoch(
    run: Run, plan: Halving, rates: Rates, epoch: int, order: Array
) -> Done | None:
    """Train an epoch, counted from 0, with its samples in that order, and keep or undo it.

    rates : gives the rates of an epoch's steps, with the factor that `plan` has then
    Returns None if no factor lowers the cost in the first epoch: the history then says so, and the
    network is unchanged. Raises DivergedError if training diverges with all factors.
    """
    if plan.lowest == np.inf:
        return _first_epoch(run, plan, rates, epoch, order)
    before, rate = run.parameters.state(), float(rates(epoch)[-1])
    try:
        done, cost = _attempt(run, rates, epoch, order)
    except DivergedError:
        if run.in_callback:
            raise
        _undo(run, plan, before)  # the history gets the cost of the network after this
        result = run.evaluate()
        return Done(result.cost, result.accuracy, rate)
    if not done.whole:
        return done
    if cost < plan.lowest:
        plan.lowest = cost
    else:
        _undo(run, plan, before)
    return done


def _first_epoch(run: Run, plan: Halving, rates: Rates, epoch: int, order: Array) -> Done | None:
    judged, before = run.validation, run.evaluate(run.validation).cost
    answers = (run.y, run.sample_weight) if judged is None else (judged[1], None)
    search, start = Search(before, cost_of_guessing(run.network, *answers)), run.parameters.state()
    best, highest = None, rates(epoch).max()
    while True:
        error = None
        try:
            done, cost = _attempt(run, rates, epoch, order)
        except DivergedError as why:
            if run.in_callback:
                raise
            error, cost = why, np.inf
        else:
            if not done.whole:
                return done
            if cost < search.lowest:
                best = done, plan.factor, run.parameters.state()
        if not search.continues(cost):
            break
        _undo(run, plan, start)
    if best is None or not search.found:
        run.parameters.go_back(start)
        if error is not None:
            raise error
        tried = f"{highest:g} down to {rates(epoch).max():.3g}"
        stopped = f"no learning rate from {tried} lowers the cost of {before:.4g}"
        remedy = "Check the data, or use another seed or a higher learning_rate."
        run.history.stopped = stopped
        run.history.warnings = (f"The network has not learnt: {stopped}. {remedy}",)
        return None
    done, plan.factor, state = best
    plan.lowest = search.lowest
    run.parameters.go_back(state)
    return done


def _attempt(run: Run, rates: Rates, epoch: int, order: Array) -> tuple[Done, float]:
    """Train an epoch; return its result and the cost after it."""
    done = run.train_epoch(epoch, order, rates(epoch))
    if not done.whole:
        return done, np.inf
    judged = run.validate(epoch, done.rate) or run.evaluate()
    return done, judged.cost


def _undo(run: Run, plan: Halving, before: State) -> None:
    run.parameters.go_back(before)
    plan.factor /= 2
