"""The callbacks that fastmlp offers: early stopping, a time limit, and logs."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import StringIO
from os import PathLike
from pathlib import Path
from time import monotonic
from typing import Any

from fastmlp.arrays import check_at_least, check_flag
from fastmlp.errors import checked_class
from fastmlp.system.files import append_whole, as_path, write_whole
from fastmlp.system.interrupts import hold_interrupts
from fastmlp.system.plain import to_json
from fastmlp.training.history import History
from fastmlp.training.monitor import MONITORS, check_monitor
from fastmlp.training.progress import Progress

Row = Mapping[str, Any]


@checked_class
@dataclass(frozen=True)
class EarlyStopping:
    """Stop when the validation cost has not fallen for `patience` epochs.

    restore_best : whether the network then gets the parameters of its best epoch
    monitor : "cost", or a metric of the task, such as "accuracy" or "r2", that has to improve

    Among the callbacks of `train` it is the same as its argument `early_stopping`.
    """

    patience: int = 3
    restore_best: bool = True
    monitor: str = "cost"

    def __post_init__(self) -> None:
        check_at_least("patience", self.patience, 1)
        check_flag("restore_best", self.restore_best)
        check_monitor(self.monitor, MONITORS)


@checked_class
class TimeLimit:
    """End a run after about so many seconds, counted from the beginning of its first epoch.

    After each epoch, with t the seconds so far and d those of this epoch, the run ends if

        t + d / 2 > seconds

    So the epoch in which the limit is exceeded is the last one, and no epoch begins that exceeds it
    by more than half of its time, if it takes as long as the one before. Validation, callbacks and
    checkpoints count; compilation does not. A resumed run has the whole time again.
    """

    def __init__(self, seconds: float) -> None:
        check_at_least("max_seconds", seconds, 0, float)
        self.seconds = float(seconds)
        self.reason = f"time limit of {self.seconds:g} s"

    def on_train_begin(self, progress: Progress) -> None:
        """Start the clock."""
        self.began = self.epoch_began = monotonic()

    def on_epoch_end(self, progress: Progress) -> bool:
        """Return whether to end the run; the last epoch ends it anyway."""
        now = monotonic()
        took, self.epoch_began = now - self.epoch_began, now
        over = now - self.began + took / 2 > self.seconds
        return over and progress.epoch < progress.epochs


class _Log:
    """A file with a line for each epoch: its number, from 1, and the lists of `History`.

    It is written anew when a run begins, with the earlier epochs of a resumed run; then each epoch
    appends its whole line at once. Raises UnwritableError.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = as_path(path, "path").absolute()
        self.written = sys.maxsize  # epochs; no run has begun

    @staticmethod
    def heading(history: History) -> str:
        """Return what stands before the lines."""
        return ""

    @staticmethod
    def line(row: Row) -> str:
        """Return the line for an epoch."""
        raise NotImplementedError

    def on_train_begin(self, progress: Progress) -> None:
        """Write the epochs that are done."""
        history, self.written = progress.history, len(progress.history)
        done = (self.line(history.row(epoch)) for epoch in range(self.written))
        write_whole(self.path, (self.heading(history) + "".join(done)).encode())

    def on_epoch_end(self, progress: Progress) -> None:
        """Append the lines of the epochs that are recorded and have none."""
        for epoch in range(self.written, len(progress.history)):
            with hold_interrupts():  # a line is written once
                append_whole(self.path, self.line(progress.history.row(epoch)).encode())
                self.written = epoch + 1

    on_train_end = on_epoch_end  # after an interrupt, which no `on_epoch_end` follows


def _csv_line(values: Any) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue()


@checked_class
class CSVLog(_Log):
    """Write a line of comma-separated values for each epoch, after one with their names."""

    @staticmethod
    def heading(history: History) -> str:
        """Return the names of the values."""
        return _csv_line(history.names())

    @staticmethod
    def line(row: Row) -> str:
        """Return the line for an epoch; a value that is None is empty."""
        return _csv_line(row.values())


@checked_class
class JSONLinesLog(_Log):
    """Write a JSON object in a line for each epoch."""

    @staticmethod
    def line(row: Row) -> str:
        """Return the line for an epoch; a value that is None is null."""
        return to_json(row) + "\n"


# By the end of the file's name
LOGS: dict[str, Callable[[Path], _Log]] = {".csv": CSVLog, ".jsonl": JSONLinesLog}
