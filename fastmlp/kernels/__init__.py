"""The network in compiled code: the twin of `fastmlp.reference`, function by function."""

from fastmlp.kernels.engine import Engine, classify, infer, is_compiled, prepare
from fastmlp.kernels.layers import (
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
