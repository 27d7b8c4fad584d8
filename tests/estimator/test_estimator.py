"""The estimators in scikit-learn's tools, and their exchange with its own."""

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
from cases import KINDS, data, made
from scipy.sparse import csc_matrix, csr_matrix
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingRandomSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastmlp.estimator import MLPClassifier, MLPRegressor
from fastmlp.estimator.parameters import CLASS_WEIGHT, SHARED
from fastmlp.estimator.team import team_limit

README = Path(__file__).parents[2] / "README.md"
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning"),
]


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


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_exchange_with_scikit_learn(kind, early_stopping):
    x, y = data(kind)
    ours = made(kind, activation="logistic", early_stopping=early_stopping).fit(x, y)
    theirs = ours.to_sklearn()
    assert type(theirs) is getattr(sklearn.neural_network, KINDS[kind])
    back = type(ours).from_sklearn(theirs)
    for other in (theirs, back):
        if KINDS[kind] == "MLPClassifier":
            assert (other.predict(x) == ours.predict(x)).all()
        else:
            np.testing.assert_allclose(other.predict(x), ours.predict(x), atol=1e-12)
        other.set_params(warm_start=True).fit(x, y)
        if not early_stopping:
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
    assert len(ours.set_params(solver="adam").partial_fit(x, y).loss_curve_) == 1
    with pytest.raises(fastmlp.ArgumentError, match="estimator must be scikit-learn's"):
        MLPRegressor.from_sklearn(theirs)
    with pytest.raises(fastmlp.ArgumentError, match="activation"):
        made("classes", activation="gelu").to_sklearn()


def test_a_loss_that_an_older_scikit_learn_has_not(monkeypatch):
    class Older(MLPRegressor._peer):
        def get_params(self, deep=True):
            return {name: v for name, v in super().get_params(deep).items() if name != "loss"}

    monkeypatch.setattr(MLPRegressor, "_peer", Older)
    x, y = data("number")
    assert isinstance(made("number").fit(x, y).to_sklearn(), Older)
    with pytest.raises(
        fastmlp.ArgumentError, match=r"loss must be one .* Install scikit-learn 1.7"
    ):
        made("number", loss="poisson").to_sklearn()


@pytest.mark.parametrize("kind", ["binary", "number"])
def test_training_goes_on_from_parameters_that_are_read_only(kind):
    x, y = data(kind)
    first = made(kind, warm_start=True).fit(x, y)
    loaded = deepcopy(first)
    for array in (*loaded.coefs_, *loaded.intercepts_):  # as joblib maps them
        array.setflags(write=False)
    for go_on in ("partial_fit", "fit"):
        getattr(first, go_on)(x, y)
        getattr(loaded, go_on)(x, y)
        for one, other in zip(first.coefs_, loaded.coefs_, strict=True):
            np.testing.assert_array_equal(one, other)
    loaded.coefs_[0] = loaded.coefs_[0][:2]
    with pytest.raises(fastmlp.ArgumentError, match="coefs_ must be"):
        loaded.partial_fit(x, y)


@pytest.mark.parametrize("activation", ["gelu", "selu", "sigmoid"])
def test_activations_of_fastmlp(activation):
    x, y = data("classes")
    assert made("classes", activation=activation, max_iter=100).fit(x, y).score(x, y) > 0.7


# For each parameter values that its rule refuses
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
