"""What classifier and regressor share: checks, initial parameters, outputs, exchange."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from itertools import pairwise
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from fastmlp.arrays import Array, Rows, as_sample_weight, sum_of_squares
from fastmlp.backends import backend_named
from fastmlp.errors import refuse
from fastmlp.estimator.fitting import Fit, Samples
from fastmlp.estimator.given import checked_data, checked_rows
from fastmlp.estimator.parameters import (
    OUTPUT_NAMES,
    OWN_NAMES,
    Row,
    check_parameters,
    documented_errors,
)
from fastmlp.estimator.solver import State
from fastmlp.estimator.team import team_limit
from fastmlp.network.answering import Predictors
from fastmlp.network.building import check_kinds, check_layer_sizes, kinds_of


class BaseMLP(BaseEstimator):
    """A multi-layer perceptron with scikit-learn's interface; use one of its two subclasses.

    A subclass has `_cost` and `_peer`, scikit-learn's class, and these methods:

    _learn(y, partial, first, classes) : sets `out_activation_` and `n_outputs_` if first
    _encode(y, name) : labels int64 `(N,)` or targets `(N, O)`; refuses what does not fit
    _score(a, y, weight) : the score of outputs for encoded labels or targets
    """

    _parameters: ClassVar[tuple[Row, ...]]
    _cost: ClassVar[str]
    _peer: ClassVar[type]
    _is_numeric: ClassVar[bool]  # whether y are numbers
    classes_: Array  # of classifiers
    _solver_state: State | None = None
    _predictors: Predictors | None = None

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, X_val: Any = None, y_val: Any = None
    ) -> Self:
        """Train on X `(N, I)` and y, from new parameters unless `warm_start`; return self.

        X : floats, a CSR or CSC matrix, or a DataFrame. float32 is kept; all else is float64.
        sample_weight : w `(N,)`, or one number. The loss of a minibatch is sum(w c) / sum(w) over
            the losses c of its samples; its L2 term is divided by sum(w) too. Scores of held-out
            samples are weighted
        X_val, y_val : data for `early_stopping`, in place of a share of X and y. A `class_weight`
            counts for them too; 'balanced' is that of y

        Raises ArgumentError, a ValueError, for bad parameters, and ValueError for bad data.
        """
        given = X_val is not None, y_val is not None
        if any(given) and not (all(given) and self.early_stopping):
            rule, got = "must be given together, with early_stopping=True", self.early_stopping
            raise refuse("X_val, y_val", rule, f"early_stopping={got}", "Pass all, or none.")
        return self._fit(X, y, sample_weight, X_val, y_val)

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        X_val: Any = None,
        y_val: Any = None,
        partial: bool = False,
        classes: Any = None,
    ) -> Self:
        """Check what a user passes, set the attributes with which training begins, and train.

        Before training, attributes are replaced, and never changed in place.
        """
        with _unchanged_if_refused(self):
            check_parameters(self)
            first = not hasattr(self, "coefs_") or not (self.warm_start or partial)
            X, y = checked_data(self, X, y, first)
            with documented_errors("y"):
                self._learn(y, partial, first, classes)
            random = check_random_state(self.random_state)
            if first:
                self._initialize(X.shape[1], X.dtype, random)
            else:
                self._go_on()
            of_class = self._class_weights(y)
            samples, held = self._samples(X, y, sample_weight, of_class), None
            if X_val is not None:
                X_val, y_val = checked_data(self, X_val, y_val, False, "_val")
                held = self._samples(X_val, y_val, None, of_class, "y_val")
            fit = Fit(self, samples, held, random, partial)
        fit.run()
        return self

    def _class_weights(self, y: Any) -> Array | None:
        """Return the weight of each class `(classes,)`; None for 1, and without classes."""
        return None

    def _weights(self, y: Any, sample_weight: Any, of_class: Array | None) -> Array | None:
        """Return the product of each sample's weight and that of its class, float64 `(N,)`.

        None stands for 1, also as an argument.
        """
        if isinstance(sample_weight, Real):
            sample_weight = np.full(y.shape[0], sample_weight)
        weights = as_sample_weight(sample_weight, y.shape[0])
        if of_class is None:
            return weights
        product = of_class[np.searchsorted(self.classes_, y)] * (1 if weights is None else weights)
        if not product.any():
            remedy = "Pass a weight for one of its classes."
            raise refuse("class_weight", "must not be 0 for all of y, or of y_val", "0", remedy)
        return as_sample_weight(product, len(y), "class_weight")

    def _samples(
        self, X: Any, y: Any, sample_weight: Any, of_class: Array | None, name: str = "y"
    ) -> Samples:
        """Return checked data as the engine takes them."""
        with documented_errors(name):
            targets = self._encode(y, name)
        if targets.ndim == 2:
            targets = np.ascontiguousarray(targets, self.coefs_[0].dtype)
        return Samples(X, targets, self._weights(y, sample_weight, of_class))

    def _initialize(self, inputs: int, dtype: Any, random: np.random.RandomState) -> None:
        """Draw the parameters, uniform in ±sqrt(factor / (I + O)) (Glorot and Bengio, 2010)."""
        self.n_iter_ = self.t_ = 0
        sizes = [inputs, *self._hidden_sizes(), self.n_outputs_]
        check_layer_sizes(sizes, "hidden_layer_sizes")
        self.n_layers_ = len(sizes)
        self.coefs_: list[Array] = []
        self.intercepts_: list[Array] = []
        factor = 2 if OWN_NAMES.get(self.activation, self.activation) == "sigmoid" else 6
        for i, o in pairwise(sizes):
            bound = np.sqrt(factor / (i + o))
            self.coefs_.append(random.uniform(-bound, bound, (i, o)).astype(dtype))
            self.intercepts_.append(random.uniform(-bound, bound, o).astype(dtype))
        self._begin_records()
        self._solver_state, self._predictors = None, Predictors()

    def _begin_records(self) -> None:
        """Forget the losses and scores by which training stops."""
        stops, self._no_improvement_count = self.early_stopping, 0
        self.loss_curve_: list[float] = []
        self.best_loss_ = None if stops else np.inf
        self.validation_scores_: list[float] | None = [] if stops else None
        self.best_validation_score_ = -np.inf if stops else None

    def _go_on(self) -> None:
        """Check the parameters of an earlier call, and make them ready to be trained further."""
        self._check_parameters((self.coefs_, self.intercepts_))
        sizes = [len(b) for b in self.intercepts_[:-1]]
        if self._hidden_sizes() != sizes:
            rule, remedy = f"must stay {sizes}", "Call fit with warm_start=False."
            raise refuse("hidden_layer_sizes", rule, self.hidden_layer_sizes, remedy)
        for name in ("coefs_", "intercepts_"):  # joblib loads them read-only, if wanted
            arrays = [np.require(a, requirements=["W"]) for a in getattr(self, name)]
            setattr(self, name, arrays)
        # lbfgs kept none, and early stopping has others
        scores = getattr(self, "validation_scores_", None)
        if not hasattr(self, "loss_curve_") or (scores is None) == bool(self.early_stopping):
            self._begin_records()

    def _hidden_sizes(self) -> list[int]:
        return list(np.atleast_1d(np.asarray(self.hidden_layer_sizes, int)).tolist())

    @property
    def _activations(self) -> tuple[str, ...]:
        """fastmlp's name of each layer's activation, the last one's included."""
        names: Sequence[str] = [self.activation] * (self.n_layers_ - 2) + [self.out_activation_]
        return tuple(OUTPUT_NAMES.get(name, name) for name in names)

    def _team(self) -> int | None:
        """Return the most threads of the engine; None lets it choose."""
        return team_limit(self.threads)

    def _outputs(self, x: Rows) -> Array:
        """Return the outputs `(N, O)` for checked x `(N, I)`, in the precision of the fit."""
        kept, backend = self._predictors or Predictors(), backend_named("compiled")
        what = (self.coefs_, self.intercepts_), self._activations, x, "outputs", backend, 1.0
        return kept.infer(*what, check=self._check_parameters, threads=self._team())

    def _check_parameters(self, parameters: Any) -> None:
        """Refuse `coefs_` and `intercepts_` that were replaced by some of wrong shape or dtype."""
        dtype = np.dtype(np.float32 if parameters[0][0].dtype == np.float32 else np.float64)
        sizes = self.n_features_in_, *(len(b) for b in parameters[1])
        for name, arrays, kinds in zip(
            ("coefs_", "intercepts_"), parameters, kinds_of(sizes, dtype), strict=True
        ):
            check_kinds(name, arrays, kinds)

    def _checked_outputs(self, X: Any) -> Array:
        """Return the outputs for what a user passes."""
        check_is_fitted(self)
        check_parameters(self, "activation")
        a = self._outputs(checked_rows(self, X))
        if np.isnan(sum_of_squares(a)):
            rule, got = "must lead to outputs that are numbers", f"NaN in {a.dtype}"
            raise refuse("X, coefs_ and intercepts_", rule, got, "Scale X as in training.")
        return a

    def to_sklearn(self) -> Any:
        """Return scikit-learn's estimator with copies of these parameters and attributes.

        It gives the same answers. Parameters that scikit-learn has not, and the optimiser's state,
        stay here: a `partial_fit` there begins with a new one.
        """
        theirs = (name for name, own in OWN_NAMES.items() if own == self.activation)
        activation = next(theirs, self.activation)
        if activation not in ("identity", "logistic", "tanh", "relu"):
            remedy = "Keep the estimator of fastmlp."
            raise refuse("activation", "must be one of scikit-learn's", activation, remedy)
        loss = self.get_params().get("loss", "squared_error")
        if loss != "squared_error" and "loss" not in self._peer().get_params():
            remedy = "Install scikit-learn 1.7 or newer, or keep the estimator of fastmlp."
            raise refuse("loss", "must be one of scikit-learn's, before 1.7", loss, remedy)
        copy = _copied(self, self._peer, {"activation": activation})
        if hasattr(copy, "coefs_"):  # to which early stopping there goes back
            copy._best_coefs, copy._best_intercepts = copy.coefs_, copy.intercepts_
        return copy

    @classmethod
    def from_sklearn(cls, estimator: Any) -> Self:
        """Return an estimator with copies of what a scikit-learn MLP has, fitted or not.

        One that was fitted by lbfgs predicts here, and is trained further by another solver.
        """
        if not isinstance(estimator, cls._peer):
            rule, remedy = f"must be scikit-learn's {cls._peer.__name__}", "Use the other class."
            raise refuse("estimator", rule, type(estimator).__name__, remedy)
        return _copied(estimator, cls, {})

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


@contextmanager
def _unchanged_if_refused(estimator: BaseMLP) -> Iterator[None]:
    """Give the estimator its attributes back, and its RandomState, if an exception leaves it."""
    before, random = dict(vars(estimator)), estimator.random_state
    state = random.get_state() if isinstance(random, np.random.RandomState) else None
    try:
        yield
    except BaseException:
        estimator.__dict__ = before
        if state is not None:
            random.set_state(state)
        raise


def _copied(source: Any, kind: type, changed: dict[str, Any]) -> Any:
    """Return an estimator of that class with the parameters and attributes of another.

    Private attributes have scikit-learn's names, so that both classes understand them.
    """
    given = source.get_params(deep=False) | changed
    result = kind()
    known = result.get_params(deep=False)
    result.set_params(**{name: value for name, value in given.items() if name in known})
    private = ("_label_binarizer", "_no_improvement_count", "_random_state")
    for name, value in vars(source).items():
        if name in private or (name.endswith("_") and not name.startswith("_")):
            setattr(result, name, deepcopy(value))
    return result
