"""Compiled functions called by themselves, on addresses of arrays."""

from typing import Any

import numba
import numpy as np

from fastmlp.kernels import launch
from fastmlp.kernels.llvm.compile import SETTINGS
from fastmlp.kernels.llvm.emitter import INT64, VECTOR_BYTES
from fastmlp.kernels.llvm.intrinsics import emitted, item_bytes, vector_lanes

DTYPES = ("float32", "float64")


def lanes_of(dtype):
    """Return how many numbers one vector holds."""
    return VECTOR_BYTES // np.dtype(dtype).itemsize


def shared(name, dtype):
    """Return a shared function in a precision, to be called with numbers and arrays."""
    compiled = launch.symbol(name, np.dtype(dtype))

    def call(*arguments):
        compiled(*(a.ctypes.data if isinstance(a, np.ndarray) else a for a in arguments))

    return call


def compiled(function):
    """Return a function that is compiled for the types of its arguments, arrays as addresses."""
    made = numba.njit(**SETTINGS)(function)

    def call(*arguments):
        return made(*(a.ctypes.data if isinstance(a, np.ndarray) else a for a in arguments))

    return call


def vectorised(formula):
    """Return a function of arrays that a formula of Numbers computes, a vector at a time."""

    @emitted
    def one(emit: Any, target: Any, sources: Any, apart: Any, like: Any) -> None:
        numbers = []
        for k in range(formula.__code__.co_argcount):
            place = emit.builder.add(sources, emit.builder.mul(apart, INT64(k)))
            numbers.append(emit.number(emit.load(emit.pointer(place))))
        emit.store(formula(*numbers).value, emit.pointer(target))

    @compiled
    def over(target, sources, apart, count, like):
        for i in range(0, count, vector_lanes(like)):
            one(target + i * item_bytes(like), sources + i * item_bytes(like), apart, like)

    def call(*arrays):
        size, (dtype,) = arrays[0].size, {array.dtype for array in arrays}
        padded = -(-size // lanes_of(dtype)) * lanes_of(dtype)
        sources = np.zeros((len(arrays), padded), dtype)
        for row, array in zip(sources, arrays, strict=True):
            row[:size] = array
        target = np.full(padded, np.nan, dtype)
        over(target, sources, sources.strides[0], padded, dtype.type(0))
        return target[:size]

    return call
