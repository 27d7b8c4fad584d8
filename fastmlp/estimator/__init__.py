"""Networks with the interface of scikit-learn; needs the extra `sklearn`.

`MLPClassifier` and `MLPRegressor` have the parameters, attributes and results of
`sklearn.neural_network`, for its solvers "sgd" and "adam".
"""

from fastmlp.errors import MissingExtraError

try:
    import sklearn  # noqa: F401
except ImportError:
    raise MissingExtraError("fastmlp.estimator", "scikit-learn", "sklearn") from None

from fastmlp.estimator.classifier import MLPClassifier
from fastmlp.estimator.regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
