"""The regressor: one or more numbers for each sample."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import sklearn.neural_network
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score

from fastmlp.arrays import Array
from fastmlp.errors import counted, refuse
from fastmlp.estimator.base import BaseMLP
from fastmlp.estimator.parameters import LOSS, SHARED, documented


@documented(LOSS, *SHARED)
class MLPRegressor(RegressorMixin, BaseMLP):
    """A multi-layer perceptron for numbers, as `sklearn.neural_network.MLPRegressor` is."""

    _peer, _is_numeric, _stratifies = sklearn.neural_network.MLPRegressor, True, False

    @property
    def _cost(self) -> str:  # type: ignore[override]
        """fastmlp's name of the loss, which is the same."""
        return str(self.loss)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train for one epoch, from the parameters and optimiser's state of the last call.

        sample_weight : as of `fit`
        """
        return self._fit(X, y, sample_weight, partial=True)

    def _learn(self, y: Array, partial: bool, first: bool, classes: Any) -> None:
        """Set what does not change until the next first call: how many outputs there are."""
        output = "exp" if self.loss == "poisson" else "identity"
        if first:
            self.out_activation_, self.n_outputs_ = output, 1 if y.ndim == 1 else y.shape[1]
        elif output != self.out_activation_:
            remedy = "Call fit with warm_start=False."
            raise refuse("loss", "must be that of the first fit", repr(self.loss), remedy)

    def _encode(self, y: Array, name: str) -> Array:
        """Return the targets `(N, O)`."""
        targets = y.reshape(len(y), -1)
        if targets.shape[1] != self.n_outputs_:
            rule = f"must have {counted(self.n_outputs_, 'column')}"
            remedy = "Call fit with warm_start=False." if name == "y" else "Pass what is like y."
            raise refuse(name, rule, targets.shape[1], remedy)
        if self.loss == "poisson" and (targets < 0).any():
            remedy = 'Pass loss="squared_error".'
            raise refuse(name, 'must be at least 0 with loss="poisson"', targets.min(), remedy)
        return targets

    def _score(self, a: Array, y: Array, weight: Array | None) -> float:
        """Return R^2, the mean over outputs."""
        return float(r2_score(y, a, sample_weight=weight))

    def predict(self, X: Any) -> Array:
        """Return the outputs `(N,)`, or `(N, O)` if there are several."""
        a = self._checked_outputs(X)
        return np.ravel(a) if self.n_outputs_ == 1 else a
