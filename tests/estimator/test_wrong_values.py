"""Wrong things in the place of every parameter and argument of the estimators: a ValueError or
TypeError, as scikit-learn's checks demand, or the right result."""

import contextlib
import inspect
import runpy
from functools import cache
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")

from fastmlp.estimator import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore")
TABLE = runpy.run_path(str(Path(__file__).parents[1] / "whole" / "wrong.py"))
WRONG, X, Y, Raises = (TABLE[name] for name in ("WRONG", "X", "Y", "Raises"))
DATA = {"X": X, "y": Y}
PARTIAL = {**DATA, "sample_weight": None}
VALIDATED = {**PARTIAL, "X_val": X, "y_val": Y}


@cache
def predicting(kind):
    return made(kind).fit(X, Y)


def made(kind, **parameters):
    return kind(**{"hidden_layer_sizes": (2,), "max_iter": 1, **parameters})


def called(kind, method, **given):
    """Call a method of a quick estimator, which has been fitted if the method predicts."""
    is_fit = method.endswith("fit")
    estimator = made(kind, early_stopping="X_val" in given) if is_fit else predicting(kind)
    return getattr(estimator, method)(**given)


# What is called, with arguments that are right, or with the names of parameters
CALLS = {
    "parameters of MLPClassifier": (
        lambda **parameters: made(MLPClassifier, **parameters).fit(X, Y),
        dict.fromkeys(inspect.signature(MLPClassifier).parameters),
    ),
    "loss of MLPRegressor": (
        lambda loss: made(MLPRegressor, loss=loss).fit(X, Y),
        {"loss": "squared_error"},
    ),
    "from_sklearn": (MLPClassifier.from_sklearn, {"estimator": None}),
    **{
        f"{method} of {kind.__name__}": (
            lambda kind=kind, method=method, **given: called(kind, method, **given),
            right,
        )
        for kind in (MLPClassifier, MLPRegressor)
        for method, right in {
            "fit": VALIDATED,
            "partial_fit": {**PARTIAL, **({"classes": [0, 1, 2]} if kind is MLPClassifier else {})},
            "predict": {"X": X},
            "score": DATA,
        }.items()
    },
    "predict_proba": (
        lambda **given: called(MLPClassifier, "predict_proba", **given),
        {"X": X},
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_every_value_is_taken_or_refused(name):
    call, right = CALLS[name]
    of_parameters, found, refused = name.startswith("parameters"), [], 0
    for argument in right:
        for number, value in enumerate(WRONG):
            if (name.split()[0], argument) == ("score", "y") and isinstance(value, Raises):
                continue  # scikit-learn's own function compares them
            try:
                with contextlib.redirect_stdout(None), np.errstate(all="ignore"):
                    call(**({} if of_parameters else right) | {argument: value})
            except (ValueError, TypeError):
                refused += 1
            except Exception as error:
                found.append(
                    f"{argument}={value!r:.60} ({number}): {type(error).__name__}: {error}"
                )
    assert not found, "\n".join(found)
    assert refused > 20 * len(right)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_an_unknown_parameter_is_told_the_near_one(kind):
    with pytest.raises(TypeError, match=f"must be an argument of {kind.__name__}; got tolerance=1"):
        kind(tolerance=1)
    with pytest.raises(TypeError, match=r"Did you mean max_iter\?"):
        kind(max_iters=3)
    with pytest.raises(ValueError, match=r"hidden_layer_sizes must fit into the .* of memory"):
        kind(hidden_layer_sizes=(10**9, 10**9)).fit(X, Y)
