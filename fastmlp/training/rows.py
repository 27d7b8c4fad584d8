"""The epochs of a run as lines of text: in a table, or each printed when its epoch ends."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fastmlp.arrays import check_at_least
from fastmlp.functions import METRICS, metrics_of

if TYPE_CHECKING:
    from fastmlp.network import Evaluation

# The heading of the column with the name of the data
NAMED = "data set"


def percent(share: float) -> str:
    """Return a share of 0 to 1 as "98.12 %"."""
    return f"{100 * share:.2f} %"


def number(value: float) -> str:
    """Return a cost as "0.0612", or a very large one as "1.42e+28"."""
    return f"{value:.4f}" if abs(value) < 10_000 else f"{value:.3g}"


def metric(name: str, value: float | None) -> str:
    """Return a metric of the table as "98.12 %", or as "0.0612"; "-" for None."""
    if value is None:
        return "-"
    return percent(value) if METRICS[name].share else number(value)


class Columns:
    """The columns of a run's table: title, least width and text of an epoch of each.

    history : a History; whether it has validation data decides about columns, so it must have an
        epoch, or the lines are too narrow
    name : of the data, in a first column; empty for none
    """

    def __init__(self, history: Any, name: str = "") -> None:
        main = metrics_of(history.task)[0]
        self.name, self.metric = name, main.name
        self.rows: list[tuple[str, int, Callable[[int], str]]] = [
            ("epoch", 5, lambda n: str(n + 1)),
            ("cost", 7, lambda n: number(history.train_cost[n])),
            (main.title, 8, lambda n: metric(main.name, history.train_accuracy[n])),
        ]
        if any(cost is not None for cost in history.validation_cost):
            judged = history.validated(main.name)
            costs = history.validation_cost
            self.rows += [
                ("val cost", 8, lambda n: "-" if costs[n] is None else number(costs[n])),
                (
                    f"val {main.title.replace('accuracy', 'acc')}",
                    8,
                    lambda n: metric(main.name, judged[n]),
                ),
            ]
        self.rows += [
            ("rate", 8, lambda n: f"{history.learning_rate[n]:.3g}"),
            ("samples/s", 9, lambda n: f"{history.samples_per_second[n]:,.0f}"),
        ]

    def heading(self) -> str:
        """Return the line of the titles."""
        return self._line([title for title, _, _ in self.rows], NAMED)

    def epoch(self, number: int) -> str:
        """Return the line of an epoch, counted from 0."""
        return self._line([text(number) for _, _, text in self.rows], self.name)

    def test(self, result: Evaluation) -> str:
        """Return the line of a test."""
        main = metric(self.metric, result.metrics[self.metric])
        return self._line(["test", number(result.cost), main], self.name)

    def _line(self, cells: list[str], first: str) -> str:
        """Return cells in their columns; one that is too long moves those behind it."""
        widths = (max(width, len(title)) for title, width, _ in self.rows)
        texts = [cell.rjust(width) for cell, width in zip(cells, widths, strict=False)]
        named = [first.ljust(max(len(NAMED), len(self.name)))] if self.name else []
        return "  ".join(named + texts)


class EpochLines:
    """A callback that prints a line for each epoch when it ends, the first below the titles.

    name : of the data, for a first column
    write : prints a line at once, also into a pipe
    """

    def __init__(self, name: str = "", write: Callable[[str], object] | None = None) -> None:
        self.name, self.write, self.printed = name, write or _print, 0

    def on_epoch_end(self, progress: Any) -> None:
        """Print the line of the epoch, and of those before it in a resumed run."""
        columns = Columns(progress.history, self.name)
        left = range(self.printed, len(progress.history))
        if left and not self.printed:
            self.write(columns.heading())
        for epoch in left:
            self.write(columns.epoch(epoch))
            self.printed = epoch + 1

    on_train_end = on_epoch_end  # of a run that was complete when it was resumed


def is_verbose(verbose: Any) -> bool:
    """Return whether epochs are printed; None stands for "in a notebook"."""
    if verbose is None:
        # a notebook has imported IPython, and its shell has a kernel
        shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
        return hasattr(shell, "kernel")
    if not isinstance(verbose, bool):
        check_at_least("verbose", verbose, 0)
    return bool(verbose)


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201  for verbose=True
