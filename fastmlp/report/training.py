"""A training run as people see it: the lines before, the one that moves, the table."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from fastmlp.report.text import duration, layer_sizes, percent, printable

if TYPE_CHECKING:
    from fastmlp.datasets import Dataset
    from fastmlp.network import Evaluation, Network
    from fastmlp.training import History, Progress

MOST_ROWS = 20


def progress_line(name: str, progress: Progress) -> Table:
    """Return one line: data set, epoch, how far the run is, cost, accuracy, samples a second."""
    line = Table.grid(padding=(0, 2, 0, 0))
    done = (progress.epoch - 1) * progress.steps + progress.step
    bar = ProgressBar(progress.epochs * progress.steps, done, width=16)
    line.add_row(
        Text(name, "bold"),
        f"epoch {progress.epoch}/{progress.epochs}",
        bar,
        f"cost {progress.cost:.4f}",
        percent(progress.accuracy),
        f"{progress.samples_per_second:,.0f}/s",
    )
    return line


def download_line(name: str, file: str, done: int, total: int | None) -> Table:
    """Return one line: data set, file, how much of it is here."""
    line = Table.grid(padding=(0, 2, 0, 0))
    size = f"{done / 1e6:.1f} MB" + (f" of {total / 1e6:.1f} MB" if total else "")
    line.add_row(Text(name, "bold"), f"downloading {file}", size)
    return line


def training_table(name: str, history: History, test: Evaluation | None) -> Table:
    """Return a row for each epoch, at most 20 of them, and one for the test."""
    validated = any(cost is not None for cost in history.validation_cost)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("data set", no_wrap=True)
    for heading in _headings(validated):
        table.add_column(heading, justify="right", no_wrap=True)
    for epoch in _rows(len(history)):
        cells = [f"{history.train_cost[epoch]:.4f}", percent(history.train_accuracy[epoch])]
        if validated:
            cost = history.validation_cost[epoch]
            accuracy = history.validation_accuracy[epoch]
            cells.append("-" if cost is None else f"{cost:.4f}")
            cells.append("-" if accuracy is None else percent(accuracy))
        cells.append(f"{history.learning_rate[epoch]:.3g}")
        cells.append(f"{history.samples_per_second[epoch]:,.0f}")
        table.add_row(Text(name), str(epoch + 1), *cells)
    if test is not None:
        cells = ["test", f"{test.cost:.4f}", percent(test.accuracy)]
        table.add_row(Text(name), *cells, style="bold green")
    return table


def _headings(validated: bool) -> list[str]:
    judged = ["val cost", "val acc"] if validated else []
    return ["epoch", "cost", "accuracy", *judged, "rate", "samples/s"]


def _rows(epochs: int) -> list[int]:
    """Return which epochs to show: evenly spaced, and the last one always."""
    every = -(-epochs // MOST_ROWS)
    return list(range(epochs - 1, -1, -every))[::-1] if epochs else []


def training_summary(history: History, test: Evaluation | None, compile_seconds: float) -> str:
    """Return the run in one line: how well, how long, and how long the kernels took apart."""
    whole = history.stopped.startswith("all ") or not history.stopped
    parts = [] if whole else [f"stopped after {len(history)} epochs: {history.stopped}"]
    if history.restored_epoch is not None:
        parts.append(f"epoch {history.restored_epoch} brought back")
    if test is not None:
        parts.append(f"test accuracy {percent(test.accuracy)}")
    parts.append(f"trained in {duration(history.train_seconds)}")
    if compile_seconds:
        parts.append(f"kernels ready in {duration(compile_seconds)} before that")
    return ", ".join(parts)


def dataset_line(data: Dataset) -> str:
    """Return what a data set holds, and where it is from."""
    height, width = data.image_shape
    counts = f"{len(data.train):,} training and {len(data.test):,} test images"
    return f"{counts} of {width} x {height}, {printable(data.source)}"


def network_line(network: Network) -> str:
    """Return what a network is made of."""
    functions = ", ".join(dict.fromkeys((*network.activations, network.cost)))
    count = f"{network.parameter_count:,} {network.dtype} parameters"
    return f"network {layer_sizes(network.sizes)}, {functions}, {count}"


def probe_line(rate: float, before: float, after: float) -> str:
    """Return what training with a learning rate did to the cost."""
    result = "diverged" if not isfinite(after) else f"{after:.4f}"
    verdict = "falls" if after < before else "does not fall"
    return f"rate {rate:<8.4g} cost {before:.4f} -> {result:<10} {verdict}"
