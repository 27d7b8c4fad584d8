"""The network in NumPy: the oracle every kernel is judged by, and the baseline it has to beat."""

from fastmlp.functions import quiet
from fastmlp.reference import layers
from fastmlp.reference.engine import Engine, classify, infer, is_compiled, prepare
from fastmlp.reference.layers import pack_weights, unpack_weights

# numbers that underflow or overflow are no errors here; within a step the engine sees to that
delta, forward, gradient = quiet(layers.delta), quiet(layers.forward), quiet(layers.gradient)
output, update = quiet(layers.output), quiet(layers.update)

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
