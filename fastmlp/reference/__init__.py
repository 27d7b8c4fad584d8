"""The network in NumPy: tests compare the kernels with it, and benchmarks their times."""

from fastmlp.reference.augment import augment
from fastmlp.reference.engine import Engine, Predictor, is_compiled, prepare

__all__ = ["Engine", "Predictor", "augment", "is_compiled", "prepare"]
