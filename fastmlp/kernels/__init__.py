"""The network in compiled code: the twin of `fastmlp.reference`, function by function."""

from fastmlp.system.cores import check_thread_setting

check_thread_setting()  # before Numba reads it, which ends with a bare ValueError or a traceback

from fastmlp.kernels.engine import Engine, classify, infer, is_compiled, prepare  # noqa: E402
from fastmlp.kernels.layers import (  # noqa: E402
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
