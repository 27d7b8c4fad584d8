"""The steps that commands share: find the data, build the network, prepare the kernels, train.

`given` are a command's arguments by name; `say` takes a line for people to read, and its style;
`draw` takes a line that replaces the one drawn before.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastmlp.errors import DivergedError, FastMLPError, refuse
from fastmlp.interrupts import orderly_end

if TYPE_CHECKING:
    from fastmlp.datasets import Dataset, Split
    from fastmlp.functions import Array
    from fastmlp.network import Network
    from fastmlp.training import History, Progress

Given = Mapping[str, Any]
Say = Callable[..., object]
Draw = Callable[[Any], object]

# The arguments that go on to functions of the library under the same names
BUILT = ("output", "cost", "seed", "dtype")
SEARCHED = ("start", "batch_size", "samples", "seed", "backend")
TRAINED = (
    *("epochs", "batch_size", "learning_rate", "schedule", "momentum", "nesterov", "weight_decay"),
    *("early_stopping", "target_accuracy", "seed", "threads", "backend"),
    *("checkpoint", "every", "resume"),
)


def found(given: Given, say: Say, draw: Draw) -> Dataset:
    """Load the data set asked for; where none is, MNIST, or else digits, and say why."""
    from fastmlp import report
    from fastmlp.datasets import load_dataset

    name, folder = given["dataset"] or "mnist", given["data_folder"]

    def follow(file: str, done: int, total: int | None) -> None:
        draw(report.download_line(name, file, done, total))

    try:
        download = not given["no_download"]
        return load_dataset(name, folder=folder, download=download, progress=follow)
    except FastMLPError as error:
        if given["dataset"] or folder:
            raise
        say(f"No MNIST, so digits are used instead: {report.reason(error)}", style="bold yellow")
        return load_dataset("digits")


def namesake(model: Path) -> str:
    """Return the data set that a model is tested on by default: its file's name, or "mnist"."""
    from fastmlp.datasets import DATASET_NAMES

    return model.stem if model.stem in DATASET_NAMES else "mnist"


def chosen(images: Array, first: int, count: int) -> Array:
    """Return the images of a file from the first one wanted on, or refuse if it has none there."""
    if first >= len(images):
        rule = f"must be below {len(images)}, the number of images in the file"
        raise refuse("index", rule, first, "Images count from 0.")
    return images[first : first + count]


def built(data: Dataset, given: Given, say: Say) -> Network:
    """Build the network asked for; the data decides on what was left open."""
    from fastmlp.network import Network
    from fastmlp.report import network_line

    hidden = given["hidden_layers"]
    inputs, outputs = data.train.images.shape[1], max(2, len(data.class_names))
    sizes = given["sizes"] or (inputs, *((128,) if hidden is None else hidden), outputs)
    network = Network(sizes, given["activation"], **{name: given[name] for name in BUILT})
    if len(data.class_names) == max(2, network.sizes[-1]):
        network.class_names = data.class_names
    say(network_line(network))
    return network


def prepared(dtype: Any, backend: str, say: Say) -> float:
    """Compile or load the kernels, and return the seconds that took; who must wait is told."""
    import numpy as np

    from fastmlp.backends import backend_named
    from fastmlp.report import duration

    kernels, precision = backend_named(backend), np.dtype(dtype)
    if kernels.is_compiled(precision):
        return float(kernels.prepare(precision))
    say("compiling the kernels, this once: about ten seconds")
    seconds = float(kernels.prepare(precision))
    say(f"compiled in {duration(seconds)}")
    return seconds


def trained(
    network: Network, data: Dataset, given: Given, draw: Draw
) -> tuple[History, DivergedError | None]:
    """Train, and return the history, and the error of a run that diverged after a good epoch.

    After Ctrl-C and SIGTERM, and such an error, the history is the one so far, which says why.
    Raises where nothing was learnt that an older model should give way to.
    """
    from fastmlp import report, training

    split, held_out = hold_out(data.train, given["validation"], given["seed"])
    settings = {name: given[name] for name in TRAINED}
    last: list[Progress] = []

    def follow(progress: Progress) -> None:
        last[:] = [progress]
        draw(report.progress_line(data.name, progress))

    try:
        with orderly_end():
            history = training.train(
                network, split, validation=held_out, callbacks=[follow], **settings
            )
    except KeyboardInterrupt:
        if not last:
            raise
        return last[0].history, None
    except DivergedError as error:
        if not last or not len(last[0].history):
            raise
        return last[0].history, error
    if given["epochs"] and not len(history):
        raise DivergedError(f"{history.stopped}. Check the data, or begin with another seed.")
    return history, None


def hold_out(split: Split, share: float | None, seed: int) -> tuple[Split, Split | None]:
    """Part a split at random, by the seed: what to train on, and a share to validate with."""
    import numpy as np

    from fastmlp.datasets import Split

    if share is None:
        return split, None
    held = round(share * len(split))
    if not 0 < held < len(split):
        rule = f"must leave at least one of the {len(split):,} images on either side"
        raise refuse("validation", rule, share, "Pass 0.1, for example.")
    order = np.random.default_rng(seed).permutation(len(split))
    fitted, judged = (
        Split(split.images[rows], split.labels[rows])
        for rows in (np.sort(order[held:]), np.sort(order[:held]))
    )
    return fitted, judged


def check_place(model: Path) -> None:
    """Refuse a place where no model can be saved, before the time is spent on training one."""
    folder = model.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        rule, got = "must be a file in a folder that can be written", str(model)
    elif model.is_dir():
        rule, got = "must be a file", f"the folder {model}"
    else:
        return
    raise refuse("model", rule, got, "Name another file with --model.")
