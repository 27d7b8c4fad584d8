"""Fail when fastmlp is not faster than NumPy: both sides in one run, in turn.

python benchmarks/gate.py [--epoch-floor 2.2] [--kernels-floor 1.1] [--dataset mnist]

Two ratios are compared with their floors: the median ratio of an epoch of 784-128-10 with batch 64,
and the geometric mean of the kernels' ratios over a small grid. On a quiet machine, noise does not
reach the floors, but kernels without vector instructions fall below them. On a busy one, which is
named, any ratio may. The exit status is 1 if a ratio is below its floor, or could not be measured.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import click

from fastmlp.bench.epochs import measure_epochs
from fastmlp.bench.kernel_grid import geometric_mean, measure_kernels
from fastmlp.bench.summary import SIDES, doubts, failures, summarise

WORKLOAD, BATCHES, WIDTHS = "784-128-10/64", (8, 64, 256), (16, 128, 512)
PRODUCTS = ("forward", "delta", "update")


@dataclass(frozen=True)
class Judged:
    """A ratio of NumPy's time to fastmlp's, and its lowest allowed value."""

    name: str
    ratio: float
    floor: float

    @property
    def passes(self) -> bool:
        """Whether the ratio is at least its floor; NaN is not."""
        return self.ratio >= self.floor

    def __str__(self) -> str:
        verdict = "ok" if self.passes else "BELOW THE FLOOR"
        return f"{self.name}: {self.ratio:.2f} x NumPy, floor {self.floor:g}: {verdict}"


def judged(
    epochs: dict[str, Any],
    kernels: Sequence[dict[str, Any]],
    epoch_floor: float,
    kernels_floor: float,
) -> list[Judged]:
    """Return the ratios and their floors, from a run of epochs and some runs of the kernels' grid.

    The ratio of an epoch is the median over pairs. That of the kernels is the geometric mean over
    the grid, and then the median over the runs. Raises ClickException if a measurement failed.
    """
    for document in (epochs, *kernels):
        for failure in failures(document):
            raise click.ClickException(failure)
    rows = {row.name: row for row in summarise(epochs["workloads"][0], 1.0)}
    ratio = median(geometric_mean(document["rows"]) for document in kernels)
    return [
        Judged(f"epoch of {WORKLOAD}", rows["numpy"].ratio, epoch_floor),
        Judged("kernels, geometric mean", ratio, kernels_floor),
    ]


@click.command(help=__doc__)
@click.option("--epoch-floor", default=2.2, show_default=True)
@click.option("--kernels-floor", default=1.1, show_default=True)
@click.option("--dataset", default="mnist", show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
def main(epoch_floor: float, kernels_floor: float, dataset: str, rounds: int) -> None:
    """Measure, print the doubts and the ratios, and exit."""
    epochs = measure_epochs([WORKLOAD], SIDES, rounds=rounds, epochs=2, dataset=dataset)
    kernels = [measure_kernels(PRODUCTS, BATCHES, WIDTHS, rounds=1) for _ in range(rounds)]
    results = judged(epochs, kernels, epoch_floor, kernels_floor)
    for line in (*doubts(epochs), *results):
        click.echo(line)
    sys.exit(not all(result.passes for result in results))


if __name__ == "__main__":
    main()
