"""Training by the schedule "halving": epochs that do not lower the cost are undone.

The cost is that after the epoch, on the validation data or, without it, on the training data.

- The first epoch is a search. It begins again and again from the same parameters, each time with
  half the factor, until that no longer lowers its cost (`Search`); the best of these epochs counts.
- After that, an epoch that does not bring the cost below the lowest so far, or diverges, is undone:
  parameters and velocities are what they were before it, and the factor is halved.
"""

from __future__ import annotations

import numpy as np

from fastmlp.arrays import Array
from fastmlp.errors import DivergedError
from fastmlp.training.guessing import cost_of_guessing
from fastmlp.training.parameters import State
from fastmlp.training.run import Done, Run
from fastmlp.training.schedules import Halving, step_rates
from fastmlp.training.search import Search


def halved_epoch(
    run: Run, plan: Halving, learning_rate: float, epoch: int, order: Array
) -> Done | None:
    """Train an epoch, counted from 0, and keep or undo it; `order` is that of its samples.

    Returns None where no factor lowers the cost in the first epoch: the history then says so in
    `stopped`, and the network is as it was. Raises DivergedError where all factors diverge.
    """
    if plan.lowest == np.inf:
        return _first_epoch(run, plan, learning_rate, epoch, order)
    before, rate = run.parameters.state(), learning_rate * plan.factor
    try:
        done, cost = _attempt(run, plan, learning_rate, epoch, order)
    except DivergedError:
        if run.in_callback:
            raise
        _undo(run, plan, before)  # what is recorded is the network that comes back
        result = run.evaluated((run.images, run.y))
        return Done(result.cost, result.accuracy, rate)
    if not done.whole:
        return done
    if cost < plan.lowest:
        plan.lowest = cost
    else:
        _undo(run, plan, before)
    return done


def _first_epoch(
    run: Run, plan: Halving, learning_rate: float, epoch: int, order: Array
) -> Done | None:
    judged = run.validation or (run.images, run.y)
    before = run.evaluated(judged).cost
    search, start = Search(before, cost_of_guessing(run.network, judged[1])), run.parameters.state()
    best = None
    while True:
        error = None
        try:
            done, cost = _attempt(run, plan, learning_rate, epoch, order)
        except DivergedError as why:
            if run.in_callback:
                raise
            error, cost = why, np.inf
        else:
            if not done.whole:
                return done
            if cost < search.lowest:
                best = done, plan.factor, run.parameters.state()
        if not search.goes_on(cost):
            break
        _undo(run, plan, start)
    if best is None or not search.found:
        run.parameters.go_back(start)
        if error is not None:
            raise error
        rates = f"{learning_rate:g} down to {learning_rate * plan.factor:.3g}"
        run.history.stopped = f"no learning rate from {rates} lowers the cost of {before:.4g}"
        return None
    done, plan.factor, state = best
    plan.lowest = search.lowest
    run.parameters.go_back(state)
    return done


def _attempt(
    run: Run, plan: Halving, learning_rate: float, epoch: int, order: Array
) -> tuple[Done, float]:
    """Train an epoch; return what its steps came to, and the cost after it."""
    done = run.epoch(epoch, order, step_rates(plan, learning_rate, epoch, run.epochs, run.steps))
    if not done.whole:
        return done, np.inf
    judged = run.judged(epoch, done.rate)
    if judged is None:
        judged = run.evaluated((run.images, run.y))
    return done, judged.cost


def _undo(run: Run, plan: Halving, before: State) -> None:
    run.parameters.go_back(before)
    plan.factor /= 2
