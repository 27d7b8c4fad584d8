"""The estimators in scikit-learn's tools, what they refuse, and their exchange with its own."""

import os
import pickle
import subprocess
import sys
import threading
import warnings
from copy import deepcopy
from pathlib import Path

import joblib
import numpy as np
import pytest

import fastmlp
import fastmlp.reference

pytest.importorskip("sklearn")

import sklearn.neural_network
from cases import KINDS, data
from scipy.sparse import csc_matrix, csr_matrix
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingRandomSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastmlp.estimator import MLPClassifier, MLPRegressor
from fastmlp.estimator.parameters import CLASS_WEIGHT, LOSS, SHARED
from fastmlp.estimator.team import team_limit

README = Path(__file__).parents[2] / "README.md"
CLASSES = {"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning"),
]


def made(kind, **settings):
    """Return an estimator for a kind of target, of few and quick epochs."""
    settings = {"hidden_layer_sizes": 8, "max_iter": 30, "random_state": 0} | settings
    return CLASSES[KINDS[kind]](learning_rate_init=0.01, **settings)


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([MLPClassifier(), MLPRegressor()])
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.parametrize("kind", KINDS)
def test_clone_and_pickle(kind):
    x, y = data(kind)
    fitted = made(kind).fit(x, y)
    again = clone(fitted).fit(x, y)
    kept = pickle.loads(pickle.dumps(fitted))
    for other in (again, kept):
        assert (other.predict(x) == fitted.predict(x)).all()
    # the optimiser's state too, and what a partial fit keeps beside it
    for _ in range(2):
        assert (kept.partial_fit(x, y).coefs_[0] == fitted.partial_fit(x, y).coefs_[0]).all()
        kept = pickle.loads(pickle.dumps(kept))
        for other in (kept, fitted):
            other.coefs_[0] /= 2


def test_pickles_may_lack_younger_parameters():
    x, y = data("classes")
    old = made("classes").fit(x, y)
    for row in (*SHARED[-3:], CLASS_WEIGHT):
        del vars(old)[row.name]
    old = clone(pickle.loads(pickle.dumps(old))).fit(x, y)
    assert (old.predict(x) == made("classes").fit(x, y).predict(x)).all()


def test_grid_search_in_two_processes():
    x, y = data("classes")
    grid = {"mlpclassifier__hidden_layer_sizes": [(4,), (8, 4)]}
    search = GridSearchCV(make_pipeline(StandardScaler(), made("classes")), grid, n_jobs=2, cv=3)
    assert search.fit(x, y).best_score_ > 0.7


def test_halving_search_in_two_threads():
    x, y = data("number")
    drawn = {"alpha": [1e-5, 1e-3, 0.1], "hidden_layer_sizes": [4, 8, 16]}
    settings = {"n_candidates": 6, "cv": 3, "random_state": 0, "n_jobs": 2}
    search = HalvingRandomSearchCV(made("number"), drawn, **settings)
    with joblib.parallel_backend("threading"):
        search.fit(x, y)
    alone = clone(search).set_params(n_jobs=1).fit(x, y)
    assert search.best_params_ == alone.best_params_
    assert search.best_score_ == alone.best_score_


def test_cross_validation_of_a_pipeline():
    x, y = data("number")
    found = cross_validate(make_pipeline(StandardScaler(), made("number", max_iter=200)), x, y)
    assert (found["test_score"] > 0.7).all()


@pytest.mark.parametrize("kind", ["classes", "number"])
def test_sparse_matrices_are_as_dense_ones(kind):
    x, y = data(kind)
    x[np.abs(x) < 0.8] = 0
    dense = made(kind).fit(x, y)
    for form in (csr_matrix, csc_matrix):
        sparse = made(kind).fit(form(x), y)
        for mine, theirs in zip(sparse.coefs_, dense.coefs_, strict=True):
            np.testing.assert_allclose(mine, theirs, atol=1e-9)
        answer = "predict_proba" if kind == "classes" else "predict"
        mine, theirs = getattr(sparse, answer)(form(x)), getattr(dense, answer)(x)
        np.testing.assert_allclose(mine, theirs, atol=1e-9)


def test_data_frames_give_the_names_of_features():
    pandas = pytest.importorskip("pandas")
    x, y = data("binary")
    frame = pandas.DataFrame(x, columns=list("abcdefg"))
    fitted = made("binary").fit(frame, y)
    assert fitted.feature_names_in_.tolist() == list("abcdefg")
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict(frame.rename(columns={"a": "z"}))


def test_labels_can_be_a_sparse_indicator_matrix():
    x, y = data("labels")
    dense, sparse = made("labels").fit(x, y), made("labels").fit(x, csr_matrix(y))
    assert (sparse.predict(x).toarray() == dense.predict(x)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_exchange_with_scikit_learn(kind):
    x, y = data(kind)
    ours = made(kind, activation="logistic").fit(x, y)
    theirs = ours.to_sklearn()
    assert type(theirs) is getattr(sklearn.neural_network, KINDS[kind])
    back = type(ours).from_sklearn(theirs)
    for other in (theirs, back):
        if KINDS[kind] == "MLPClassifier":
            assert (other.predict(x) == ours.predict(x)).all()
        else:
            np.testing.assert_allclose(other.predict(x), ours.predict(x), atol=1e-12)
        other.set_params(warm_start=True).fit(x, y)
        other.partial_fit(x, y)
    theirs.coefs_[0][...] = 7
    assert (ours.coefs_[0] != 7).all()


def test_exchange_of_what_was_not_fitted_or_was_fitted_by_lbfgs():
    x, y = data("classes")
    assert made("classes").to_sklearn().get_params()["hidden_layer_sizes"] == 8
    theirs = sklearn.neural_network.MLPClassifier((8,), solver="lbfgs", max_iter=9).fit(x, y)
    ours = MLPClassifier.from_sklearn(theirs)
    assert (ours.predict(x) == theirs.predict(x)).all()
    with pytest.raises(fastmlp.ArgumentError, match="solver"):
        ours.fit(x, y)
    with pytest.raises(fastmlp.ArgumentError, match="estimator must be scikit-learn's"):
        MLPRegressor.from_sklearn(theirs)
    with pytest.raises(fastmlp.ArgumentError, match="activation"):
        made("classes", activation="gelu").to_sklearn()


@pytest.mark.parametrize("activation", ["gelu", "selu", "sigmoid"])
def test_activations_of_fastmlp(activation):
    x, y = data("classes")
    assert made("classes", activation=activation, max_iter=100).fit(x, y).score(x, y) > 0.7


# For each parameter values that its rule refuses
BAD = {
    "loss": ["poisson", 3],
    "hidden_layer_sizes": [0, (5, -1), (2.5,), "wide"],
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
    "callbacks": [3, [None], "log.csv"],
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


def test_validation_data_have_known_labels():
    x, y = data("classes")
    with pytest.raises(fastmlp.ArgumentError, match="y must be known"):
        made("classes", early_stopping=True).fit(x, y, X_val=x[:2], y_val=["a", "d"])


def test_what_partial_fit_refuses():
    x, y = data("classes")
    with pytest.raises(fastmlp.ArgumentError, match="classes must be given"):
        made("classes").partial_fit(x, y)
    begun = made("classes").partial_fit(x, y, classes=["a", "b", "c"])
    with pytest.raises(fastmlp.ArgumentError, match="classes must stay"):
        begun.partial_fit(x, y, classes=["a", "b"])
    with pytest.raises(fastmlp.ArgumentError, match="y must be known"):
        begun.partial_fit(x[:2], ["a", "d"])
    with pytest.raises(fastmlp.ArgumentError, match="early_stopping"):
        made("classes", early_stopping=True).partial_fit(x, y, classes=["a", "b", "c"])


def test_other_targets_than_before_are_refused():
    x, y = data("numbers")
    fitted = made("numbers", warm_start=True).fit(x, y)
    with pytest.raises(fastmlp.ArgumentError, match="y must have 3 columns"):
        fitted.fit(x, y[:, 0])
    x, y = data("classes")
    fitted = made("classes", warm_start=True).fit(x, y)
    with pytest.raises(fastmlp.ArgumentError, match="same classes"):
        fitted.fit(x[y != "a"], y[y != "a"])


def test_parameters_that_become_infinite_are_an_error():
    x, y = data("number")
    with pytest.raises(ValueError, match="must not make the loss"):
        made("number", solver="sgd", max_iter=300).set_params(learning_rate_init=1e6).fit(x, y)


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


def test_threads_are_limited_where_others_work_too(monkeypatch):
    monkeypatch.setattr("fastmlp.estimator.team.usable_cores", lambda: 8)
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    assert team_limit(None) is None
    assert team_limit(3) == 3
    monkeypatch.setenv("NUMBA_NUM_THREADS", "4")
    monkeypatch.setenv("OMP_NUM_THREADS", "2,1")
    assert team_limit(None) == 2
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    monkeypatch.setenv("NUMBA_NUM_THREADS", "none")
    assert team_limit(None) is None
    found = []
    thread = threading.Thread(target=lambda: found.extend([team_limit(None), team_limit(3)]))
    thread.start()
    thread.join()
    assert found == [1, 3]


def test_fits_in_two_threads_are_as_in_one():
    x, y = data("classes")
    alone, found = made("classes").fit(x, y), {}

    def fit(k):
        with warnings.catch_warnings():
            found[k] = made("classes").fit(x, y).predict_proba(x)

    threads = [threading.Thread(target=fit, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((found[k] == alone.predict_proba(x)).all() for k in range(4))


def test_without_scikit_learn_the_extra_is_named(tmp_path):
    (tmp_path / "sklearn.py").write_text("raise ImportError('none here')")
    path = os.pathsep.join((str(tmp_path), str(README.parent)))
    done = subprocess.run(
        [sys.executable, "-c", "import fastmlp.estimator"],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert 'pip install "fastmlp[sklearn]"' in done.stderr


def test_the_example_of_the_readme(capsys):
    blocks = README.read_text().split("```python\n")[1:]
    (block,) = (b.split("```")[0] for b in blocks if "fastmlp.estimator" in b)
    exec(compile(block, "README.md", "exec"), {})
    assert float(capsys.readouterr().out.split()[-1]) > 0.975
