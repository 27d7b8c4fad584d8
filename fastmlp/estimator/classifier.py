"""The classifier: labels, binary, multi-class and multi-label, and their probabilities."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import sklearn.neural_network
from sklearn.base import ClassifierMixin
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.multiclass import type_of_target, unique_labels

from fastmlp.arrays import Array
from fastmlp.errors import refuse
from fastmlp.estimator.base import BaseMLP
from fastmlp.estimator.parameters import SHARED, documented


@documented(*SHARED)
class MLPClassifier(ClassifierMixin, BaseMLP):
    """A multi-layer perceptron that classifies, as `sklearn.neural_network.MLPClassifier` does.

    The loss is the cross entropy, with softmax outputs for three classes or more, and logistic
    ones for two classes and for indicator matrices, where a sample may have several labels.
    """

    _cost, _peer, _is_numeric = "cross_entropy", sklearn.neural_network.MLPClassifier, False

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Self:
        """Train for one epoch, from the parameters and optimiser's state of the last call.

        classes : all labels that will ever come; the first call needs them
        """
        if not hasattr(self, "classes_"):
            if classes is None:
                remedy = "Pass classes=numpy.unique(y of all data)."
                raise refuse("classes", "must be given to the first partial_fit", "None", remedy)
            is_matrix = type_of_target(y).startswith("multilabel")
            self._label_binarizer = LabelBinarizer().fit(y if is_matrix else classes)
            self.classes_ = unique_labels(classes)
        elif classes is not None and not np.array_equal(self.classes_, unique_labels(classes)):
            rule, remedy = f"must stay {self.classes_}", "Leave them out after the first call."
            raise refuse("classes", rule, classes, remedy)
        return self._fit(X, y, partial=True)

    def _encode(self, y: Array, partial: bool, first: bool) -> Array:
        """Return labels int64 `(N,)` of three classes or more; otherwise targets 0 and 1."""
        if not hasattr(self, "classes_") or not (self.warm_start or partial):
            self._label_binarizer = LabelBinarizer().fit(y)
            self.classes_ = self._label_binarizer.classes_
        else:
            self._check_classes(unique_labels(y))
        is_multiclass = self._label_binarizer.y_type_ == "multiclass"
        if is_multiclass:
            targets = np.searchsorted(self.classes_, y).astype(np.int64)
        else:
            targets = self._label_binarizer.transform(y)
        outputs = len(self.classes_) if is_multiclass else targets.shape[1]
        if first:
            self.out_activation_ = "softmax" if is_multiclass else "logistic"
            self.n_outputs_ = outputs
        return targets

    def _check_classes(self, found: Array) -> None:
        """Refuse labels that are new; and after a warm start also labels that are missing."""
        known = set(self.classes_)
        if (set(found) != known) if self.warm_start else (set(found) - known):
            rule = "must have the same classes as before" if self.warm_start else "must be known"
            raise refuse("y", f"{rule}: {self.classes_}", found, "Call fit with warm_start=False.")

    @property
    def _stratifies(self) -> bool:
        """Whether held-out data have the same shares of classes: as there, of two classes."""
        return bool(self.n_outputs_ == 1)

    def _score(self, a: Array, y: Array) -> float:
        """Return the share of samples of which all labels are right."""
        if y.ndim == 1:
            return float((a.argmax(axis=1) == y).mean())
        return float(((a > 0.5) == (y > 0.5)).all(axis=1).mean())

    def predict(self, X: Any) -> Array:
        """Return the class of each sample `(N,)`, or an indicator matrix `(N, classes)`."""
        a = self._checked_outputs(X)
        found = self._label_binarizer.inverse_transform(a.ravel() if self.n_outputs_ == 1 else a)
        return found

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class `(N, classes)`, in the order of `classes_`."""
        a = self._checked_outputs(X)
        return np.hstack([1 - a, a]) if self.n_outputs_ == 1 else a

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithms of `predict_proba`."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
