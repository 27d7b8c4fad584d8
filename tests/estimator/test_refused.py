"""A call that is refused leaves an estimator as it was."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.exceptions import NotFittedError

from fastmlp.errors import ArgumentError
from fastmlp.estimator import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = np.random.default_rng(0).normal(size=(300, 50))
Y = (X[:, 0] > 0) + 0
NAN = np.full(300, np.nan)
EARLY = {"early_stopping": True}
# Parameters that are set, a call that is refused, and its arguments
REFUSED = {
    "other rows, labels that are none": ({}, "fit", {"X": X[:, :3], "y": Y + 0.5}),
    "other rows, weights": ({}, "fit", {"X": X[:, :3], "y": Y, "sample_weight": X[:, 0]}),
    "other rows, a part": ({}, "partial_fit", {"X": X[:, :3], "y": Y, "classes": [0, 1]}),
    "weights that are NaN": (
        {},
        "fit",
        {"X": X, "y": Y * 2, "sample_weight": NAN},
    ),
    "labels for validation": (EARLY, "fit", {"X": X, "y": Y, "X_val": X, "y_val": Y + 1}),
    "too few held out": ({**EARLY, "validation_fraction": 0.001}, "fit", {"X": X, "y": Y}),
    "a part, early stopping": (EARLY, "partial_fit", {"X": X, "y": Y, "classes": [0, 1]}),
    "layers beyond memory": ({"hidden_layer_sizes": 10**12}, "fit", {"X": X, "y": Y}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_call_changes_nothing(name):
    settings, method, given = REFUSED[name]
    new, fitted = (MLPClassifier((5,), max_iter=5, random_state=0) for _ in range(2))
    probabilities = fitted.fit(X, Y).predict_proba(X)
    before = dict(vars(fitted.set_params(**settings)))
    for mlp in (fitted, new.set_params(**settings)):
        if mlp is fitted or given["X"] is X:
            with pytest.raises(ValueError, match=r"."):
                getattr(mlp, method)(**given)
    assert vars(fitted) == before
    np.testing.assert_array_equal(fitted.predict_proba(X), probabilities)
    with pytest.raises(NotFittedError):
        new.predict(X)
    with pytest.raises(ValueError, match="3 features, but MLPClassifier is expecting 50"):
        fitted.predict(X[:, :3])


def test_a_refused_call_draws_no_numbers():
    random, other = (np.random.RandomState(3) for _ in range(2))
    refused, plain = (MLPClassifier(5, max_iter=2, random_state=r) for r in (random, other))
    with pytest.raises(ArgumentError, match="sample_weight must be"):
        refused.fit(X, Y, sample_weight=NAN)
    assert refused.fit(X, Y).loss_ == plain.fit(X, Y).loss_


def test_hidden_layers_stay_those_of_the_first_call():
    fitted = MLPClassifier(5, max_iter=2, warm_start=True).fit(X, Y)
    fitted.set_params(hidden_layer_sizes=np.array([5])).fit(X, Y)
    for call in (fitted.fit, fitted.partial_fit):
        fitted.set_params(hidden_layer_sizes=(5, 5))
        with pytest.raises(ArgumentError, match=r"_sizes must stay \[5\]; got \(5, 5\)"):
            call(X, Y)


def test_rows_of_another_width_are_refused_by_a_predictor_that_is_kept():
    fitted = MLPRegressor(hidden_layer_sizes=(5,), max_iter=2).fit(X, X[:, 0])
    fitted.predict(X)
    fitted.n_features_in_ = 3
    with pytest.raises(ArgumentError, match="rows must have 50 columns; got 3"):
        fitted.predict(X[:, :3])
