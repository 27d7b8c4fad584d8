"""The estimators train as scikit-learn's do: the same steps, orders, losses and stops."""

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")

import sklearn.neural_network
from cases import KINDS, SETTINGS, data
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import has_fit_parameter

import fastmlp.estimator

LISTS = ("loss_curve_", "validation_scores_", "coefs_", "intercepts_")
VALUES = (
    *("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_"),
    *("loss_", "best_loss_", "best_validation_score_"),
)


def both(kind, **settings):
    """Return scikit-learn's estimator and that of fastmlp, for a kind of target."""
    settings = {"hidden_layer_sizes": (9, 6), "random_state": 3, "max_iter": 5} | settings
    modules = sklearn.neural_network, fastmlp.estimator
    return [getattr(module, KINDS[kind])(**settings) for module in modules]


def quietly(method, *arguments, **named):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return method(*arguments, **named)


def largest_difference(theirs, ours):
    pairs = zip(theirs.coefs_ + theirs.intercepts_, ours.coefs_ + ours.intercepts_, strict=True)
    return max(np.abs(a - b).max() for a, b in pairs)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SETTINGS)
def test_a_fit_has_the_results_of_scikit_learn(kind, name):
    x, y = data(kind)
    theirs, ours = (quietly(one.fit, x, y) for one in both(kind, **SETTINGS[name]))
    check_attributes(theirs, ours)
    wanted, found = theirs.predict(x), ours.predict(x)
    assert found.dtype == wanted.dtype
    assert found.shape == wanted.shape
    if KINDS[kind] == "MLPClassifier":
        assert (found == wanted).all()
        np.testing.assert_allclose(ours.predict_proba(x), theirs.predict_proba(x), atol=1e-9)
        np.testing.assert_allclose(
            ours.predict_log_proba(x), theirs.predict_log_proba(x), atol=1e-9
        )
    assert ours.score(x, y) == pytest.approx(theirs.score(x, y))


def check_attributes(theirs, ours):
    for attribute in VALUES:
        wanted, found = getattr(theirs, attribute), getattr(ours, attribute)
        assert found == (wanted if isinstance(wanted, str) else pytest.approx(wanted, abs=1e-5))
    for attribute in LISTS:
        wanted, found = getattr(theirs, attribute), getattr(ours, attribute)
        assert (wanted is None) == (found is None)
        for a, b in zip(wanted or [], found or [], strict=True):
            # if it is small, the L2 term of the loss is interpolated
            np.testing.assert_allclose(b, a, rtol=0, atol=1e-5 if attribute in LISTS[:1] else 1e-9)


@pytest.mark.skipif(
    not has_fit_parameter(sklearn.neural_network.MLPRegressor(), "sample_weight"),
    reason="scikit-learn has sample_weight since 1.7",
)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["adam, decay", "adam, batch 32", "sgd, decay", "early stopping"])
def test_a_weighted_fit_has_the_results_of_scikit_learn(kind, name):
    x, y = data(kind)
    weight = np.random.default_rng(2).choice([0.0, 0.25, 1.5], len(x))
    theirs, ours = both(kind, **SETTINGS[name])
    for one in (theirs, ours):
        quietly(one.fit, x, y, sample_weight=weight)
    check_attributes(theirs, ours)
    if not ours.early_stopping:
        for one in (theirs, ours):
            one.partial_fit(x[:50], y[:50], weight[:50])
        assert largest_difference(theirs, ours) < 1e-9


@pytest.mark.skipif(
    not hasattr(sklearn.neural_network.MLPRegressor(), "loss"),
    reason="scikit-learn has loss since 1.7",
)
@pytest.mark.parametrize("kind", ["numbers", "number"])
@pytest.mark.parametrize("name", ["adam, decay", "adam, batch 32", "sgd", "early stopping"])
@pytest.mark.parametrize("weighted", [False, True])
def test_counts_have_the_results_of_scikit_learn(kind, name, weighted):
    x, y = data(kind)
    y = np.random.default_rng(1).poisson(np.exp(y)).astype(float)
    assert (y == 0).any()
    weight = np.random.default_rng(2).choice([0.0, 0.25, 1.5], len(x)) if weighted else None
    theirs, ours = both(kind, **SETTINGS[name], loss="poisson")
    for one in (theirs, ours):
        quietly(one.fit, x, y, sample_weight=weight)
    check_attributes(theirs, ours)
    for one in (type(ours).from_sklearn(theirs), ours.to_sklearn(), ours):
        np.testing.assert_allclose(one.predict(x), theirs.predict(x))
    with pytest.raises(ValueError, match="y must be at least 0 with loss="):
        ours.fit(x, y - 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_steps_from_the_same_parameters_in_the_same_order(kind, solver):
    x, y = data(kind)
    theirs, ours = both(kind, solver=solver, shuffle=False, warm_start=True, max_iter=1)
    for one in (theirs, ours):
        quietly(one.fit, x, y)
        one.set_params(max_iter=5)
    generator = np.random.default_rng(1)
    for k, w in enumerate(theirs.coefs_):
        ours.coefs_[k][...] = w[...] = generator.normal(size=w.shape)
    for one in (theirs, ours):
        quietly(one.fit, x, y)
    assert len(theirs.loss_curve_) == len(ours.loss_curve_) == 6
    assert largest_difference(theirs, ours) < 1e-9


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("settings", [{}, {"solver": "sgd", "learning_rate": "invscaling"}])
def test_partial_fits_continue(kind, settings):
    x, y = data(kind)
    theirs, ours = both(kind, **settings)
    for one in (theirs, ours):
        named = {}
        if KINDS[kind] == "MLPClassifier":
            named = {"classes": np.arange(3) if kind == "labels" else np.unique(y)}
        one.partial_fit(x, y, **named)
        for part in (slice(0, 50), slice(50, 300)):
            one.partial_fit(x[part], y[part])
    assert largest_difference(theirs, ours) < 1e-9
    assert ours.t_ == theirs.t_ == 630


@pytest.mark.parametrize("n_iter_no_change", [1, 4])
@pytest.mark.parametrize("samples", [60, 330])
@pytest.mark.parametrize("kind", ["classes", "number"])
def test_both_stop_after_the_same_epoch(n_iter_no_change, samples, kind):
    x, y = data(kind)
    x, y = x[:samples], y[:samples]
    settings = {"tol": 0.005, "n_iter_no_change": n_iter_no_change, "max_iter": 400}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        theirs, ours = (one.fit(x, y) for one in both(kind, learning_rate_init=0.01, **settings))
    assert 10 < ours.n_iter_ == theirs.n_iter_ < 400
    assert largest_difference(theirs, ours) < 1e-9


# Fits of which the L2 term of the loss is large beside tol; of the last, the weights vanish
LARGE_TERMS = {
    "adaptive": {
        "solver": "sgd",
        "learning_rate": "adaptive",
        "learning_rate_init": 0.1,
        "alpha": 1,
        "hidden_layer_sizes": 12,
        "max_iter": 400,
        "random_state": 1,
    },
    "small batches": {
        "alpha": 3,
        "batch_size": 2,
        "learning_rate_init": 0.003,
        "tol": 1e-6,
        "n_iter_no_change": 3,
        "max_iter": 60,
        "hidden_layer_sizes": 5,
        "random_state": 0,
    },
    "no weights": {
        "alpha": 8.2,
        "batch_size": 5,
        "learning_rate_init": 0.003,
        "max_iter": 200,
        "hidden_layer_sizes": 14,
        "random_state": 16,
    },
}


@pytest.mark.parametrize("name", LARGE_TERMS)
def test_losses_have_the_whole_l2_term_where_it_is_large_with_and_without_callbacks(name):
    x, y = (load_iris if name == "small batches" else load_breast_cancer)(return_X_y=True)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    theirs, ours = (quietly(one.fit, x, y) for one in both("classes", **LARGE_TERMS[name]))
    called = both("classes", **LARGE_TERMS[name])[1].set_params(callbacks=lambda progress: None)
    quietly(called.fit, x, y)
    assert called.loss_curve_ == ours.loss_curve_
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-9)
    assert largest_difference(theirs, ours) < 1e-9


def test_float32_stays():
    x, y = data("classes", np.float32)
    theirs, ours = (quietly(one.fit, x, y) for one in both("classes"))
    assert {w.dtype for w in ours.coefs_ + ours.intercepts_} == {np.dtype(np.float32)}
    assert ours.predict_proba(x).dtype == np.float32
    assert largest_difference(theirs, ours) < 1e-5


def test_parameters_and_defaults_are_those_of_scikit_learn():
    for kind in ("classes", "number"):
        theirs, ours = (type(one)().get_params() for one in both(kind))
        added = {"threads", "dropout", "callbacks"} | {
            "class_weight" if kind == "classes" else "loss"
        }
        assert ours.keys() - theirs.keys() <= added  # loss is of 1.7
        assert {name: ours[name] for name in theirs} == theirs
