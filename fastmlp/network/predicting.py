"""What a network says about images: outputs, classes, and how many of them are right."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastmlp.arrays import (
    Array,
    Rows,
    as_array,
    as_numbers,
    as_sample_weight,
    check_finite,
    check_flag,
    check_scale,
)
from fastmlp.errors import checked_call, refuse
from fastmlp.functions import check_outputs, cost_named, task_of
from fastmlp.network.adapting import BYTES, prepared_rows
from fastmlp.network.answering import Predictors, answers, infer
from fastmlp.network.assigned import Assigned
from fastmlp.network.building import check_hidden, check_kinds, kinds_of
from fastmlp.network.classes import by_name, names_of, targets_of
from fastmlp.network.evaluation import Evaluation, evaluate
from fastmlp.network.pairs import as_parts


class Predicting(Assigned):
    """A network that predicts and is evaluated: see `fastmlp.Network`."""

    hidden: tuple[str, ...]
    output: str
    weights: list[Array]
    biases: list[Array]

    @cached_property
    def predictors(self) -> Predictors:
        """What infers, kept between calls."""
        return Predictors()

    @cached_property
    def task(self) -> str:
        """What the targets are: "classification", "labels" (several at once) or "regression"."""
        return task_of(self.output, self.cost, self.sizes[-1])

    def task_for(self, y: Array) -> str:
        """Return the task with these targets: labels `(N,)` are classes, whatever the network."""
        return self.task if y.ndim == 2 else "classification"

    def as_rows(self, images: ArrayLike, argument: str = "images") -> tuple[Rows, bool]:
        """Return (images as engines need them, whether they are one image)."""
        return prepared_rows(self, images, argument)

    def as_targets(self, labels: ArrayLike, count: int, argument: str) -> Array:
        """Return labels as int64 `(N,)`, or targets `(N, O)`, as engines need them."""
        return targets_of(self, labels, count, argument)

    @checked_call
    def predict_proba(self, images: ArrayLike, backend: str = "compiled") -> Array:
        """Return the outputs `(N, O)` for images `(N, I)`, or `(O,)` for one image `(I,)`.

        With a softmax output these are probabilities. Raises ArgumentError if an output is NaN.
        """
        found: Array = answers(self, images, "outputs", backend)
        return found

    @checked_call
    def predict(self, images: ArrayLike, backend: str = "compiled", names: bool = False) -> Any:
        """Return the class of each image `(N,)`: the index of its largest output, or its label.

        With a single output the class is 1 if the output is at least 0.5, else 0. If the training
        labels were not the numbers 0 … K - 1, these are the indices of `classes`, and the result
        has such labels. The labels of a Dataset are numbers: so are answers after training on it,
        and `names=True` returns `class_names` in place of them, texts `(N,)`. For one image it is a
        scalar of NumPy, an np.int64 for example.

        In a regression that was not trained on labels, it is the outputs: floats `(N, O)`, or of
        one output `(N,)`. With `several_labels`, it is 1 for each output of at least 0.5, else 0:
        int64 `(N, O)`. Raises ArgumentError if an output is NaN.
        """
        if names is not False:
            check_flag("names", names)
        known = names_of(self) if names else self.classes
        if self.several_labels:
            return np.asarray(self.predict_proba(images, backend) >= 0.5, np.int64)
        if self.task == "regression" and self.class_names is None:
            a = self.predict_proba(images, backend)
            return a.T[0] if self.sizes[-1] == 1 else a
        classes = answers(self, images, "classes", backend)
        return classes if known is None else known[classes]

    @checked_call
    def evaluate(
        self,
        images: Any,
        labels: ArrayLike | None = None,
        backend: str = "compiled",
        sample_weight: ArrayLike | None = None,
    ) -> Evaluation:
        """Return mean cost and metrics on images `(N, I)`, labels `(N,)` or targets `(N, O)`.

        images : or a Split, a pair (images, labels), or a Dataset, whose test part is used
        sample_weight : w `(N,)`, with which all are weighted, the cost as sum(w c) / sum(w)

        The metrics are those of the task, or for labels `(N,)` of several outputs those of
        classification. In a regression with one output, targets may be `(N,)`. Raises ArgumentError
        for data that do not fit the network.
        """
        parts = as_parts(images, labels, "images", "test")
        rows, _ = prepared_rows(self, parts.images, "images", parts.features)
        labels = by_name(self, parts.labels, parts.classes, "labels")
        y = self.as_targets(labels, len(rows), "labels")
        if self.task == "regression" and self.classes is None and y.dtype == np.float32:
            # errors are those from the targets that were passed
            y = np.asarray(as_numbers(as_array(labels, "labels"), "labels")).reshape(y.shape)
        weight = as_sample_weight(sample_weight, len(rows))
        found = self.evaluate_rows(rows, y, backend, weight)
        if np.isnan(found.cost):
            self.refuse_nan()
        return found

    def evaluate_rows(
        self, rows: Rows, y: Array, backend: str, weight: Array | None = None
    ) -> Evaluation:
        """Evaluate on images, labels or targets, and weights as engines need them."""
        self.check_cost()
        self.check_parameters()
        how = "outputs", backend, (*self.hidden, "identity")
        a = np.empty((len(rows), self.sizes[-1]), self.dtype)

        def sums(part: Rows) -> Array:
            return infer(self, part, *how)

        return evaluate(sums, rows, y, a, self.output, self.cost, self.task_for(y), weight)

    @checked_call
    def accuracy(
        self, images: Any, labels: ArrayLike | None = None, backend: str = "compiled"
    ) -> float:
        """Return the share of images `(N, I)` whose class is right, 0 to 1; labels `(N,)`.

        images : as in `evaluate`. Raises ArgumentError if the targets are no classes.
        """
        found = self.evaluate(images, labels, backend).accuracy
        if found is None:
            rule, remedy = "must be classes to have an accuracy", "Use evaluate(...).metrics."
            raise refuse("labels", rule, f"targets of the task {self.task!r}", remedy)
        return found

    def scale_of(self, images: Rows) -> float:
        """Return the factor of these images: `pixel_scale` for uint8, else 1."""
        return self.pixel_scale if images.dtype == BYTES else 1.0

    def check_cost(self) -> None:
        """Raise ArgumentError for a cost that is not defined for the output."""
        check_outputs(self.output, self.sizes[-1])
        cost_named(self.cost, self.output)

    def check_parameters(
        self, finite: bool = True, parameters: Any = None
    ) -> tuple[list[Array], list[Array]]:
        """Return weights and biases. Raises ArgumentError for wrong ones or a wrong `pixel_scale`.

        finite : whether to refuse NaN and infinity too; parameters : others that are to be checked
        """
        check_hidden(self.hidden, len(self.sizes) - 2)
        weights, biases = parameters or (self.weights, self.biases)
        of_weights, of_biases = kinds_of(self.sizes, self.dtype)
        check_kinds("weights", weights, of_weights)
        check_kinds("biases", biases, of_biases)
        if finite:
            check_finite("weights", weights)
            check_finite("biases", biases)
        check_scale(self.pixel_scale, self.dtype)
        return weights, biases

    def refuse_nan(self) -> None:
        """Raise ArgumentError with the cause of a NaN in the outputs."""
        self.check_parameters()
        raise refuse(
            "weights and biases",
            "must be so small that no sum of products overflows",
            f"an output that is NaN in {self.dtype}",
            "Train at a lower learning rate, or load another model.",
        )
