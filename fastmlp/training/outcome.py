"""The outcome of a run: whether it has learnt anything, and the likely cause if not."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import numpy as np

from fastmlp.arrays import Array, SparseRows, quiet
from fastmlp.errors import TrainingWarning
from fastmlp.functions import ACTIVATIONS, OPTIMIZERS, classes_of, cost_row
from fastmlp.network.scaling import reach
from fastmlp.training.choosing import Choice
from fastmlp.training.guessing import cost_of_constant, least_cost
from fastmlp.training.history import History
from fastmlp.training.rows import number, percent
from fastmlp.training.run import Run

P = ParamSpec("P")

# A cost above this share of that of the best constant output, both counted from the least cost that
# any output has, is no better than that
NO_BETTER = 0.99
# Nor is it if the accuracy has gained less than this share of what it could gain
GAINED = 0.1
# Inputs should be of the order of 1
LARGEST, SMALLEST = 10.0, 0.05
# Of the samples, if they are of one class: the others are rare
MOST = 0.8
# A cost falls if it has lost this share of that of the first epoch, counted from the least one
FALLS = 0.001
# Parameters are far from where they began if the cost is so many times that of a constant output
EXPLODED = 10
# Units that are always 0 are looked for in this many samples
SAMPLES = 10_000


def warned(function: Callable[P, History]) -> Callable[P, History]:
    """Return the function, which then warns of what the history that it returns says."""

    @wraps(function)
    def called(*arguments: P.args, **named: P.kwargs) -> History:
        history = function(*arguments, **named)
        for text in history.warnings:
            warnings.warn(text, TrainingWarning, stacklevel=3)
        return history

    return called


@quiet
def judge(run: Run, choice: Choice) -> tuple[str, ...]:
    """Return a text if the run, which has ended, is no better than a constant output; else none.

    The text has the likely cause, and the argument that helps.
    """
    if not len(run.history):
        return ()
    failure = _failure(run)
    if not failure:
        return ()
    causes = _of_data(run)
    if not causes:
        causes = [*_dead_layers(run), *_rare_classes(run), _of_rate(run, choice)]
    return (" ".join([f"The network has not learnt: {failure}.", *causes]),)


def _failure(run: Run) -> str:
    """Return what shows that the network is no better than a constant output, or ""."""
    history, y, weight, smoothing = run.history, run.y, run.sample_weight, run.smoothing
    last, name = (history.restored_epoch or len(history)) - 1, "training"
    cost: float | None = history.train_cost[last]
    accuracy = history.train_accuracy[last]
    held = run.validation if run.is_judged and history.validation_cost[-1] is not None else None
    if held is not None and _vary(held[1], run.held_weight):
        y, weight, name, smoothing = held[1], run.held_weight, "validation", 0.0
        cost, accuracy = history.validation_cost[last], history.validation_accuracy[last]
        if weight is not None:  # a constant answer may be right for most samples, not by weight
            cost, accuracy = run.evaluate(held, weight)
    if accuracy is not None:
        classes = y if y.ndim == 1 else classes_of(y)
        counts = np.bincount(classes, weight)
        share = float(counts.max() / counts.sum())
        if accuracy > share + GAINED * (1 - share):
            return ""
        if accuracy <= share:
            always = f"of always answering the commonest class, {_name(run, int(counts.argmax()))}"
            return (
                f"its {name} accuracy, {percent(accuracy)}, is not above {percent(share)}, {always}"
            )
    guessing = cost_of_constant(run.network, y, weight, smoothing)
    if cost is None or not np.isfinite(guessing):
        return ""
    least = least_cost(run.network, y, weight)
    if cost - least < NO_BETTER * (guessing - least):
        return ""
    of = "of the best constant output"
    return f"its {name} cost, {number(cost)}, is not below {number(guessing)}, {of}"


def _vary(y: Array, weight: Array | None) -> bool:
    """Return whether answers differ: if not, a constant output is perfect, and shows nothing."""
    seen = y if weight is None else y[weight > 0]
    return bool((seen != seen[0]).any())


def _of_data(run: Run) -> list[str]:
    """Return the causes that lie in the training data."""
    images, y = run.images, run.y
    causes = []
    if not _vary(y, None):
        # targets may be scaled, so their user knows other numbers
        what = f"labels are {_name(run, y[0])}" if y.ndim == 1 else "targets are equal"
        causes.append(f"All {what}, so there is nothing to learn.")
    is_of_errors = cost_row(run.network.cost).f is not None
    if run.history.task == "regression" and is_of_errors and (most := np.abs(y).max()) > LARGEST:
        how = "(y - mean) / deviation" if _may_be_negative(run) else f"y / {most:.4g}"
        causes.append(f"The targets reach {most:,.4g}: scale them, as {how}.")
    if images.are_same() if isinstance(images, SparseRows) else (images == images[0]).all():
        causes.append("All samples are the same.")
    largest = reach(images) * run.network.scale_of(images)
    scaling = run.network.scaling
    remedy = 'train a new network with scaling="standardize".'
    if scaling is not None and scaling.kind not in ("none", "unchanged"):
        remedy = "they are scaled, but a few are far from all others: limit or remove those."
    if largest > LARGEST:
        causes.append(f"The images reach {largest:,.4g}: {remedy}")
    elif 0 < largest < SMALLEST:
        once = "Scale pixels once: those of uint8 are divided by 255 anyway."
        causes.append(f"The images reach only {largest:.2g}: {remedy} {once}")
    return causes


def _may_be_negative(run: Run) -> bool:
    """Return whether outputs may be below 0, so that targets can be scaled around it."""
    below = np.array([[-1.0]])
    ACTIVATIONS[run.network.output].f(below, below)
    return bool(below[0, 0] < 0)


def _name(run: Run, code: int) -> str:
    """Return the name of a class, or its number if it has none."""
    names = run.network.class_names
    return str(code) if names is None else names[code]


def _dead_layers(run: Run) -> list[str]:
    """Return a text for the first hidden layer whose units are 0 for all samples, or none."""
    network, images = run.network, run.images[:SAMPLES]
    weights, biases = network.weights, network.biases
    for layer, name in enumerate(network.hidden, start=1):
        a = np.empty((len(images), network.sizes[layer]), network.dtype)
        parts = weights[:layer], biases[:layer], network.activations[:layer]
        run.backend.Predictor(*parts, network.scale_of(images))(images, "outputs", a)
        if not a.any():
            units = f"All {a.shape[1]} units of hidden layer {layer} ({name}) are 0"
            return [f"{units} for all samples: build a new network, as these cannot recover."]
    return []


def _rare_classes(run: Run) -> list[str]:
    """Return a remedy if most samples are of one class and have no weights, or none."""
    if run.history.task != "classification" or run.sample_weight is not None:
        return []
    counts = np.bincount(run.y if run.y.ndim == 1 else classes_of(run.y))
    remedy = 'For the rare classes, class_weight="balanced" may help.'
    return [remedy] if counts.max() > MOST * counts.sum() else []


def _of_rate(run: Run, choice: Choice) -> str:
    """Return which way the learning rate is likely wrong."""
    history, costs = run.history, run.history.train_cost
    rate, usual = choice.learning_rate, OPTIMIZERS[choice.optimizer].learning_rate
    fall = abs(costs[0] - least_cost(run.network, run.y, run.sample_weight))
    falls = costs[0] - costs[-1] > FALLS * fall
    guessing = cost_of_constant(run.network, run.y, run.sample_weight, run.smoothing)
    is_short = len(history) == 1 and not costs[0] > EXPLODED * guessing > 0
    if usual / 10 <= rate <= usual and (falls or is_short):
        why = "The cost still falls" if falls else "This was one epoch"
        return f"{why}: train for more epochs."
    wrong = "too low" if rate < usual / 10 else "too high"
    return f"learning_rate={rate:g} may be {wrong}: find_learning_rate searches for a better one."
