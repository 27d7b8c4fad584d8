"""The network in NumPy: the oracle every kernel is judged by, and the baseline it has to beat."""

from fastmlp.reference.engine import Engine, count_correct, infer
from fastmlp.reference.layers import (
    delta,
    forward,
    gradient,
    output,
    pack_weights,
    unpack_weights,
    update,
)

__all__ = [
    "Engine",
    "count_correct",
    "delta",
    "forward",
    "gradient",
    "infer",
    "output",
    "pack_weights",
    "unpack_weights",
    "update",
]
