"""The steps of several commands: find data, build a network, prepare kernels, train, save.

given : the arguments of a command by name
say : function that prints a line, in a style
draw : function that prints a line in place of the one drawn before
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import chain
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, NamedTuple

from fastmlp.cli import own_data
from fastmlp.errors import ArgumentError, DivergedError, FastMLPError, UnwritableError, refuse
from fastmlp.system.files import check_folder, check_writable
from fastmlp.system.interrupts import hold_interrupts, raise_terminated

if TYPE_CHECKING:
    from fastmlp.arrays import Array
    from fastmlp.datasets import Dataset
    from fastmlp.network import Network
    from fastmlp.training import History, Progress

Given = Mapping[str, Any]
Say = Callable[..., object]
Draw = Callable[[Any], object]

# The arguments that functions of the library have under the same names
BUILT = ("output", "cost", "seed", "dtype")
SEARCHED = ("mode", "start", "batch_size", "samples", "seed", "backend")
CHOOSING = (
    *("optimizer", "optimizer_settings", "learning_rate", "momentum", "nesterov", "weight_decay"),
    *("clip_value", "clip_norm", "l1"),
)
TRAINED = (
    *("epochs", "batch_size", "schedule", *CHOOSING, "dropout", "input_dropout", "validation"),
    *("rate_factors", "bias_rate_factor"),
    *("early_stopping", "target", "target_accuracy", "seed", "threads", "backend"),
    *("checkpoint", "every", "resume", "warmup", "max_seconds"),
    *("class_weight", "label_smoothing", "augment", "average", "scaling", "impute"),
)


def find_data(given: Given, say: Say, draw: Draw) -> Dataset:
    """Load the data set of the arguments. By default this is MNIST, or digits if that fails."""
    from fastmlp import report
    from fastmlp.datasets import load_dataset

    name, folder = given["dataset"] or "mnist", given["data_folder"]

    def follow(file: str, done: int, total: int | None) -> None:
        draw(report.download_line(name, file, done, total))

    try:
        download = not given["no_download"]
        options = own_data.reading_options(given)
        return load_dataset(name, folder=folder, download=download, progress=follow, **options)
    except FastMLPError as error:
        if given["dataset"] or folder or isinstance(error, ArgumentError):
            raise
        say(f"No MNIST, so digits are used instead: {report.reason(error)}", style="bold yellow")
        return load_dataset("digits")


def in_numbers(network: Network, data: Dataset) -> tuple[Network, Array, Array]:
    """Return a copy of the network whose classes are numbers, and the test images and labels.

    The columns of images are in the network's order, and labels are numbers of its classes.
    """
    from fastmlp.network.adapting import in_order
    from fastmlp.network.classes import by_name, codes_of

    numbered = copy.copy(network)
    numbered.several_labels = False
    split, argument = data.test, f"the classes of {data.name}"
    images = in_order(network, split.images, f"the data {data.name!r}", split.feature_names)
    labels = by_name(network, split.labels, split.class_names, argument)
    if network.classes is not None:
        labels = codes_of(network, labels, argument)
        numbered.classes, numbered.class_names = None, tuple(map(str, network.classes))
    return numbered, images, labels


def say_order(network: Network, data: Dataset, say: Say) -> None:
    """Print a line if classes of the network and of the data are compared by their order."""
    from fastmlp.network.classes import said_of_order

    if line := said_of_order(network, data.class_names):
        say(line)


def build_network(data: Dataset, given: Given) -> Network:
    """Build the network of the arguments; the data give the sizes that are not set."""
    from fastmlp.network import Network

    hidden = given["hidden_layers"]
    inputs = data.train.images.shape[1]
    outputs = 1 if data.task == "regression" else max(2, len(data.class_names))
    sizes = given["sizes"] or (inputs, *((128,) if hidden is None else hidden), outputs)
    network = Network(sizes, given["activation"], **{name: given[name] for name in BUILT})
    network.columns = data.columns
    return network


def prepare_kernels(dtype: Any, backend: str, say: Say) -> float:
    """Compile or load the kernels, and return the seconds that took; print a line to compile."""
    import numpy as np

    from fastmlp.backends import backend_named
    from fastmlp.report import duration

    kernels, precision = backend_named(backend), np.dtype(dtype)
    if kernels.is_compiled(precision):
        return float(kernels.prepare(precision))
    say("compiling the kernels, only this once: 10 to 40 seconds")
    seconds = float(kernels.prepare(precision))
    say(f"compiled in {duration(seconds)}")
    return seconds


def trained_settings(given: Given) -> dict[str, Any]:
    """Return the arguments of a training."""
    settings = {name: given[name] for name in TRAINED}
    return {**settings, "optimizer_settings": dict(given["optimizer_settings"])}


def run_settings(given: Given) -> dict[str, Any]:
    """Return the arguments of a training, with its early stopping as an object."""
    from fastmlp.training import EarlyStopping

    settings = trained_settings(given)
    if given["early_stopping"]:
        stopping = EarlyStopping(given["early_stopping"], monitor=given["monitor"])
        settings["early_stopping"] = stopping
    return settings


def chosen_settings(given: Given) -> dict[str, Any]:
    """Return the arguments of a training, with the complete choice of its optimiser."""
    from fastmlp.training.choosing import choose_optimizer

    settings = trained_settings(given)
    choice = choose_optimizer(**{name: settings[name] for name in CHOOSING})
    own = choice.optimizer_settings
    settings |= {name: own.get(name, 0.0) for name in ("momentum", "weight_decay")}
    settings |= {"optimizer": choice.optimizer, "optimizer_settings": own}
    return {**settings, "learning_rate": choice.learning_rate}


def train_network(
    network: Network, data: Dataset, given: Given, draw: Draw, row: Callable[[str], object]
) -> tuple[History, FastMLPError | None]:
    """Train, and print a line for each epoch with `row`.

    Returns the history, and the error that ended the run after a good epoch, or None.

    The error is divergence, or a checkpoint, log or standard output that cannot be written. After
    Ctrl-C and SIGTERM the history is the one so far, and `history.stopped` is the reason. If no
    epoch was good, the exception is raised, so that an older model is not replaced.
    """
    from fastmlp import report, training

    settings = run_settings(given)
    logs = [training.callbacks.LOGS[path.suffix](path) for path in [given["log"]] if path]
    lines = training.rows.EpochLines(data.name, row)
    last: list[Progress] = []

    def follow(progress: Progress) -> None:
        last[:] = [progress]
        draw(report.progress_line(data.name, progress))

    callbacks = [follow, lines, *logs]
    try:
        with raise_terminated():
            history = training.loop.train(network, data, callbacks=callbacks, **settings)
    except KeyboardInterrupt:
        if not last:
            raise
        return last[0].history, None
    except (DivergedError, OSError) as error:
        if not last or not len(last[0].history):
            raise
        if not isinstance(error, FastMLPError):  # of printing, as nothing else is left
            what = error.filename or "standard output"
            said = f"{what} cannot be written: {error.strerror}. The run ended there."
            error = UnwritableError(said)
        return last[0].history, error
    if given["epochs"] and not len(history):
        raise DivergedError(*history.warnings)
    return history, None


def check_path(path: Path, option: str = "model", *read: Any) -> Path:
    """Return the absolute path of a file, or for --checkpoint of a folder.

    read : paths of what the command reads, or None. Raises ArgumentError if it is one of them, or a
    file of data in a folder of them, or cannot be written, before time is spent on its content.
    """
    from fastmlp.datasets.own import is_read

    for other in filter(None, read):
        if is_read(Path(other), path):
            remedy = f"Name another file with --{option}."
            raise refuse(option, "must not be what the command reads", path, remedy)
    check, kind = (check_folder, "folder") if option == "checkpoint" else (check_writable, "file")
    try:
        return check(path)
    except UnwritableError as error:
        rule, got = f"must be a {kind} that can be written", f"{path}: {error.strerror}"
        raise refuse(option, rule, got, f"Name another {kind} with --{option}.") from None


class Saved(NamedTuple):
    """The path of a saved file, and the error if it is not the path that was wanted."""

    path: Path
    error: UnwritableError | None


def save_file(wanted: Path, write: Callable[[Path], object], *others: Path) -> Saved:
    """Write a file with `write(path)`; if that fails, try the others, and then further paths.

    These are in the working folder, the home folder and the temporary folder, with a name that no
    file has there. Raises UnwritableError, which names them all, if all fail.
    """
    failed: list[UnwritableError] = []
    with hold_interrupts():
        for path in chain([wanted], others, _other_paths(wanted)):
            try:
                write(path)
            except UnwritableError as error:
                failed.append(error)
                continue
            if not failed:
                return Saved(path, None)
            return Saved(path, UnwritableError(f"{failed[0]} It was written to {path} instead."))
    rest = [f"{error.filename} ({error.strerror})" for error in failed[1:]]
    raise UnwritableError(f"{failed[0]} Nor can {', '.join(rest)}." if rest else str(failed[0]))


def _other_paths(wanted: Path) -> Iterator[Path]:
    """Yield other paths for a file, in the order in which to try them."""
    for find in (Path.cwd, Path.home):
        with suppress(OSError, RuntimeError):  # a deleted folder, a user without a home
            if (path := _unused(find() / wanted.name)) != wanted:
                yield path
    with suppress(OSError):
        folder = Path(mkdtemp(prefix="fastmlp-"))  # for this user only
        yield folder / wanted.name
        folder.rmdir()  # the last path failed as well


def _unused(path: Path) -> Path:
    """Return the path, with a number if it already exists: "mnist-1.safetensors"."""
    names = (path, *(path.with_stem(f"{path.stem}-{number}") for number in range(1, 1000)))
    return next(name for name in names if not os.path.lexists(name))
