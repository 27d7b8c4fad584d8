"""Fail when fastmlp is no longer faster than NumPy: both sides in one run, in turn.

python benchmarks/gate.py [--epoch-floor 2.2] [--kernels-floor 1.1] [--dataset mnist]

Compares the median ratio of an epoch of 784-128-10, batch 64, and the geometric mean of the
kernels' ratios over a small grid, with floors that noise does not reach and that kernels without
their vectors fall below. Exit status 1 when one is below its floor.
"""

from __future__ import annotations

import sys
from statistics import median

import click

from fastmlp.bench.epochs import measure_epochs
from fastmlp.bench.kernel_grid import geometric_mean, measure_kernels
from fastmlp.bench.summary import summarise

WORKLOAD, BATCHES, WIDTHS = "784-128-10/64", (8, 64, 256), (16, 128, 512)


def epoch_ratio(dataset: str, rounds: int) -> float:
    """Return NumPy's time over fastmlp's, the median over pairs."""
    document = measure_epochs(
        [WORKLOAD], ["fastmlp", "numpy"], rounds=rounds, epochs=2, dataset=dataset
    )
    rows = {row.name: row for row in summarise(document["workloads"][0], 1.0)}
    failures = [row.failure for row in rows.values() if row.failure]
    if failures:
        raise click.ClickException(f"an epoch failed: {failures[0]}")
    return rows["numpy"].ratio


def kernels_ratio(rounds: int) -> float:
    """Return the geometric mean over the products' grid, the median over rounds."""
    products = ("forward", "delta", "update")
    return median(
        geometric_mean(measure_kernels(products, BATCHES, WIDTHS, rounds=1)["rows"])
        for _ in range(rounds)
    )


@click.command(help=__doc__)
@click.option("--epoch-floor", default=2.2, show_default=True)
@click.option("--kernels-floor", default=1.1, show_default=True)
@click.option("--dataset", default="mnist", show_default=True)
@click.option("--rounds", default=3, show_default=True)
def main(epoch_floor: float, kernels_floor: float, dataset: str, rounds: int) -> None:
    """Measure, print, and judge."""
    judged = [
        (f"epoch of {WORKLOAD}", epoch_ratio(dataset, rounds), epoch_floor),
        ("kernels, geometric mean", kernels_ratio(rounds), kernels_floor),
    ]
    for name, ratio, floor in judged:
        verdict = "ok" if ratio >= floor else "BELOW THE FLOOR"
        click.echo(f"{name}: {ratio:.2f} x NumPy, floor {floor:g}: {verdict}")
    sys.exit(any(ratio < floor for _, ratio, floor in judged))


if __name__ == "__main__":
    main()
