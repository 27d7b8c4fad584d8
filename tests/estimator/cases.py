"""Data and settings with which both packages train."""

import numpy as np

from fastmlp.estimator import MLPClassifier, MLPRegressor

SAMPLES, INPUTS = 330, 7
CLASSES = {"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}
# Names of a target and what scikit-learn's class for it is called
KINDS = {
    "classes": "MLPClassifier",
    "binary": "MLPClassifier",
    "labels": "MLPClassifier",
    "numbers": "MLPRegressor",
    "number": "MLPRegressor",
}
SETTINGS = {
    "adam": {},
    "adam, decay": {"alpha": 1.0, "epsilon": 0.01, "beta_1": 0.8},
    "adam, the L2 term falls": {"alpha": 2.0, "learning_rate_init": 0.03, "max_iter": 40},
    "adam, batch 32": {"batch_size": 32},
    "sgd": {"solver": "sgd"},
    "sgd, decay": {"solver": "sgd", "alpha": 3.0, "learning_rate_init": 0.1},
    "sgd, no momentum": {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.1},
    "sgd, heavy ball": {"solver": "sgd", "nesterovs_momentum": False},
    "sgd, invscaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.3},
    "sgd, adaptive": {
        "solver": "sgd",
        "learning_rate": "adaptive",
        "tol": 0.5,
        "n_iter_no_change": 1,
        "max_iter": 9,
    },
    "early stopping": {"early_stopping": True, "validation_fraction": 0.2, "max_iter": 9},
    "logistic": {"activation": "logistic"},
    "tanh": {"activation": "tanh"},
    "identity": {"activation": "identity", "hidden_layer_sizes": (9,)},
    "no hidden layer": {"hidden_layer_sizes": ()},
}


def data(kind, dtype=np.float64):
    """Return (X, y) of a kind, with 330 samples: the last minibatch of 200 or 32 is short."""
    generator = np.random.default_rng(5)
    x = generator.normal(size=(SAMPLES, INPUTS)).astype(dtype)
    z = x @ generator.normal(size=(INPUTS, 3)).astype(dtype)
    y = {
        "classes": np.array(["a", "b", "c"])[z.argmax(axis=1)],
        "binary": np.where(z[:, 0] > 0, "yes", "no"),
        "labels": (z > 0).astype(int),
        "numbers": np.tanh(z),
        "number": np.tanh(z[:, 0]),
    }
    return x, y[kind]


def made(kind, **settings):
    """Return an estimator for a kind of target, of few and quick epochs."""
    settings = {"hidden_layer_sizes": 8, "max_iter": 30, "random_state": 0} | settings
    return CLASSES[KINDS[kind]](learning_rate_init=0.01, **settings)
