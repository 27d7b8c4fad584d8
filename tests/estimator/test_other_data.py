"""Data of another kind than before, or than an estimator takes, are refused by name."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from scipy.sparse import csr_matrix

from fastmlp.estimator import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = np.random.default_rng(0).normal(size=(60, 4))
LABELS, TWO, MATRIX = np.arange(60) % 3, np.arange(60) % 2, (X[:, :3] > 0) * 1
# y of the first call, y of the next, and what is said
KINDS = {
    "a matrix after labels": (LABELS, MATRIX, "must be labels"),
    "two columns after labels": (
        LABELS,
        MATRIX[:, :2],
        "must be labels|must have the same classes",
    ),
    "a matrix after two classes": (TWO, MATRIX[:, :2], "must be labels"),
    "labels after a matrix": (MATRIX, LABELS, "must be an indicator matrix"),
    "two classes after a matrix": (MATRIX[:, :2], TWO, "must be an indicator matrix"),
    "more columns": (MATRIX[:, :2], MATRIX, "must have no new class|must have the same classes"),
}


@pytest.mark.parametrize("name", KINDS)
def test_y_of_another_kind_is_refused(name):
    first, then, says = KINDS[name]
    for call in (
        lambda mlp: mlp.fit(X, first).partial_fit(X, then),
        lambda mlp: mlp.set_params(warm_start=True).fit(X, first).fit(X, then),
        lambda mlp: mlp.set_params(early_stopping=True).fit(X, first, X_val=X, y_val=then),
    ):
        with pytest.raises(ValueError, match=f"y(_val)? ({says})"):
            call(MLPClassifier((3,), max_iter=2))


@pytest.mark.parametrize("form", [lambda y: y * 255, lambda y: (y * 2).astype("u1"), csr_matrix])
def test_what_is_not_0_in_an_indicator_matrix_is_a_label(form):
    plain, other = (MLPClassifier((3,), max_iter=2, random_state=0) for _ in range(2))
    assert other.fit(X, form(MATRIX * 3)).loss_curve_ == plain.fit(X, MATRIX).loss_curve_
    with pytest.raises(ValueError, match="y must be 0 where a label is absent; got -1 and 1"):
        other.fit(X, MATRIX * 2 - 1)


def test_the_first_part_has_a_class_for_each_column():
    with pytest.raises(ValueError, match="classes must be 2, as columns of y; got 3"):
        MLPClassifier((3,)).partial_fit(X, MATRIX[:, :2], classes=[0, 1, 2])
    mlp = MLPClassifier((3,)).partial_fit(X, MATRIX, classes=[0, 1, 2])
    assert np.isfinite(mlp.loss_)


NUMBERS, TEXTS, NAN = X[:, 0], LABELS.astype(str), np.where(LABELS, np.nan, X[:, 0])
# y, X_val and y_val, and what is said
VALIDATION = {
    "another width of y": (NUMBERS, X, X[:, :2], r"y_val must have 1 column; got 2\. Pass what is"),
    "texts": (NUMBERS, X, TEXTS, "y_val must be numbers"),
    "NaN": (NUMBERS, NAN[:, None] + X, NUMBERS, "X_val, y_val must be like X .* Input X_val con"),
    "NaN in y": (NUMBERS, X, NAN, "Input y_val contains NaN"),
    "another width": (NUMBERS, X[:, :2], NUMBERS, "X_val has 2 features"),
    "mixed labels": (TEXTS, X, np.array([None, "1"] * 30), "y_val must be .* all of one kind"),
}


@pytest.mark.parametrize("name", VALIDATION)
def test_errors_name_the_validation_data(name):
    y, x_val, y_val, says = VALIDATION[name]
    kind = MLPRegressor if y is NUMBERS else MLPClassifier
    with pytest.raises(ValueError, match=says):
        kind(early_stopping=True).fit(X, y, X_val=x_val, y_val=y_val)


@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
def test_texts_are_no_numbers_but_objects_and_sparse_matrices_can_be(loss):
    y, losses = np.abs(X[:, :2]), []
    for texts in (y[:, 0].astype(str), y.astype("S")):
        with pytest.raises(ValueError, match=r"y must be numbers; got dtype [<|][US]"):
            MLPRegressor(loss).fit(X, texts)
    for form in (y, csr_matrix(y), y.astype(str).astype(object)):
        mlp = MLPRegressor(loss, (3,), max_iter=2, random_state=0).fit(X, form)
        losses.append(mlp.loss_curve_)
    assert losses[1:] == losses[:1] * 2


def test_dates_are_no_numbers():
    dates = np.array(["2020-01-01", "2021-01-01", "NaT"], "M8[D]")[LABELS]
    fitted = MLPRegressor(hidden_layer_sizes=(3,), max_iter=2).fit(X[:, :1], X[:, 1])
    for call in (
        lambda: MLPRegressor().fit(X, dates),
        lambda: MLPClassifier().fit(dates[:, None], LABELS),
        lambda: fitted.predict(dates[:, None]),
    ):
        with pytest.raises(ValueError, match=r"[Xy] must be numbers; got dtype datetime64\[D\]"):
            call()


def test_weights_of_classes_that_are_absent_have_no_effect():
    names = np.array(["a", "b", "c"])[LABELS]
    made = [
        MLPClassifier((3,), max_iter=2, random_state=0, class_weight=weights).fit(X, names)
        for weights in ({"a": 2.0}, {"a": 2.0, "rare": 5.0})
    ]
    assert all(map(np.array_equal, made[0].coefs_, made[1].coefs_))
    with pytest.raises(ValueError, match="class_weight must have numbers"):
        MLPClassifier((3,), class_weight={"a": "b"}).fit(X, names)


def test_outputs_that_overflow_are_refused():
    mlp = MLPClassifier((3,), max_iter=2).fit(X.astype(np.float32), LABELS)
    with pytest.raises(ValueError, match="must lead to outputs that are numbers; got NaN"):
        mlp.predict(X * 1e39)
