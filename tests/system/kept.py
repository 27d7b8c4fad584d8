"""Two small functions whose machine code is kept, and how to look at what became of it."""

from __future__ import annotations

import warnings

import numpy as np
from numba.core import types

from fastmlp.kernels.llvm import compile
from fastmlp.system import code_cache as cache
from fastmlp.system import code_folder as folder

FLOAT, DOUBLE = (types.float32,), (types.float64,)


def plus_one(x: float):
    return x + 1


def plus_two(x: float):
    return x + 2


def compiled(function=plus_one, signature=DOUBLE):
    """Compile a function, or load it; return what Numba made of it and whether it was loaded."""
    made = compile.entry(parallel=False)(function)
    made._cache = cache.KernelCache(function)
    made.compile(signature)
    zero = np.dtype(signature[0].name).type(0)
    assert made(zero) == (1 if function is plus_one else 2)
    return made, bool(made.stats.cache_hits)


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
