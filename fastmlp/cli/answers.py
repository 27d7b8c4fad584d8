"""Answers for a table, a folder of pictures or an .npz file, printed or written as CSV."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastmlp.cli import steps
from fastmlp.cli.screen import Screen
from fastmlp.errors import ArgumentError, DataError, refuse

if TYPE_CHECKING:
    from fastmlp.arrays import Array
    from fastmlp.network import Network

Given = Mapping[str, Any]
PRINTED = Path("-")  # what --output names to print


def columns_of(network: Network, path: Path) -> Mapping[str, Any] | None:
    """Return `network.columns`; for a table, if there are none, the named inputs as columns.

    Inputs such as "colour=red" are no columns of a table, but what became of one.
    """
    from fastmlp.datasets.columns import Columns

    names = network.feature_names
    if network.columns or not (names and _is_table(path)) or any("=" in name for name in names):
        return network.columns
    task = "regression" if network.task == "regression" else "classification"
    fill = network.scaling.fill if network.scaling else None
    return Columns.of_numbers(names, fill, task).to_plain()


def _is_table(path: Path) -> bool:
    from fastmlp.datasets.own import kind_of
    from fastmlp.datasets.table import load_table

    kind = kind_of(path)
    return kind is not None and kind.load is load_table


def find_rows(network: Network, given: Given) -> tuple[Array, list[str]] | None:
    """Return the rows of a file that has many, and the names of pictures; None for an image.

    Raises DataError if the model does not know the columns of the file.
    """
    from fastmlp.datasets.cells import other_data
    from fastmlp.datasets.npz import read_npz_images
    from fastmlp.datasets.picture_folder import SUFFIXES, Form, picture_files, read_pictures
    from fastmlp.datasets.table import read_inputs

    path, columns = given["image"], columns_of(network, given["image"])
    if path.suffix.lower() == ".npz":
        return read_npz_images(path), []
    is_table = _is_table(path)
    is_picture = path.is_dir() or path.suffix.lower() in SUFFIXES
    if columns and "inputs" in columns and is_table:
        return read_inputs(path, columns, given["unknown"]), []
    if columns and "pictures" in columns and is_picture:
        files = picture_files(path)
        if not files:
            raise DataError(f"{path}: expected pictures; found none. Check the path.")
        root = path if path.is_dir() else path.parent
        names = [str(one.relative_to(root)) for one in files]
        return read_pictures(files, Form.from_plain(columns)), names
    of_numbers = columns and "inputs" in columns and not columns.get("pixels")
    if is_table or path.is_dir() or (is_picture and of_numbers):
        expected = "a table" if columns and "inputs" in columns else "pictures"
        expected = expected if columns else "an image or arrays"
        raise other_data(expected, "a table" if is_table else "pictures")
    return None


def chosen_outputs(
    network: Network, images: Array, count: int, given: Given, screen: Screen
) -> tuple[Array, Array]:
    """Return `count` images from --index on, and the outputs `(count, O)` of the network for them.

    Raises ArgumentError; rows that it names count from the first of all images.
    """
    first = given["index"]
    if first >= len(images):
        rule = f"must be below {len(images)}, the number of samples in the file"
        raise refuse("index", rule, first, "The first is 0.")
    chosen = images[first : first + count]
    steps.prepare_kernels(network.dtype, given["backend"], screen.say)
    try:
        outputs = network.predict_proba(chosen.reshape(len(chosen), -1), given["backend"])
    except ArgumentError as error:
        text = re.sub(r"\brow (\d+)", lambda row: f"row {first + int(row[1])}", error.args[0])
        error.args = (text, *error.args[1:])
        raise
    return chosen, outputs.reshape(len(chosen), -1)


def answer(network: Network, rows: Array, names: list[str], given: Given, screen: Screen) -> None:
    """Predict the rows, and print the answers as CSV, or write them to the file of --output."""
    from fastmlp import report
    from fastmlp.system.files import write_whole

    if given["probabilities"] and network.output not in ("softmax", "sigmoid"):
        rule, got = "needs a network with probabilities", f"the output {network.output}"
        raise refuse("probabilities", rule, got, "Leave it out.")
    first = given["index"]
    _, outputs = chosen_outputs(network, rows, given["count"] or len(rows), given, screen)
    found = report.answer_rows(
        network, outputs, given["probabilities"], names[first : first + len(outputs)]
    )
    document = report.answers_document(found, first, given["model"], given["image"])
    text = report.answers_csv(found, network.dtype)
    path = None if given["output"] == PRINTED else given["output"]
    if path is not None:
        write_whole(Path(path), text.encode(errors="surrogateescape"))  # as names of files are
    if given["json"]:
        screen.show(document)
    elif path is None:
        for line in text.splitlines():
            screen.row(line)
    if path is not None:
        screen.say(f"{len(found):,} answers written to {path}")
