"""Callbacks of a fit are called as those of `train`, and change nothing but its end."""

import csv
import warnings

import numpy as np
import pytest

import fastmlp

pytest.importorskip("sklearn")

from cases import data, made
from sklearn.base import clone

from fastmlp.training.progress import HOOKS

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Recorder:
    """Keeps what each hook received, and ends the fit in one of them."""

    reason = "enough"

    def __init__(self, end="", epoch=2):
        self.seen, self.end, self.epoch = [], end, epoch

    def __call__(self, progress):
        self.seen.append(("function", progress))


def test_early_stopping_is_no_callback_and_the_error_names_its_argument():
    x, y = np.ones((9, 2)), np.arange(9) % 3
    mlp = fastmlp.estimator.MLPClassifier(callbacks=fastmlp.EarlyStopping(2))
    with pytest.raises(ValueError, match="but not EarlyStopping: pass early_stopping=True"):
        mlp.fit(x, y)


def hook(name):
    def called(self, progress):
        self.seen.append((name, progress))
        return name == self.end and progress.epoch in (0, self.epoch)

    return called


for name in HOOKS:
    setattr(Recorder, name, hook(name))


# For each kind of target whether scores of held-out data are in the history, and under which name
SCORES = {"classes": "accuracy", "binary": "accuracy", "labels": "exact_match", "number": "r2"}


@pytest.mark.parametrize("kind", SCORES)
def test_callbacks_receive_each_epoch(kind):
    x, y = data(kind)
    recorder = Recorder()
    settings = {"max_iter": 4, "early_stopping": True}
    fitted = made(kind, callbacks=recorder, **settings).fit(x, y)
    begin, *middle, end = recorder.seen
    assert (begin[0], begin[1].epoch) == ("on_train_begin", 0)
    assert [name for name, _ in middle] == ["on_epoch_begin", "on_epoch_end", "function"] * 4
    assert [progress.epoch for _, progress in middle] == [1] * 3 + [2] * 3 + [3] * 3 + [4] * 3
    assert [progress.cost for _, progress in middle[1::3]] == fitted.loss_curve_
    assert [progress.epoch_ended for _, progress in middle] == [False, True, True] * 4
    history = end[1].history
    assert (end[0], history.stopped) == ("on_train_end", "all 4 epochs done")
    assert history.validated(SCORES[kind]) == fitted.validation_scores_
    assert history.row(3)["train_cost"] == fitted.loss_
    assert history.validation_cost == [None] * 4
    assert history.inputs
    assert history.plan
    assert all(1 <= members <= 2 for members in history.members)
    plain = made(kind, **settings).fit(x, y)
    for one, other in zip(fitted.coefs_, plain.coefs_, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", SCORES)
@pytest.mark.parametrize("weighted", [False, True])
def test_the_accuracy_is_that_of_the_training_samples_before_each_step(kind, weighted):
    x, y = data(kind)
    recorder = Recorder()
    weight = np.arange(len(x)) % 3.0 if weighted else None
    before = made(kind, max_iter=1, batch_size=len(x)).fit(x, y, sample_weight=weight)
    settings = {"max_iter": 2, "batch_size": len(x), "callbacks": recorder}
    made(kind, **settings).fit(x, y, sample_weight=weight)
    found = [progress.accuracy for _, progress in recorder.seen]
    if SCORES[kind] == "accuracy":
        assert np.isnan([found[0], found[1], found[4], found[-1]]).all()
        np.testing.assert_allclose(found[5:7], [before.score(x, y, weight)] * 2, rtol=1e-12)
    else:
        assert found == [None] * 8


@pytest.mark.parametrize(("end", "epochs"), [(HOOKS[0], 0), (HOOKS[1], 1), (HOOKS[2], 2)])
def test_a_callback_ends_the_fit_and_no_warning_says_that_it_did_not_converge(end, epochs):
    x, y = data("number")
    recorder = Recorder(end)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = made("number", callbacks=[recorder], batch_size=33).fit(x, y)
    assert fitted.n_iter_ == len(fitted.loss_curve_) == epochs
    assert recorder.seen[-1][0] == "on_train_end"
    assert recorder.seen[-1][1].history.stopped == "enough"
    if epochs:  # the parameters are those of the last epoch, though the engine could be ahead
        plain = made("number", max_iter=epochs, batch_size=33).fit(x, y)
        np.testing.assert_array_equal(fitted.coefs_[0], plain.coefs_[0])


def test_an_exception_in_a_callback_leaves_the_fit_and_the_run_ends():
    x, y = data("number")
    recorder = Recorder()
    with pytest.raises(ZeroDivisionError):
        made("number", callbacks=[recorder, lambda progress: 1 // 0]).fit(x, y)
    assert recorder.seen[-1][1].history.stopped == "an exception"
    with pytest.raises(fastmlp.ArgumentError, match=r"callbacks must be None, .*got EarlyStopping"):
        made("number", callbacks=fastmlp.EarlyStopping()).fit(x, y)
    with pytest.raises(fastmlp.ArgumentError, match="callbacks must return True"):
        made("number", callbacks=lambda progress: "yes").fit(x, y)


def test_callbacks_of_fastmlp_are_cloned_and_not_called_by_a_partial_fit(tmp_path):
    x, y = data("classes")
    log = fastmlp.callbacks.CSVLog(tmp_path / "log.csv")
    fitted = clone(made("classes", callbacks=[log, fastmlp.callbacks.TimeLimit(60)])).fit(x, y)
    rows = list(csv.DictReader((tmp_path / "log.csv").read_text().splitlines()))
    assert [float(row["train_cost"]) for row in rows] == fitted.loss_curve_
    recorder = Recorder()
    fitted.set_params(callbacks=recorder).partial_fit(x, y)
    assert recorder.seen == []
