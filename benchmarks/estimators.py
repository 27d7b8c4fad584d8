"""Compare the estimators with scikit-learn's: test scores and seconds of a fit on ten data sets.

python benchmarks/estimators.py [--seeds 10] [NAMES ...]

Both sides have their defaults and the same random_state, which also draws the test part, a quarter.
Inputs and targets that are numbers are standardised. All fits are in one process, after a short one
that loads the kernels; the sides run in turn, and the other one begins with each seed. Scores are
means over the seeds, `differ` the largest difference of two scores. Seconds are medians; how many
times as long scikit-learn takes is the median over the seeds, with the lowest and the highest.
"""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any, NamedTuple

import click
import numpy as np
import sklearn.neural_network
from sklearn import datasets
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import fastmlp.estimator

# For each data set (X, y); those that are generated take a seed
LOADED: dict[str, Callable[..., Any]] = {
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
    "breast_cancer": datasets.load_breast_cancer,
    "digits": datasets.load_digits,
    "diabetes": datasets.load_diabetes,
}
GENERATED: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "moons": (datasets.make_moons, {"n_samples": 1000, "noise": 0.2}),
    "classification": (
        datasets.make_classification,
        {"n_samples": 5000, "n_features": 20, "n_informative": 8, "n_classes": 3},
    ),
    "friedman1": (datasets.make_friedman1, {"n_samples": 1000, "noise": 1.0}),
    "regression": (datasets.make_regression, {"n_samples": 1000, "n_features": 20, "noise": 10.0}),
    "multilabel": (datasets.make_multilabel_classification, {"n_samples": 1000, "n_classes": 8}),
}
NAMES = (*LOADED, *GENERATED)
REGRESSIONS = ("diabetes", "friedman1", "regression")
SIDES = (fastmlp.estimator, sklearn.neural_network)
HEAD = ("data set", "samples", "inputs", "fastmlp", "sklearn", "differ", "seconds", "times as long")


class Pair(NamedTuple):
    """The test scores and the seconds of both sides with one seed, fastmlp first."""

    scores: tuple[float, float]
    seconds: tuple[float, float]


def data(name: str, seed: int) -> tuple[Any, Any]:
    """Return (X, y)."""
    if name in LOADED:
        x, y = LOADED[name](return_X_y=True)
    else:
        make, settings = GENERATED[name]
        x, y = make(**settings, random_state=seed)
    return x, (y - y.mean()) / y.std() if name in REGRESSIONS else y


def compare(name: str, seed: int) -> Pair:
    """Fit and score both sides."""
    x, x_test, y, y_test = train_test_split(*data(name, seed), random_state=seed)
    scaler = StandardScaler().fit(x)
    x, x_test = scaler.transform(x), scaler.transform(x_test)
    kind = "MLPRegressor" if name in REGRESSIONS else "MLPClassifier"
    found = {}
    for side in (0, 1) if seed % 2 == 0 else (1, 0):
        model = getattr(SIDES[side], kind)(random_state=seed)
        began = perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(x, y)
        seconds = perf_counter() - began
        found[side] = model.score(x_test, y_test), seconds
    return Pair(*zip(found[0], found[1], strict=True))


def row(name: str, pairs: list[Pair]) -> tuple[str, ...]:
    """Return the cells of a line of the table."""
    scores, seconds = (np.array([pair[k] for pair in pairs]) for k in (0, 1))
    ratios = seconds[:, 1] / seconds[:, 0]
    samples, inputs = data(name, 0)[0].shape
    return (
        *(name, f"{samples:,}", f"{inputs}"),
        *(f"{mean:.4f}" for mean in scores.mean(axis=0)),
        f"{np.abs(scores[:, 0] - scores[:, 1]).max():.1e}",
        f"{np.median(seconds[:, 0]):.3f}",
        f"{statistics.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f})",
    )


def lines(names: tuple[str, ...], seeds: int) -> Iterator[str]:
    """Measure, and yield the lines of a Markdown table."""
    compare(NAMES[0], 0)
    for cells in (HEAD, ("---",) * len(HEAD)):
        yield f"| {' | '.join(cells)} |"
    for name in names:
        yield f"| {' | '.join(row(name, [compare(name, seed) for seed in range(seeds)]))} |"


@click.command(help=__doc__)
@click.argument("names", nargs=-1, type=click.Choice(NAMES))
@click.option("--seeds", default=10, show_default=True, type=click.IntRange(1))
def main(names: tuple[str, ...], seeds: int) -> None:
    """Print the table, line by line."""
    for line in lines(names or NAMES, seeds):
        click.echo(line)


if __name__ == "__main__":
    main()
