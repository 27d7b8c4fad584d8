"""Every compile option, once: the decorators that make machine code of a function."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import llvmlite.binding as llvm
import numba
from llvmlite import ir
from numba.core import config, types
from numba.core.ccallback import CFunc

from fastmlp.kernels.llvm.emitter import Emitter
from fastmlp.kernels.llvm.intrinsics import emitted, names_of
from fastmlp.system.code_cache import KernelCache

Function = TypeVar("Function", bound=Callable[..., Any])

# Only fusing a multiply with an add is allowed. Reordering sums would let the result depend on
# how a loop was vectorised; assuming that no NaN arrives would delete the checks for them.
FASTMATH = {"contract"}
SETTINGS: dict[str, Any] = {"fastmath": FASTMATH, "error_model": "numpy", "nogil": True}


def jit(function: Function) -> Function:
    """Compile a function that becomes part of every compiled function that calls it."""
    inner = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return numba.njit(**SETTINGS, **inner)(function)  # type: ignore[no-any-return]


def entry(*, parallel: bool) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function that Python calls, and keep its machine code in the cache folder."""

    def decorate(function: Callable[..., Any]) -> Any:
        compiled = numba.njit(parallel=parallel, **SETTINGS)(function)
        if not config.DISABLE_JIT:
            _keep(compiled, function)
        return compiled

    return decorate


def _keep(compiled: Any, function: Callable[..., Any]) -> None:
    """Keep machine code on disk, for functions whose source the name of the folder stands for."""
    if function.__module__.startswith("fastmlp.kernels."):
        compiled._cache = KernelCache(function)


def argument_types(function: Callable[..., Any], precision: Any) -> tuple[Any, ...]:
    """Return what a kernel takes: int64, and where a parameter is called a float, the precision."""
    annotated = inspect.signature(function).parameters.values()
    return tuple(precision if p.annotation == "float" else types.int64 for p in annotated)


def is_kept(function: Callable[..., Any], precision: Any) -> bool:
    """Return whether the machine code of an entry or shared function is on disk."""
    plain = getattr(function, "py_func", function)
    return KernelCache(plain).content(argument_types(plain, precision)) is not None


class Shared:
    """A function that is compiled once for each precision, and called by its symbol from then on.

    LLVM compiles an ordinary function anew into each of its callers, and these into theirs.
    Parameters are int64, but for those annotated as `float`, which have the precision; nothing is
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
        _keep(compiled, self.function)
        compiled.compile()
        self.compiled[precision.name] = compiled
        llvm.add_symbol(self.symbol(precision), compiled.address)

    def uncompiled(self, precision: Any) -> Any:
        """Return the function as a C function, yet to be compiled, for one Numba float type."""
        signature = (argument_types(self.function, precision), types.void)
        return CFunc(self.function, signature, {}, SETTINGS)

    def symbol(self, precision: Any) -> str:
        """Return the name under which compiled code finds the function."""
        return f"fastmlp.{self.function.__name__}.{precision.name}"


def shared(function: Callable[..., Any]) -> Any:
    """Compile a function once, whoever calls it: see `Shared`."""
    kernel = Shared(function)

    def call(emit: Emitter, *arguments: Any) -> None:
        floats = [argument.type == emit.scalar for argument in arguments]
        if floats != annotated:
            raise TypeError(f"{function.__name__}: floats must be annotated as `float`")
        emit.function(kernel.symbol(emit.element), ir.VoidType(), *arguments)

    annotated = [p.annotation == "float" for p in inspect.signature(function).parameters.values()]
    call.__name__, call.__doc__ = function.__name__, function.__doc__
    return emitted(call, names_of(function))
