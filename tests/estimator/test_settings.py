"""What the estimators' parameters do, what is refused, and what is printed."""

import warnings
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest

import fastmlp
import fastmlp.reference

pytest.importorskip("sklearn")

from cases import KINDS, data, made
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.utils.class_weight import compute_sample_weight

from fastmlp.errors import CallError
from fastmlp.estimator import MLPClassifier, MLPRegressor
from fastmlp.estimator.parameters import CLASS_WEIGHT, LOSS, SHARED

README = Path(__file__).parents[2] / "README.md"
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning"),
]


BAD = {
    "loss": ["absolute_error", 3],
    "hidden_layer_sizes": [0, (5, -1), (2.5,), "wide", ((5,),)],
    "activation": ["softmax", "Relu", None],
    "solver": ["lbfgs", "momentum"],
    "alpha": [-1, "small", None],
    "batch_size": [0, 2.5, "all"],
    "learning_rate": ["linear", 0.1],
    "learning_rate_init": [0, float("nan"), True],
    "power_t": [-1],
    "max_iter": [0, 1.5],
    "shuffle": [1, "yes"],
    "random_state": [-1, "zero"],
    "tol": [-1e-3],
    "verbose": [-1, "loud"],
    "warm_start": [0],
    "momentum": [1.5, -0.1],
    "nesterovs_momentum": [1],
    "early_stopping": [3],
    "validation_fraction": [1, -0.1],
    "beta_1": [1, -1],
    "beta_2": [1.0],
    "epsilon": [0],
    "n_iter_no_change": [0, 2.5],
    "max_fun": [0],
    "threads": [0, 1.5],
    "dropout": [1, -0.1, "half"],
    "callbacks": [3, [None], "log.csv", int],
    "class_weight": ["even", 3],
}


@pytest.mark.parametrize("row", [LOSS, *SHARED, CLASS_WEIGHT], ids=lambda row: row.name)
def test_bad_parameters_are_named_by_fit_and_not_before(row):
    x, y = data("number")
    kind = MLPClassifier if row is CLASS_WEIGHT else MLPRegressor
    for value in BAD[row.name]:
        estimator = kind(**{row.name: value})
        with pytest.raises(fastmlp.ArgumentError, match=f"{row.name} must") as caught:
            estimator.fit(x, y)
        assert repr(value) in str(caught.value)
    assert row.holds(row.default)
    assert f"{row.name} : {row.meaning}" in kind.__doc__


def same_parameters(one, other):
    """Whether two estimators have the same coefficients and intercepts, except for rounding."""
    pairs = zip(one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_, strict=True)
    return all(np.allclose(a, b, rtol=0, atol=1e-9) for a, b in pairs)


@pytest.mark.parametrize("kind", ["classes", "binary"])
def test_weights_of_classes_are_factors_on_those_of_samples(kind):
    x, y = data(kind)
    last, w = np.unique(y)[-1], np.random.default_rng(0).uniform(size=len(x))
    factor = np.where(y == last, 3.0, 1.0)
    balanced = len(y) / np.unique(y).size / np.array([(y == label).sum() for label in y])
    for class_weight, weight in (({last: 3.0}, factor), ("balanced", balanced)):
        given = made(kind, class_weight=class_weight).fit(x, y, w)
        assert same_parameters(given, made(kind).fit(x, y, w * weight))
        assert not same_parameters(given, made(kind).fit(x, y, w))
    given = made(kind, class_weight={last: 3.0}).partial_fit(x[:9], y[:9], classes=np.unique(y))
    named = {"classes": np.unique(y), "sample_weight": factor[:9]}
    assert same_parameters(given, made(kind).partial_fit(x[:9], y[:9], **named))


def test_what_weights_refuse():
    x, y = data("classes")
    for weight in (-1, np.ones(3), np.zeros(len(x)), [["many"]]):
        with pytest.raises(fastmlp.ArgumentError, match="sample_weight must"):
            made("classes").fit(x, y, weight)
    weight = np.zeros(len(x))
    weight[0] = 1
    with pytest.raises(fastmlp.ArgumentError, match="sample_weight must not all be 0"):
        made("classes", early_stopping=True).fit(x, y, weight)
    with pytest.raises(fastmlp.ArgumentError, match="class_weight must be known"):
        made("classes", class_weight="balanced").partial_fit(x, y, classes=["a", "b", "c"])
    with pytest.raises(ValueError, match="not in class_weight"):
        made("classes", class_weight={"d": 2.0}).fit(x, y)
    x, y = data("labels")
    with pytest.raises(fastmlp.ArgumentError, match="class_weight must be None"):
        made("labels", class_weight="balanced").fit(x, y)


def test_dropout_is_that_of_the_reference(monkeypatch):
    x, y = data("classes")
    settings = {"hidden_layer_sizes": (9, 6), "max_iter": 5, "shuffle": False}
    ours, without = (made("classes", dropout=p, **settings).fit(x, y) for p in (0.4, 0.0))
    assert not same_parameters(ours, without)
    other = deepcopy(ours).set_params(random_state=1).partial_fit(x, y)
    assert not same_parameters(ours.partial_fit(x, y), other)
    monkeypatch.setattr("fastmlp.estimator.solver.backend_named", lambda name: fastmlp.reference)
    again = made("classes", dropout=0.4, **settings).fit(x, y).partial_fit(x, y)
    assert same_parameters(ours, again)


@pytest.mark.parametrize("kind", KINDS)
def test_validation_data_stop_early_and_nothing_is_held_out(kind):
    x, y = data(kind)
    held = {"X_val": x[300:], "y_val": y[300:]}
    stopped = made(kind, early_stopping=True, max_iter=1).fit(x[:300], y[:300], **held)
    assert same_parameters(stopped, made(kind, max_iter=1).fit(x[:300], y[:300]))
    assert stopped.validation_scores_ == [pytest.approx(stopped.score(x[300:], y[300:]))]
    for named in (held, {"X_val": x[300:]}):
        flag = named is not held
        with pytest.raises(fastmlp.ArgumentError, match="X_val, y_val must be given together"):
            made(kind, early_stopping=flag).fit(x, y, **named)


@pytest.mark.parametrize("kind", ["classes", "binary"])
@pytest.mark.parametrize("class_weight", ["balanced", 5.0])
def test_weights_of_classes_count_for_validation_data(kind, class_weight):
    x, y = data(kind)
    class_weight = class_weight if class_weight == "balanced" else {y[0]: class_weight}
    settings = {"class_weight": class_weight, "early_stopping": True, "max_iter": 1}
    fitted = made(kind, **settings).fit(x[:300], y[:300], X_val=x[300:], y_val=y[300:])
    weight = compute_sample_weight(class_weight, y[:300])
    of_label = dict(zip(y[:300], weight, strict=True))
    wanted = fitted.score(x[300:], y[300:], [of_label[label] for label in y[300:]])
    assert fitted.validation_scores_ == [pytest.approx(wanted)]
    assert wanted != pytest.approx(fitted.score(x[300:], y[300:]))


def test_validation_data_have_known_labels():
    x, y = data("classes")
    with pytest.raises(fastmlp.ArgumentError, match="y_val must have no new class"):
        made("classes", early_stopping=True).fit(x, y, X_val=x[:2], y_val=["a", "d"])


def test_samples_to_hold_out_are_of_both_classes():
    x, y = data("binary")
    rare = np.where(np.arange(len(y)) == 3, "yes", "no")
    for labels, count, share in ((rare, 330, 0.1), (y, 9, 0.1), (y, 330, 0.0)):
        with pytest.raises(
            fastmlp.ArgumentError, match=r"validation_fraction must hold out .* X_v"
        ):
            made("binary", early_stopping=True, validation_fraction=share).fit(
                x[:count], labels[:count]
            )
    made("binary", early_stopping=True, class_weight={}).fit(x, y, X_val=x[:1], y_val=y[:1])
    x, y = data("number")
    with pytest.raises(fastmlp.ArgumentError, match="X_val must have 2 samples or more; got 1"):
        made("number", early_stopping=True).fit(x, y, X_val=x[:1], y_val=y[:1])


def test_what_is_set_or_given_is_named_when_it_is_used():
    x, y = data("classes")
    with pytest.raises(fastmlp.ArgumentError, match="activation must be one of"):
        made("classes").fit(x, y).set_params(activation="soft").predict(x)
    for mixed in ([1, "a"] * 165, ["a", None] * 165):
        with pytest.raises(CallError, match=r"y must be .* all of one kind"):
            made("classes").fit(x, np.array(mixed, object))
    with pytest.raises(fastmlp.ArgumentError, match="class_weight must not be 0 for all of y"):
        made("classes", class_weight=dict.fromkeys("abc", 0)).fit(x, y)
    made("classes", threads=10**6, max_iter=1).fit(x, y)


def test_what_partial_fit_refuses():
    x, y = data("classes")
    with pytest.raises(fastmlp.ArgumentError, match="classes must be given"):
        made("classes").partial_fit(x, y)
    begun = made("classes").partial_fit(x, y, classes=["a", "b", "c"])
    with pytest.raises(fastmlp.ArgumentError, match="classes must stay"):
        begun.partial_fit(x, y, classes=["a", "b"])
    with pytest.raises(
        fastmlp.ArgumentError, match=r"no new class.* classes to the first partial_"
    ):
        begun.partial_fit(x[:2], ["a", "d"])
    with pytest.raises(fastmlp.ArgumentError, match="early_stopping"):
        made("classes", early_stopping=True).partial_fit(x, y, classes=["a", "b", "c"])


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("kind", ["classes", "number"])
def test_records_begin_anew_where_early_stopping_changes(kind, method):
    x, y = data(kind)
    stops = method == "fit"
    mlp = made(kind, warm_start=True, max_iter=3, early_stopping=not stops).fit(x, y)
    getattr(mlp.set_params(early_stopping=stops), method)(x, y)
    assert len(mlp.loss_curve_) == mlp.n_iter_ == (3 if stops else 1)
    assert (mlp.validation_scores_ is None, mlp.best_loss_ is None) == (not stops, stops)


def test_other_targets_than_before_are_refused():
    x, y = data("numbers")
    fitted = made("numbers", warm_start=True).fit(x, y)
    with pytest.raises(fastmlp.ArgumentError, match="y must have 3 columns"):
        fitted.fit(x, y[:, 0])
    with pytest.raises(fastmlp.ArgumentError, match="loss must be that of the first fit"):
        fitted.set_params(loss="poisson").fit(x, y)
    x, y = data("classes")
    fitted = made("classes", warm_start=True).fit(x, y)
    theirs = "warm_start can only be used where `y` has the same classes as in the previous call to"
    with pytest.raises(fastmlp.ArgumentError, match=theirs):
        fitted.fit(x[y != "a"], y[y != "a"])


def test_parameters_that_become_infinite_are_an_error():
    x, y = data("number")
    with pytest.raises(ValueError, match="must not make the loss"):
        made("number", solver="sgd", max_iter=300).set_params(learning_rate_init=1e6).fit(x, y)


@pytest.mark.parametrize("kind", ["number", "numbers"])
def test_a_fit_that_diverges_says_so_and_keeps_the_best_parameters(kind):
    x, y = data(kind)
    ends, settings = [], {"solver": "sgd", "activation": "identity", "early_stopping": True}
    settings |= {"callbacks": lambda progress: ends.append(progress.history), "max_iter": 300}
    diverging = made(kind, **settings).set_params(learning_rate_init=1e3)
    with pytest.warns(ConvergenceWarning, match="Training diverged in epoch .* Scale X and y"):
        diverging.fit(x, y)
    assert ends[-1].stopped == f"diverged in epoch {diverging.n_iter_}"
    assert all(np.isfinite(w).all() for w in diverging.coefs_)
    assert diverging.best_validation_score_ == np.nanmax(diverging.validation_scores_)


def test_warnings_and_printed_losses(capsys):
    x, y = data("binary")
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        made("binary", max_iter=2, verbose=True).fit(x, y)
    assert [line.split(",")[0] for line in capsys.readouterr().out.splitlines()] == [
        "Iteration 1",
        "Iteration 2",
    ]
    with pytest.warns(UserWarning, match="batch_size=999"):
        made("binary", batch_size=999).fit(x, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        made("binary", max_iter=1, n_iter_no_change=1).partial_fit(x, y, classes=["no", "yes"])
