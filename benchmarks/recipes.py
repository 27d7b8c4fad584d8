"""Measure the recipes: accuracy over seeds, and seconds of training and of the whole process.

python benchmarks/recipes.py [NAME...] [--seeds 10] [--dataset mnist] [--jax 1] [--epochs N]

Each run is a process of its own, `fastmlp train --recipe NAME --seed N`, in turn. The kernels are
compiled before. A table in Markdown is printed. --jax says how many seeds JAX trains the same
recipe with, by `recipe_jax.py`; none by default. --epochs sets how many epochs both train, with a
schedule that fits them; the table then says, for example, "3 of 60".
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

from fastmlp.bench.peers import is_installed
from fastmlp.training.recipes import RECIPES

OWN = (sys.executable, "-P", "-m", "fastmlp", "train", "--json")
JAX = (sys.executable, str(Path(__file__).with_name("recipe_jax.py")))
Run = tuple[float, float, float]
HEAD = "| recipe | network | epochs | test accuracy | lowest | training | whole process |"


def run(command: tuple[str, ...], seed: int, dataset: str) -> Run:
    """Return (test accuracy, seconds of training, seconds of the process) of one run."""
    options = ("--seed", str(seed), "--dataset", dataset)
    began = perf_counter()
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr.strip())
    took = perf_counter() - began
    found = json.loads(done.stdout)
    return found["test_accuracy"], found["train_seconds"], took


def row(name: str, runs: list[Run], epochs: int | None = None, peer: str = "") -> str:
    """Return a row of the table: of fastmlp, or of a peer."""
    accuracies, trainings, processes = zip(*runs, strict=True)
    recipe = RECIPES[name]
    full = recipe.settings["epochs"]
    spread = f" ± {100 * stdev(accuracies):.2f}" if len(runs) > 1 else ""
    cells = (
        f"`{name}`{peer}",
        "-".join(map(str, (784, *recipe.hidden, 10))),
        str(full) if epochs is None else f"{epochs} of {full}",
        f"{100 * mean(accuracies):.2f}{spread} %",
        f"{100 * min(accuracies):.2f} %",
        f"{median(trainings):.3g} s",
        f"{median(processes):.3g} s",
    )
    return f"| {' | '.join(cells)} |"


@click.command(help=__doc__)
@click.argument("names", nargs=-1, type=click.Choice(list(RECIPES)))
@click.option("--seeds", default=10, show_default=True, type=click.IntRange(1))
@click.option("--dataset", default="mnist", show_default=True)
@click.option("--jax", default=0, show_default=True, type=click.IntRange(0))
@click.option("--epochs", type=click.IntRange(1))
def main(names: tuple[str, ...], seeds: int, dataset: str, jax: int, epochs: int | None) -> None:
    """Measure, and print the table."""
    if jax and not is_installed("jax"):
        raise click.UsageError('--jax needs JAX: pip install "fastmlp[peers]"')
    rows, shorter = [], ("--epochs", str(epochs)) if epochs else ()
    with tempfile.TemporaryDirectory() as folder:
        model = str(Path(folder, "model.safetensors"))
        for name in names or tuple(RECIPES):
            own = (*OWN, "--recipe", name, "--model", model, *shorter)
            rows.append(row(name, [run(own, seed, dataset) for seed in range(seeds)], epochs))
            if jax:
                peer = [run((*JAX, name, *shorter), seed, dataset) for seed in range(jax)]
                rows.append(row(name, peer, epochs, " with JAX"))
    click.echo(f"{HEAD}\n|---|---|---|---|---|---|---|")
    for one in rows:
        click.echo(one)


if __name__ == "__main__":
    main()
