"""The classifier: labels, binary, multi-class and multi-label, and their probabilities."""

from __future__ import annotations

from numbers import Real
from typing import Any, Self

import numpy as np
import sklearn.neural_network
from sklearn.base import ClassifierMixin
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import type_of_target, unique_labels

from fastmlp.arrays import Array
from fastmlp.errors import refuse
from fastmlp.estimator.base import BaseMLP
from fastmlp.estimator.parameters import CLASS_WEIGHT, SHARED, documented, documented_errors

# Words of scikit-learn's error, by which programs tell it apart
OTHER_CLASSES = (
    "warm_start can only be used where `y` has the same classes as in the previous call to fit"
)


@documented(*SHARED, CLASS_WEIGHT)
class MLPClassifier(ClassifierMixin, BaseMLP):
    """A multi-layer perceptron that classifies, as `sklearn.neural_network.MLPClassifier` does.

    The loss is the cross entropy, with softmax outputs for three classes or more, and logistic
    ones for two classes and for indicator matrices, where a sample may have several labels.
    scikit-learn limits -log(a) to that of the dtype's epsilon, 36 in float64, and here nothing
    does: where outputs saturate, as of data that are not scaled, losses and stops differ.
    """

    _cost, _peer, _is_numeric = "cross_entropy", sklearn.neural_network.MLPClassifier, False

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Train for one epoch, from the parameters and optimiser's state of the last call.

        sample_weight : as of `fit`; classes : all labels that will ever come; the first call needs
            them
        """
        if isinstance(self.class_weight, str):
            rule, remedy = "must be known to partial_fit", "Pass a dictionary of all classes."
            raise refuse("class_weight", rule, repr(self.class_weight), remedy)
        return self._fit(X, y, sample_weight, partial=True, classes=classes)

    def _know(self, y: Any, classes: Any) -> None:
        """Set the classes in the first partial fit; later, check that they are the same."""
        if not hasattr(self, "classes_"):
            if classes is None:
                remedy = "Pass classes=numpy.unique(y of all data)."
                raise refuse("classes", "must be given to the first partial_fit", "None", remedy)
            is_matrix, known = type_of_target(y).startswith("multilabel"), unique_labels(classes)
            if is_matrix and len(known) != (columns := np.shape(y)[1]):
                remedy = "Pass classes=range(y.shape[1])."
                raise refuse("classes", f"must be {columns}, as columns of y", len(known), remedy)
            self._label_binarizer = LabelBinarizer().fit(y if is_matrix else classes)
            self.classes_ = known
        elif classes is not None and not np.array_equal(self.classes_, unique_labels(classes)):
            rule, remedy = f"must stay {self.classes_}", "Leave them out after the first call."
            raise refuse("classes", rule, classes, remedy)

    def _learn(self, y: Array, partial: bool, first: bool, classes: Any) -> None:
        """Set the classes, and what does not change until the next first call."""
        if partial:
            with documented_errors("y or classes"):
                self._know(y, classes)
        if not hasattr(self, "classes_") or not (self.warm_start or partial):
            self._label_binarizer = LabelBinarizer().fit(y)
            self.classes_ = self._label_binarizer.classes_
        elif self.warm_start:
            self._check_classes(y, all_of_them=True)
        if first:
            kind, count = self._label_binarizer.y_type_, len(self.classes_)
            self.out_activation_ = "softmax" if kind == "multiclass" else "logistic"
            self.n_outputs_ = 1 if kind == "binary" else count

    def _encode(self, y: Array, name: str) -> Array:
        """Return labels int64 `(N,)` of three classes or more; otherwise whether each is true.

        Of an indicator matrix that is what is not 0, as in scikit-learn.
        """
        is_matrix, kind = y.ndim == 2, self._label_binarizer.y_type_
        if is_matrix != kind.startswith("multilabel"):
            rule = "must be an indicator matrix" if not is_matrix else "must be labels (N,)"
            remedy = "Call fit with warm_start=False for another kind of y."
            remedy = remedy if name == "y" else "Pass what is like y."
            raise refuse(name, rule, f"an array of shape {y.shape}", remedy)
        self._check_classes(y, name=name)
        if kind == "multiclass":
            return np.searchsorted(self.classes_, y).astype(np.int64)
        targets = np.asarray(self._label_binarizer.transform(y))
        if is_matrix and targets.all() and (least := targets.min()) != (most := targets.max()):
            rule, got = "must be 0 where a label is absent", f"{least} and {most}"
            raise refuse(name, rule, got, "Pass 0 and 1.")
        return targets != 0

    def _check_classes(self, y: Array, all_of_them: bool = False, name: str = "y") -> None:
        """Refuse labels that are new; or also labels that are missing."""
        found, known = unique_labels(y), set(self.classes_)
        if set(found) != known if all_of_them else set(found) - known:
            rule = (
                "must have the same classes as before" if all_of_them else "must have no new class"
            )
            remedy = "Call fit with warm_start=False."
            if name != "y":
                remedy = "Pass labels that y has."
            elif not all_of_them:
                remedy = f"Pass all classes to the first partial_fit. {remedy}"
            else:
                remedy += f" {OTHER_CLASSES}. Previously got {self.classes_}, `y` has {found}"
            raise refuse(name, f"{rule}: {self.classes_}", found, remedy)

    def _class_weights(self, y: Array) -> Array | None:
        """Return the weight of each class `(classes,)`; None for 1."""
        if self.class_weight is None:
            return None
        if y.ndim == 2:
            rule, remedy = "must be None if a sample has several labels", "Pass sample_weight."
            raise refuse("class_weight", rule, repr(self.class_weight), remedy)
        given, known = self.class_weight, {*self.classes_}
        if isinstance(given, dict):
            remedy = "Those not in class_weight have 1."
            if known.isdisjoint(given or known):
                rule = f"must have labels of {self.classes_}"
                raise refuse("class_weight", rule, repr(given), remedy)
            if not all(isinstance(weight, Real) for weight in given.values()):
                raise refuse("class_weight", "must have numbers", repr(given), remedy)
            # of labels that y has, as parts of data may lack some
            given = {label: given.get(label, 1) for label in self.classes_}
        return np.asarray(compute_class_weight(given, classes=self.classes_, y=y))

    @property
    def _stratifies(self) -> bool:
        """Whether held-out data have the same shares of classes: as there, of two classes."""
        return bool(self.n_outputs_ == 1)

    def _score(self, a: Array, y: Array, weight: Array | None) -> float:
        """Return the share of samples of which all labels are right."""
        hits = a.argmax(axis=1) == y if y.ndim == 1 else ((a > 0.5) == (y > 0.5)).all(axis=1)
        return float(np.average(hits, weights=weight))

    def predict(self, X: Any) -> Array:
        """Return the class of each sample `(N,)`, or an indicator matrix `(N, classes)`."""
        a = self._checked_outputs(X)
        # what inverse_transform returns, which takes half of the time of one row
        if self._label_binarizer.y_type_ == "multiclass":
            return np.asarray(self.classes_[a.argmax(axis=1)])
        if self.n_outputs_ == 1 and len(self.classes_) == 2:
            return np.asarray(self.classes_[(a.ravel() > 0.5).astype(int)])
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
