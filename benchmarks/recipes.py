"""Measure the recipes: accuracy over seeds, and seconds of training and of the whole process.

python benchmarks/recipes.py [NAME...] [--seeds 10] [--dataset mnist]

Each run is a process of its own, `fastmlp train --recipe NAME --seed N`, in turn. The kernels are
compiled before. A table in Markdown is printed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import mean, median, stdev
from time import perf_counter

import click

from fastmlp.training.recipes import RECIPES

COMMAND = (sys.executable, "-P", "-m", "fastmlp", "train", "--json")
HEAD = "| recipe | network | epochs | test accuracy | lowest | training | whole process |"


def run(name: str, seed: int, dataset: str, folder: Path) -> tuple[float, float, float]:
    """Return (test accuracy, seconds of training, seconds of the process) of one run."""
    options = ("--recipe", name, "--seed", str(seed), "--dataset", dataset)
    began = perf_counter()
    done = subprocess.run(
        [*COMMAND, *options, "--model", folder / "model.safetensors"],
        capture_output=True,
        text=True,
        check=True,
    )
    took = perf_counter() - began
    found = json.loads(done.stdout)
    return found["test_accuracy"], found["train_seconds"], took


def row(name: str, runs: list[tuple[float, float, float]]) -> str:
    """Return a row of the table."""
    accuracies, trainings, processes = zip(*runs, strict=True)
    recipe = RECIPES[name]
    spread = f" ± {100 * stdev(accuracies):.2f}" if len(runs) > 1 else ""
    cells = (
        f"`{name}`",
        "-".join(map(str, (784, *recipe.hidden, 10))),
        str(recipe.settings["epochs"]),
        f"{100 * mean(accuracies):.2f}{spread} %",
        f"{100 * min(accuracies):.2f} %",
        f"{median(trainings):.3g} s",
        f"{median(processes):.3g} s",
    )
    return f"| {' | '.join(cells)} |"


@click.command(help=__doc__)
@click.argument("names", nargs=-1, type=click.Choice(list(RECIPES)))
@click.option("--seeds", default=10, show_default=True)
@click.option("--dataset", default="mnist", show_default=True)
def main(names: tuple[str, ...], seeds: int, dataset: str) -> None:
    """Measure, and print the table."""
    names = names or tuple(RECIPES)
    with tempfile.TemporaryDirectory() as folder:
        runs = {
            name: [run(name, seed, dataset, Path(folder)) for seed in range(seeds)]
            for name in names
        }
    click.echo(f"{HEAD}\n|---|---|---|---|---|---|---|")
    for name in names:
        click.echo(row(name, runs[name]))


if __name__ == "__main__":
    main()
