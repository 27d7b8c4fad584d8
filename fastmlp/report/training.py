"""A training run as text: the lines before it, the progress line, the table, the summary."""

from __future__ import annotations

from math import isfinite, log
from typing import TYPE_CHECKING

from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from fastmlp.functions import metrics_of
from fastmlp.report.text import duration, layer_sizes, metric, metrics, number, percent, printable

if TYPE_CHECKING:
    from fastmlp.datasets import Dataset
    from fastmlp.network import Evaluation, Network
    from fastmlp.training import FoundRate, History, Progress

MOST_ROWS = 20
NOTICED_SECONDS = 0.01
# Each row of a curve is this many points; the longest bar has so many characters
THINNED, LONGEST = 3, 40


def progress_line(name: str, progress: Progress) -> Table:
    """Return one line: data set, epoch, progress bar, cost, accuracy, samples per second."""
    line = Table.grid(padding=(0, 2, 0, 0), expand=True)
    for ratio in (None, None, 1, None, None, None):  # the bar uses the remaining width
        line.add_column(no_wrap=True, ratio=ratio)
    done = (progress.epoch - 1) * progress.steps + progress.step
    line.add_row(
        Text(name, "bold"),
        f"epoch {progress.epoch}/{progress.epochs}",
        ProgressBar(progress.epochs * progress.steps, done),
        f"cost {number(progress.cost)}",
        "" if progress.accuracy is None else percent(progress.accuracy),
        f"{progress.samples_per_second:,.0f}/s",
    )
    return line


def download_line(name: str, file: str, done: int, total: int | None) -> Table:
    """Return one line: data set, file, how much of it is downloaded."""
    line = Table.grid(padding=(0, 2, 0, 0))
    size = f"{done / 1e6:.1f} MB" + (f" of {total / 1e6:.1f} MB" if total else "")
    line.add_row(Text(name, "bold"), f"downloading {file}", size)
    return line


def training_table(name: str, history: History, test: Evaluation | None) -> Table:
    """Return a table with a row for each epoch, at most 20 of them, and one for the test."""
    validated = any(cost is not None for cost in history.validation_cost)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("data set", no_wrap=True)
    main = metrics_of(history.task)[0]
    for heading in _headings(validated, main.title):
        table.add_column(heading, justify="right", no_wrap=True)
    for epoch in _rows(len(history)):
        accuracy = history.train_accuracy[epoch]
        cells = [number(history.train_cost[epoch]), metric(main.name, accuracy)]
        if validated:
            cost = history.validation_cost[epoch]
            cells.append("-" if cost is None else number(cost))
            cells.append(metric(main.name, history.validated(main.name)[epoch]))
        cells.append(f"{history.learning_rate[epoch]:.3g}")
        cells.append(f"{history.samples_per_second[epoch]:,.0f}")
        table.add_row(Text(name), str(epoch + 1), *cells)
    if test is not None:
        cells = ["test", number(test.cost), metric(main.name, test.metrics[main.name])]
        table.add_row(Text(name), *cells, style="bold green")
    return table


def _headings(validated: bool, metric: str) -> list[str]:
    judged = (
        ["val cost", f"val {metric.replace('accuracy', 'acc').split()[0]}"] if validated else []
    )
    return ["epoch", "cost", metric, *judged, "rate", "samples/s"]


def _rows(epochs: int) -> list[int]:
    """Return the epochs to show: evenly spaced, including the last one."""
    every = -(-epochs // MOST_ROWS)
    return list(range(epochs - 1, -1, -every))[::-1] if epochs else []


def training_summary(
    history: History, test: Evaluation | None, compile_seconds: float
) -> list[str]:
    """Return lines with the reason for the end, the metrics, the time, and that of compiling."""
    lines = []
    if not history.stopped.startswith("all "):
        lines.append(f"stopped after {len(history)} epochs: {history.stopped}")
    if history.restored_epoch is not None:
        lines.append(f"the parameters of epoch {history.restored_epoch} were restored")
    spent = f"{duration(history.train_seconds)} of training"
    lines.append(spent if test is None else f"test {metrics(test.metrics)} after {spent}")
    if compile_seconds >= NOTICED_SECONDS:
        lines.append(f"kernels ready in {duration(compile_seconds)}, which is not counted above")
    return lines


def dataset_lines(data: Dataset) -> list[str]:
    """Return lines with the size of a data set, its source, and what was done to it."""
    height, width, *colours = data.image_shape
    counts = f"{len(data.train):,} training and {len(data.test):,} test"
    rows = f"images of {width} x {height}" + " in colour" * bool(colours)
    if height == 1:
        rows = f"rows of {width} numbers"
    lines = [f"source: {printable(data.source)}", *map(printable, data.notes)]
    if data.columns and "inputs" in data.columns:
        count, target = len(data.columns["inputs"]), printable(data.columns["target"])
        if count != width * height:
            rows = f"rows of {count} columns, which give {width} numbers"
        what = "by regression" if data.task == "regression" else f"{len(data.class_names)} classes"
        lines.insert(1, f"to predict: column {target}, {what}")
    return [f"{counts} {rows}", *lines]


def network_line(network: Network) -> str:
    """Return a line with sizes, activations, cost and the number of parameters."""
    functions = ", ".join(dict.fromkeys((*network.activations, network.cost)))
    return f"{layer_sizes(network.sizes)}, {functions}, {network.parameter_count:,} parameters"


def probe_line(rate: float, before: float, after: float) -> str:
    """Return a line with the costs before and after training with a learning rate."""
    result = "diverged" if not isfinite(after) else number(after)
    verdict = "falls" if after < before else "does not fall"
    return f"rate {rate:<8.4g} cost {number(before)} -> {result:<10} {verdict}"


def rates_table(found: FoundRate) -> Table:
    """Return the curve of a range test: rates, costs as numbers and bars, and the suggestion."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for heading in ("rate", "cost"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    points = list(zip(found.rates.tolist(), found.costs.tolist(), strict=True))[::THINNED]
    nearest = min(points, key=lambda point: abs(log(point[0] / found)))[0]
    for rate, cost in points:
        length = round(min(cost / (1.2 * points[0][1]), 1.0) * LONGEST)
        mark = f" <- {found:.3g}" if rate == nearest else ""
        shown = number(cost) if isfinite(cost) else "diverged"
        style = "bold green" if mark else None
        table.add_row(f"{rate:.3g}", shown, "#" * length + mark, style=style)
    return table
