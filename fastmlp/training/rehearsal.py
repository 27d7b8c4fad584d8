"""A rehearsal: a few seconds that show whether a long run will work, and how long it takes."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from types import SimpleNamespace
from typing import Any, NamedTuple

from numpy.typing import ArrayLike

from fastmlp.arrays import check_at_least
from fastmlp.errors import DivergedError, checked_call
from fastmlp.network import Network
from fastmlp.network.pairs import as_parts
from fastmlp.system.files import as_path, check_folder
from fastmlp.training import loop
from fastmlp.training.callbacks import TimeLimit
from fastmlp.training.checkpoint import check_unused
from fastmlp.training.data import Data, check_data, check_network
from fastmlp.training.progress import Progress, as_callbacks, check_callbacks
from fastmlp.training.rows import is_verbose
from fastmlp.training.stopping import check_stopping
from fastmlp.training.validation import is_share

# An evaluation is tried with this many samples
SAMPLES = 10_000
# Arguments of `train` that are only checked
CHECKED = ("callbacks", "verbose", "max_seconds")


class Rehearsal(NamedTuple):
    """What a rehearsal found.

    steps : how many were taken; cost : their mean cost
    epoch_seconds : an estimate, without validation
    validation_seconds : of an epoch; 0 without validation data
    total_seconds : an estimate for all epochs, or those in `max_seconds`; without compilation
    compile_seconds : to compile or load the kernels
    model_bytes : of the saved network
    """

    steps: int
    cost: float
    epoch_seconds: float
    validation_seconds: float
    total_seconds: float
    compile_seconds: float
    model_bytes: int


class _Clock:
    """A callback that ends a run after so many seconds, and counts its steps."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.end, self.began = seconds, 0.0, 0.0
        self.spent, self.steps, self.cost = 0.0, 0, 0.0
        self.last: Progress

    def on_epoch_begin(self, progress: Progress) -> None:
        """Start the clock."""
        self.began = monotonic()
        self.end = self.end or self.began + self.seconds

    def __call__(self, progress: Progress) -> bool:
        """Return whether the time is over."""
        now, self.last = monotonic(), progress
        if progress.epoch_ended or now > self.end:
            ended = progress.epoch_ended
            self.spent += progress.history.epoch_seconds[-1] if ended else now - self.began
            self.steps += progress.step
            self.cost += progress.step * progress.cost
        return now > self.end


@checked_call
def rehearse(
    network: Network,
    split: Data,
    y: ArrayLike | None = None,
    *,
    seconds: float = 2.0,
    **settings: Any,
) -> Rehearsal:
    """Train a copy of the network for about some seconds, and return how long `train` would take.

    All that a long run needs is tried: data, settings, steps, an evaluation, and saving the
    network. Checkpoints are written to a temporary folder; that their own can be written is
    checked. A run that resumes is compared with its checkpoints, and tried from its start.
    Callbacks are not called, and a Generator as `seed` does not change.

    split, y, settings : those of `train`

    Raises what `train` would raise, such as ArgumentError and DivergedError, and UnwritableError
    for a folder of checkpoints that cannot be written.
    """
    check_at_least("seconds", seconds, 0, float)
    check_at_least("epochs", settings.get("epochs", 1), 1)
    check_network(network)
    trial, clock, own = copy.deepcopy(network), _Clock(seconds), _checked(settings)
    _check_resuming(trial, split, y, own)
    with TemporaryDirectory() as folder:
        if settings.get("checkpoint") is not None:
            own["checkpoint"] = folder
        history = checked_call(loop.train)(trial, split, y, callbacks=clock, verbose=False, **own)
    rows, labels = check_data(trial, split, "split", y)
    began = monotonic()
    trial.evaluate_rows(rows[:SAMPLES], labels[:SAMPLES], settings.get("backend", "compiled"))
    validating = (monotonic() - began) * _held(settings.get("validation"), len(labels))
    with TemporaryDirectory() as folder:
        trial.save(Path(folder) / "model")
        size = (Path(folder) / "model").stat().st_size
    if not clock.steps:  # with the schedule "halving", where no rate lowers the cost
        raise DivergedError(*history.warnings)
    progress = clock.last
    epoch = clock.spent / clock.steps * progress.steps
    total, limit = progress.epochs * (epoch + validating), settings.get("max_seconds")
    return Rehearsal(
        clock.steps,
        clock.cost / clock.steps,
        epoch,
        validating,
        total if limit is None else min(total, max(limit, epoch + validating)),
        history.compile_seconds,
        size,
    )


def _checked(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `train` that are tried, and check the others."""
    own = {name: value for name, value in settings.items() if name not in CHECKED}
    ending = as_callbacks(settings.get("callbacks")), own.get("early_stopping")
    callbacks, own["early_stopping"] = check_stopping(*ending, own.get("validation"))
    check_callbacks(callbacks)
    is_verbose(settings.get("verbose"))
    if settings.get("max_seconds") is not None:
        TimeLimit(settings["max_seconds"])
    if own.get("checkpoint") is not None:
        path = check_folder(as_path(own["checkpoint"], "checkpoint"))
        if not own.get("resume"):
            check_unused(path)
    own["seed"] = copy.deepcopy(own.get("seed", 0))
    return own


def _check_resuming(
    network: Network, split: Data, y: ArrayLike | None, own: Mapping[str, Any]
) -> None:
    """Begin a run with the checkpoints that there are, to compare its data and settings."""
    folder = own.get("checkpoint")
    if own.get("resume") and folder is not None and Path(folder).is_dir():
        trial, again = copy.deepcopy(network), {**own, "seed": copy.deepcopy(own["seed"])}
        ends = SimpleNamespace(on_train_begin=lambda progress: True)
        checked_call(loop.train)(trial, split, y, callbacks=ends, verbose=False, **again)


def _held(validation: Any, count: int) -> float:
    """Return the number of validation samples, divided by that of an evaluation that was tried.

    count : of the data to train on
    """
    if validation is None:
        return 0.0
    is_part = is_share(validation)
    held = validation * count if is_part else len(as_parts(validation, None, "validation")[1])
    return float(held / min(count, SAMPLES))
