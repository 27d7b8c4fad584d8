"""Every compile option, once: the decorators that all compiled code uses, and where it is kept."""

from __future__ import annotations

import hashlib
import inspect
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import llvmlite
import llvmlite.binding as llvm
import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, config, types
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator
from numba.core.ccallback import CFunc
from numba.extending import intrinsic

from fastmlp.paths import cache_folder

Function = TypeVar("Function", bound=Callable[..., Any])

# Only fusing a multiply with an add is allowed. Reordering sums would let the result depend on
# how a loop was vectorised; assuming that no NaN arrives would delete the checks for them.
FASTMATH = {"contract"}
RUN_TIME_SETTINGS = {"NUMBA_NUM_THREADS", "NUMBA_THREADING_LAYER", "NUMBA_CACHE_DIR"}
SETTINGS: dict[str, Any] = {"fastmath": FASTMATH, "error_model": "numpy", "nogil": True}


def jit(function: Function) -> Function:
    """Compile a function of the compiled room; it becomes part of every function that calls it."""
    inner = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return numba.njit(**SETTINGS, **inner)(function)  # type: ignore[no-any-return]


def entry(*, parallel: bool) -> Callable[[Function], Function]:
    """Compile a function that Python calls, and keep its machine code in the cache folder."""

    def decorate(function: Function) -> Function:
        compiled = numba.njit(parallel=parallel, **SETTINGS)(function)
        if not config.DISABLE_JIT and kernel_cache() is not None:
            compiled._cache = _SaltedCache(compiled.py_func)
        return compiled  # type: ignore[no-any-return]

    return decorate


class Shared:
    """A function that is compiled once for each precision, and called by its symbol from then on.

    LLVM compiles an ordinary function anew into each of its callers, and these into theirs.
    Parameters are int64, but for the last, a float whose type is the precision; nothing is
    returned. `compile` comes before anything that calls the function is compiled or loaded.
    """

    by_name: ClassVar[dict[str, Shared]] = {}

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.compiled: dict[str, CFunc] = {}
        Shared.by_name[function.__name__] = self

    def compile(self, precision: Any) -> None:
        """Compile the function for one Numba float type, or load it from the cache."""
        compiled = self.uncompiled(precision)
        if kernel_cache() is not None:
            compiled._cache = _SaltedCache(self.function)
        compiled.compile()
        self.compiled[precision.name] = compiled
        llvm.add_symbol(self.symbol(precision), compiled.address)

    def uncompiled(self, precision: Any) -> Any:
        """Return the function as a C function, yet to be compiled, for one Numba float type."""
        count = len(inspect.signature(self.function).parameters) - 1
        arguments = (types.int64,) * count + (precision,)
        return CFunc(self.function, (arguments, types.void), {}, SETTINGS)

    def symbol(self, precision: Any) -> str:
        """Return the name under which compiled code finds the function."""
        return f"fastmlp.{self.function.__name__}.{precision.name}"


def shared(function: Callable[..., Any]) -> Any:
    """Compile a function once, whoever calls it: see `Shared`."""
    kernel = Shared(function)

    def call(typingctx: Any, *args: Any) -> Any:
        signature = types.void(*[types.int64] * (len(args) - 1), args[-1])

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            kinds = [context.get_value_type(kind) for kind in signature.args]
            symbol = kernel.symbol(signature.args[-1])
            callee = ir.FunctionType(ir.VoidType(), kinds)
            builder.call(cgutils.get_or_insert_function(builder.module, callee, symbol), args)
            return context.get_dummy_value()

        return signature, generate

    # Numba wants to see the parameters one by one
    names = ["typingctx", *inspect.signature(function).parameters]
    parameters = [inspect.Parameter(n, inspect.Parameter.POSITIONAL_OR_KEYWORD) for n in names]
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return intrinsic(call)


@cache
def kernel_cache() -> Path | None:
    """Return the folder that holds machine code for exactly this source, set-up and processor.

    The folder's name is a hash of everything that the code depends on, because Numba itself
    notices neither a change in another file nor other compile settings. None, after one
    warning, when it cannot be written.
    """
    folder = cache_folder() / "kernels" / _salt()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        warnings.warn(
            f"compiled kernels are not kept: cannot write to {folder} ({error.strerror}). "
            "Every process compiles anew; set FASTMLP_CACHE to a folder that can be written.",
            RuntimeWarning,
            stacklevel=2,
        )
        return None
    return folder


def _salt() -> str:
    digest = hashlib.sha256()
    package = Path(__file__).parent
    for source in (*sorted(package.glob("*.py")), package.parent / "functions.py"):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    settings = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("NUMBA_", "FASTMLP_VECTOR")) and name not in RUN_TIME_SETTINGS
    }
    host = (llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten())
    versions = (sys.version, np.__version__, numba.__version__, llvmlite.__version__)
    digest.update(repr((sorted(settings.items()), host, versions)).encode())
    return digest.hexdigest()[:16]


class _SaltedLocator(_CacheLocator):  # type: ignore[misc]
    """Tells Numba to keep a function's machine code in `kernel_cache()`."""

    def __init__(self, path: str) -> None:
        self._py_file = path

    def get_cache_path(self) -> str:
        return str(kernel_cache())

    def get_source_stamp(self) -> str:
        return "the folder's name holds it"

    def get_disambiguator(self) -> str:
        return "fastmlp"

    @classmethod
    def from_function(cls, function: Callable[..., Any], path: str) -> _SaltedLocator:
        return cls(path)


class _SaltedCacheImpl(CompileResultCacheImpl):  # type: ignore[misc]
    _locator_classes = (_SaltedLocator,)


class _SaltedCache(FunctionCache):  # type: ignore[misc]
    _impl_class = _SaltedCacheImpl

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep machine code, or do without where the disk is full."""
        try:
            super().save_overload(sig, data)
        except OSError as error:
            _not_kept(error.strerror or str(error))


@cache
def _not_kept(reason: str) -> None:
    """Warn, once for each reason."""
    warnings.warn(
        f"compiled kernels are not kept: {reason}. Every process compiles anew; make room, or set "
        "FASTMLP_CACHE to another folder.",
        RuntimeWarning,
        stacklevel=2,
    )
