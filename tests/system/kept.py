"""Two small functions whose machine code is kept, and how to look at what became of it."""

from __future__ import annotations

import warnings

import numpy as np
from numba.core import types

from fastmlp.kernels.llvm import compile
from fastmlp.kernels.memory.records import numbers_at
from fastmlp.system import code_cache as cache
from fastmlp.system import code_folder as folder

FLOAT, DOUBLE = types.float32, types.float64


def plus_one(place, x: float):
    numbers_at(place, 1, x)[0] = x + 1


def plus_two(place, x: float):
    numbers_at(place, 1, x)[0] = x + 2


def compiled(function=plus_one, precision=DOUBLE):
    """Compile a function, or load it; return the kernel, and whether it was loaded."""
    kernel, made = compile.Shared(function), []
    kernel.cache = cache.KernelCache(function)
    kernel.uncompiled = lambda kind: made.append(kind) or compile.Shared.uncompiled(kernel, kind)
    kernel.compile(precision)
    found = np.zeros(1, precision.name)
    kernel.compiled[found.dtype](found.ctypes.data, 0.0)
    assert found[0] == (1 if function is plus_one else 2)
    return kernel, not made


def types_of(precision=DOUBLE):
    return compile.argument_types(plus_one, precision)


def is_kept(function):
    kernel = compile.Shared(function)
    kernel.cache = cache.KernelCache(function)
    return kernel.kept(DOUBLE) is not None


def hit(*arguments):
    return compiled(*arguments)[1]


def caught(function, *arguments):
    """Return the result of a call, and the messages of its warnings."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        result = function(*arguments)
    return result, [str(warning.message) for warning in found]


def fresh_process(monkeypatch):
    """Forget what is done once in a process."""
    monkeypatch.setattr(folder, "_warned", set())
    folder.prune.cache_clear()
    folder.touch.cache_clear()


def only_file(home):
    (path,) = home.iterdir()
    return path
