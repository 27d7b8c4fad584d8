"""The two backends by name, imported only when used: compiling is not for those who read help."""

from __future__ import annotations

import os
import warnings
from types import ModuleType

from fastmlp.errors import NotReadyError, refuse
from fastmlp.system.forks import importing

BACKENDS = ("compiled", "numpy")
_loaded: dict[str, ModuleType] = {}
_loading: set[str] = set()


def backend_named(name: str) -> ModuleType:
    """Return `fastmlp.kernels` for "compiled" and `fastmlp.reference` for "numpy".

    Both modules have the same functions with the same signatures. Where NUMBA_DISABLE_JIT is set,
    nothing can be compiled: a warning says so, and "compiled" is the reference too.
    """
    name = str(name)
    if name == "compiled" and os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        text = "NUMBA_DISABLE_JIT is set, so nothing is compiled: NumPy computes, and is slower."
        warnings.warn(text, RuntimeWarning, stacklevel=2)
        name = "numpy"
    if name not in BACKENDS:
        raise refuse("backend", "must name a backend", repr(name), f"Choose from {BACKENDS}.")
    return _loaded.get(name) or _load(name)


def _load(name: str) -> ModuleType:
    """Import a backend; NotReadyError if this thread is importing it already."""
    with importing:
        if name in _loading:
            raise NotReadyError
        _loading.add(name)
        try:
            if name == "compiled":
                from fastmlp import kernels

                _loaded[name] = kernels
            else:
                from fastmlp import reference

                _loaded[name] = reference
        finally:
            _loading.discard(name)
        return _loaded[name]
