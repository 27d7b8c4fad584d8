"""The network in compiled code: the twin of `fastmlp.reference`."""

from fastmlp.system.cores import check_thread_setting

check_thread_setting()  # before Numba reads it, which ends with a bare ValueError or a traceback

from fastmlp.kernels.engine import Engine  # noqa: E402
from fastmlp.kernels.launch import is_compiled, prepare  # noqa: E402
from fastmlp.kernels.predictor import classify, infer  # noqa: E402

__all__ = ["Engine", "classify", "infer", "is_compiled", "prepare"]
