"""The prediction for one image: the record, and a view with the image and its class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from fastmlp.arrays import Array, shape_of
from fastmlp.report.answers import by_class
from fastmlp.report.digit import digit_blocks
from fastmlp.report.text import class_names
from fastmlp.training.rows import percent

if TYPE_CHECKING:
    from fastmlp.network import Network

BAR = 16
RIVAL = 0.07  # an answer is doubtful if another class has this share of its probability
DIGITS = tuple("0123456789")
MOST_SHOWN = 12


@dataclass(frozen=True)
class Prediction:
    """The prediction for one image.

    index : of the image in its file; image : `(H, W)`, or None if it cannot be shown
    answer : the predicted class; names : those of all classes
    outputs : one for each class; probable : whether they are probabilities
    doubts : why the answer is doubtful; empty if it is not
    labels : the classes of which the output is at least 0.5, where there can be several; else None
    """

    index: int
    image: Array | None
    answer: int
    outputs: tuple[float, ...]
    names: tuple[str, ...]
    probable: bool
    doubts: tuple[str, ...] = ()
    labels: tuple[int, ...] | None = None

    @property
    def said(self) -> str:
        """The answer as text: a class, or all labels."""
        if self.labels is None:
            return self.names[self.answer]
        return ", ".join(self.names[label] for label in self.labels) or "no label"


def predictions(
    network: Network,
    images: Array,
    outputs: Array,
    first: int,
    no_digit: tuple[str, ...] = (),
) -> list[Prediction]:
    """Return the record of each image `(N, H, W)` or `(N, I)`.

    outputs  : `(N, O)`
    first    : the index of the first image in its file
    no_digit : why the images may be no digits, which matters for a network of digits only
    """
    answers, outputs = by_class(outputs)
    names = class_names(network.class_names, outputs.shape[1])
    probable = network.output in ("softmax", "sigmoid")
    square = shape_of(network.sizes[0]) if images.ndim == 2 else (1,)
    rows = images.reshape(len(images), *square) if square[0] > 1 else images
    return [
        Prediction(
            first + number,
            image if image.ndim == 2 else None,
            answer,
            tuple(map(float, row)),
            names,
            probable,
            (no_digit if names == DIGITS else ()) + _find_rival(network, row, names),
            tuple(np.flatnonzero(row >= 0.5).tolist()) if network.several_labels else None,
        )
        for number, (image, answer, row) in enumerate(
            zip(rows, answers.tolist(), outputs, strict=True)
        )
    ]


def _find_rival(network: Network, outputs: Array, names: Sequence[str]) -> tuple[str, ...]:
    """Return that another class is probable, too, if it is; outputs `(O,)`."""
    if network.output != "softmax" or len(outputs) < 2:
        return ()
    second, best = np.argsort(outputs)[-2:]
    if outputs[second] < RIVAL * outputs[best]:
        return ()
    return (f"it may also be {names[second]}, with {percent(outputs[second])}",)


def prediction_view(prediction: Prediction, ascii_only: bool = False) -> Table:
    """Return the image as text blocks, and beside it its class and the most probable classes."""
    outputs: Sequence[float] = prediction.outputs
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("class", no_wrap=True)
    table.add_column("probability" if prediction.probable else "output", justify="right")
    for number in sorted(sorted(range(len(outputs)), key=lambda n: -outputs[n])[:MOST_SHOWN]):
        output = outputs[number]
        cells = [prediction.names[number], f"{output:.4g}"]
        if prediction.probable and output == output:
            bar = ("#" if ascii_only else "█") * round(BAR * output)
            cells[1:] = [percent(output), bar.ljust(BAR)]
        chosen = prediction.labels if prediction.labels is not None else (prediction.answer,)
        style = "bold green" if number in chosen else ""
        table.add_row(*(Text(cell, style) for cell in cells))
    answer = Text(f"image {prediction.index}: {prediction.said}", "bold green")
    beside = Table.grid()
    doubts = [Text(f"doubtful: {reason}", "bold yellow") for reason in prediction.doubts]
    parts: list[RenderableType] = [answer, *doubts, Text(), table]
    for part in parts:
        beside.add_row(part)
    view = Table.grid(padding=(0, 4, 0, 0))
    if prediction.image is None:
        view.add_row(beside)
    else:
        view.add_row(Text(digit_blocks(prediction.image, ascii_only), no_wrap=True), beside)
    return view
