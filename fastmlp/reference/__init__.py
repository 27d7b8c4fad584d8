"""The network in NumPy: the oracle every kernel is judged by, and the baseline it has to beat."""

from fastmlp.reference.augment import augment
from fastmlp.reference.engine import Engine, Predictor, is_compiled, prepare

__all__ = ["Engine", "Predictor", "augment", "is_compiled", "prepare"]
