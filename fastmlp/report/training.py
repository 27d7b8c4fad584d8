"""A training run as text: the lines before it, the progress line, the table, the summary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite, log
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from fastmlp.errors import counted
from fastmlp.report.text import duration, layer_sizes, metrics, printable
from fastmlp.training.rows import number, percent

if TYPE_CHECKING:
    from fastmlp.datasets import Dataset
    from fastmlp.network import Evaluation, Network
    from fastmlp.training import FoundRate, History, Progress, Rehearsal

NOTICED_SECONDS = 0.01
# Columns between two cells of the progress line, and the least of its bar
GAP, BAR = 2, 4
# Each row of a curve is this many points; the longest bar has so many characters
THINNED, LONGEST = 3, 40


def progress_line(name: str, progress: Progress) -> ProgressLine:
    """Return one line: data set, epoch, progress bar, cost, accuracy, samples per second.

    On a narrow screen some of them are left out.
    """
    done = (progress.epoch - 1) * progress.steps + progress.step
    bar = ProgressBar(progress.epochs * progress.steps, done)
    accuracy = "" if progress.accuracy is None else percent(progress.accuracy)
    epoch, cost = f"epoch {progress.epoch}/{progress.epochs}", f"cost {number(progress.cost)}"
    speed, title = f"{progress.samples_per_second:,.0f}/s", Text(name, "bold")
    whole = (title, epoch, bar, cost, accuracy, speed)
    return ProgressLine([whole, (epoch, cost, accuracy), (epoch, cost), (epoch,)])


@dataclass(frozen=True)
class ProgressLine:
    """A line with the first of some lists of cells that fits into the width of the screen."""

    choices: Sequence[Sequence[str | Text | ProgressBar]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table]:
        *wider, last = self.choices
        cells = next((c for c in wider if _width(c) <= options.max_width), last)
        line = Table.grid(padding=(0, GAP, 0, 0), expand=True)
        for cell in cells:  # the bar uses the remaining width
            line.add_column(no_wrap=True, ratio=1 if isinstance(cell, ProgressBar) else None)
        line.add_row(*cells)
        yield line


def _width(cells: Sequence[str | Text | ProgressBar]) -> int:
    return sum(GAP + (BAR if isinstance(c, ProgressBar) else cell_len(str(c))) for c in cells)


def download_line(name: str, file: str, done: int, total: int | None) -> Table:
    """Return one line: data set, file, how much of it is downloaded."""
    line = Table.grid(padding=(0, 2, 0, 0))
    size = f"{done / 1e6:.1f} MB" + (f" of {total / 1e6:.1f} MB" if total else "")
    line.add_row(Text(name, "bold"), f"downloading {file}", size)
    return line


def training_summary(
    history: History, test: Evaluation | None, compile_seconds: float
) -> list[str]:
    """Return lines with how inputs were scaled, the reason for the end, the metrics, and times."""
    lines = [f"inputs: {history.scaling}"] if history.scaling else []
    if history.resumed_epoch is not None:
        lines.append(f"resumed after {counted(history.resumed_epoch, 'epoch')}")
    if not history.stopped.startswith("all "):
        lines.append(f"stopped after {counted(len(history), 'epoch')}: {history.stopped}")
    if history.restored_epoch is not None:
        lines.append(f"the parameters of epoch {history.restored_epoch} were restored")
    spent = f"{duration(history.train_seconds)} of training"
    lines.append(spent if test is None else f"test {metrics(test.metrics)} after {spent}")
    if compile_seconds >= NOTICED_SECONDS:
        lines.append(f"kernels ready in {duration(compile_seconds)}, which is not counted above")
    return lines


def rehearsal_lines(found: Rehearsal, epochs: int) -> list[str]:
    """Return lines with what a rehearsal tried, and how long a run will take."""
    each = duration(found.epoch_seconds + found.validation_seconds)
    whole = f", all {epochs} about {duration(found.total_seconds)}" if epochs > 1 else ""
    return [
        f"rehearsed: {counted(found.steps, 'step')} with mean cost {number(found.cost)}, "
        f"an evaluation, and a model of {found.model_bytes:,} bytes",
        f"an epoch will take about {each}{whole}",
    ]


def dataset_lines(data: Dataset) -> list[str]:
    """Return lines with the size of a data set, its source, what was done to it, and the target."""
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
        lines.append(f"to predict: column {target}, {what}")
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
