"""The epochs of a fit, with the stopping rules and messages of scikit-learn."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from fastmlp.arrays import Array, Rows, quiet
from fastmlp.errors import refuse
from fastmlp.estimator.callbacks import Calls
from fastmlp.estimator.solver import Solver

# "adaptive" divides the rate by this; at the least rate, training stops instead
DIVIDE_RATE, LEAST_RATE = 5.0, 1e-6
AUTO_BATCH = 200
# The most steps in one call of the engine that has several epochs
MOST_STEPS = 128
# Words of scikit-learn's errors, by which programs tell them apart
NO_STOPPING = "partial_fit does not support early_stopping=True"
TOO_SMALL = "The validation set is too small"
RAISE = "Raise it, pass more samples, or X_val and y_val."
NOT_FINITE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and "
    "need to be preprocessed"
)
SLOWER = "Scale X and y to about -1 to 1, or lower learning_rate_init."


class Samples(NamedTuple):
    """x `(N, I)`, y, labels int64 `(N,)` or targets `(N, O)`, weights float64 `(N,)` or None."""

    x: Rows
    y: Array
    weight: Array | None

    def at(self, rows: Array) -> Samples:
        """Return some of the samples."""
        weight = None if self.weight is None else self.weight[rows]
        return Samples(self.x[rows], self.y[rows], weight)


class Fit:
    """One call of `fit` or `partial_fit` of an estimator, after its checks.

    mlp : the estimator, which has parameters to begin with. Its attributes are updated
    held : samples for early stopping; None to take some of the others
    random : the RandomState that is left after the initial parameters
    """

    @quiet
    def __init__(
        self, mlp: Any, samples: Samples, held: Samples | None, random: Any, partial: bool
    ) -> None:
        self.mlp, self.random, self.partial, self.held = mlp, random, partial, held
        self.best: tuple[list[Array], list[Array]] | None = None
        if mlp.early_stopping:
            if partial:
                remedy = f"Call fit: {NO_STOPPING}."
                raise refuse("early_stopping", "must be False in partial_fit", "True", remedy)
            if held is None:
                samples = self._hold_out(samples)
            elif len(held.x) < 2 and mlp._is_numeric:  # of one, there is no R^2
                raise refuse("X_val", "must have 2 samples or more", len(held.x), "Pass more.")
        self.x, self.y, self.weight = samples
        self.solver = Solver(
            mlp,
            len(self.x),
            self.weight,
            _batch_size(mlp.batch_size, len(self.x)),
            self.random.randint(2**31) if mlp.dropout else 0,
            mlp._solver_state if self.partial else None,
        )

    def _hold_out(self, samples: Samples) -> Samples:
        """Keep a share of the samples for validation, and return the others."""
        stratify = samples.y == 1 if self.mlp._stratifies else None
        count = len(samples.x)
        try:
            kept, held = train_test_split(
                np.arange(count),
                random_state=self.random,
                test_size=self.mlp.validation_fraction,
                stratify=stratify,
            )
        except ValueError as error:
            rule = "must hold out samples, and of two classes some of each"
            got = f"{self.mlp.validation_fraction} of {count} ({str(error).rstrip('.')})"
            raise refuse("validation_fraction", rule, got, RAISE) from None
        if len(held) < 2:
            rule, remedy = "must hold out 2 samples or more", f"{TOO_SMALL}. {RAISE}"
            raise refuse("validation_fraction", rule, f"{len(held)} of {count}", remedy)
        self.held = samples.at(held)
        for weight in (samples.at(kept).weight, self.held.weight):
            if weight is not None and not weight.any():
                rule, remedy = "must not all be 0 in one part", "Pass X_val and y_val."
                raise refuse("sample_weight", rule, "weights of 0", remedy)
        return samples.at(kept)

    @quiet
    def run(self) -> None:
        """Train until a rule stops it; then set the attributes that describe the result."""
        mlp = self.mlp
        mlp.n_iter_, mlp.loss_ = 0, np.nan
        self.calls = Calls(mlp, len(self.solver.sizes), len(self.x), self.partial)
        stopped = "an exception"
        try:
            stopped = "" if self.calls.begin() else self._run_epochs()
        except KeyboardInterrupt:
            stopped = "interrupted"
            self.solver.interrupt()
            warnings.warn("Training interrupted by user.", stacklevel=5)
        finally:
            self.calls.end(stopped)
        mlp._solver_state = self.solver.finish(keep_engine=self.partial)
        if self.best is not None:
            mlp.coefs_, mlp.intercepts_ = self.best
            if not np.isfinite(mlp.loss_):
                text = f"Training diverged in epoch {mlp.n_iter_}: the loss is {mlp.loss_}. The "
                text += "parameters are those of the best validation score, "
                text += f"{mlp.best_validation_score_:.4g}. {SLOWER}"
                warnings.warn(text, ConvergenceWarning, stacklevel=5)
        elif mlp.n_iter_ and not _are_finite(mlp):
            remedy = f"{NOT_FINITE}. {SLOWER}"
            rule = "must not make the loss or the parameters infinite"
            raise refuse("X, y and the learning rate", rule, f"the loss {mlp.loss_}", remedy)

    def _run_epochs(self) -> str:
        """Train until a rule or a callback stops it; return which rule did."""
        mlp, left = self.mlp, 1 if self.partial else self.mlp.max_iter
        order = np.arange(len(self.x))
        while left:
            orders = []
            for _ in range(self._epochs_ahead(left)):
                if mlp.shuffle:
                    # the permutation of sklearn.utils.shuffle: random_state means the same
                    shuffled = np.arange(len(order))
                    self.random.shuffle(shuffled)
                    order = order[shuffled]
                orders.append(order)
            if self.calls.begin_epoch():
                return ""
            rates = self._rates(len(orders))
            losses = self.solver.epochs(self.x, self.y, orders, rates).tolist()
            for loss, rate in zip(losses, rates, strict=False):
                over = self._ends(loss)
                score = mlp.validation_scores_[-1] if self.held is not None else None
                if self.calls.end_epoch(loss, score, rate, self.solver):
                    return ""
                if not np.isfinite(loss):  # all later ones would be NaN too
                    return f"diverged in epoch {mlp.n_iter_}"
                if over:
                    return "no improvement"
            left -= len(orders)
        if not self.partial:
            text = f"Training stopped after max_iter={mlp.max_iter} epochs, before it converged."
            warnings.warn(text, ConvergenceWarning, stacklevel=6)
        return f"all {mlp.n_iter_} epochs done"

    def _epochs_ahead(self, left: int) -> int:
        """Return how many epochs to train in one call of the engine, of those that are left.

        Calls cost time, and these epochs are taken in any case: no rule can stop before.
        """
        mlp, steps = self.mlp, len(self.solver.sizes)
        if self.held is not None or self.calls.callbacks:
            return 1
        patience = mlp.n_iter_no_change - mlp._no_improvement_count + 1
        return int(max(1, min(left, patience, MOST_STEPS // steps)))

    def _rates(self, epochs: int) -> list[float]:
        """Return the learning rates of so many next epochs, and the one after them, by its rule."""
        mlp, now = self.mlp, self.solver.state.rate
        if mlp.solver != "sgd" or mlp.learning_rate != "invscaling":
            return [now] * (epochs + 1)
        seen = [mlp.t_ + len(self.x) * k for k in range(1, epochs + 1)]
        return [now, *(mlp.learning_rate_init / (t + 1) ** mlp.power_t for t in seen)]

    def _ends(self, loss: float) -> bool:
        """Record an epoch, lower an adaptive learning rate, and return whether to stop."""
        mlp = self.mlp
        mlp.loss_ = loss
        mlp.loss_curve_.append(loss)
        mlp.n_iter_ += 1
        mlp.t_ += len(self.x)
        self._say(f"Iteration {mlp.n_iter_}, loss = {loss:.8f}")
        self._count_improvement(loss)
        if mlp._no_improvement_count > mlp.n_iter_no_change:
            if self._is_over():
                return True
            mlp._no_improvement_count = 0
        return False

    def _count_improvement(self, loss: float) -> None:
        """Count the epochs since the score, or without validation data the loss, got better."""
        mlp = self.mlp
        if self.held is None:
            improves, best = loss <= mlp.best_loss_ - mlp.tol, loss < mlp.best_loss_
            mlp.best_loss_ = loss if best else mlp.best_loss_
        else:
            x, y, weight = self.held
            a = mlp._outputs(x)
            score = mlp._score(a, y, weight) if np.isfinite(a).all() else np.nan
            mlp.validation_scores_.append(score)
            self._say(f"Validation score: {score:f}")
            improves = not score < mlp.best_validation_score_ + mlp.tol
            if score > mlp.best_validation_score_:
                mlp.best_validation_score_ = score
                self.best = [w.copy() for w in mlp.coefs_], [b.copy() for b in mlp.intercepts_]
        mlp._no_improvement_count = 0 if improves else mlp._no_improvement_count + 1

    def _is_over(self) -> bool:
        """Return whether training stops, which has not improved for long; or lower the rate."""
        mlp, rate = self.mlp, self.solver.state.rate
        what = "Training loss" if self.held is None else "Validation score"
        text = f"{what} did not improve more than tol={mlp.tol:f} for {mlp.n_iter_no_change} epochs"
        if mlp.solver != "sgd" or mlp.learning_rate != "adaptive" or rate <= LEAST_RATE:
            self._say(f"{text}. Stopping.")
            return True
        self.solver.set_rate(rate / DIVIDE_RATE)
        self._say(f"{text}. Setting learning rate to {rate / DIVIDE_RATE:f}")
        return False

    def _say(self, text: str) -> None:
        if self.mlp.verbose:
            print(text)  # noqa: T201  what verbose=True is for


def _are_finite(mlp: Any) -> bool:
    """Return whether loss and parameters are finite."""
    sums = map(np.sum, (*mlp.coefs_, *mlp.intercepts_))
    return bool(np.isfinite([mlp.loss_, *sums]).all())


def _batch_size(wanted: Any, samples: int) -> int:
    """Return the samples of a minibatch, at most all; a warning says so where more are wanted."""
    if wanted == "auto":
        return min(AUTO_BATCH, samples)
    if wanted > samples:
        text = f"batch_size={wanted} is more than the {samples} samples, and is clipped to them."
        warnings.warn(text, stacklevel=6)
    return min(int(wanted), samples)
