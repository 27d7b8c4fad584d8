"""The network in NumPy: the oracle every kernel is judged by, and the baseline it has to beat."""

from fastmlp.reference.engine import Engine, classify, infer, is_compiled, prepare
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
    "classify",
    "delta",
    "forward",
    "gradient",
    "infer",
    "is_compiled",
    "output",
    "pack_weights",
    "prepare",
    "unpack_weights",
    "update",
]
