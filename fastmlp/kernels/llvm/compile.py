"""Every compile option, once: the decorators that make machine code of a function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from ctypes import CFUNCTYPE, c_double, c_float, c_int64
from functools import cache
from types import SimpleNamespace
from typing import Any, ClassVar, NamedTuple, TypeVar

import llvmlite.binding as llvm
import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.ccallback import CFunc
from numba.core.registry import cpu_target
from numba.core.runtime._nrt_python import c_helpers
from numba.core.types.misc import unliteral

from fastmlp.kernels.llvm.emitter import Emitter
from fastmlp.kernels.llvm.intrinsics import emitted, names_of
from fastmlp.system.code_cache import KernelCache
from fastmlp.system.code_folder import warn_not_kept

Function = TypeVar("Function", bound=Callable[..., Any])

# Only fusing a multiply with an add is allowed. Reordering sums would let the result depend on
# how a loop was vectorised; assuming that no NaN arrives would delete the checks for them.
FASTMATH = {"contract"}
CTYPES: Any = {types.float32: c_float, types.float64: c_double}  # c_int64 for all others
# The types of records, by the names of parameters that are addresses of one
RECORDS: dict[str, Any] = {}
SETTINGS: dict[str, Any] = {"fastmath": FASTMATH, "error_model": "numpy", "nogil": True}


def jit(function: Function) -> Function:
    """Compile a function that becomes part of every compiled function that calls it."""
    inner = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    made = numba.njit(**SETTINGS, **inner)(function)
    template = made.get_call_template
    # Numba would compile a function anew for each constant that it is called with
    made.get_call_template = lambda args, kws: template([*map(unliteral, args)], kws)
    return made  # type: ignore[no-any-return]


def one_of(codes: Iterable[int]) -> Any:
    """Return a compiled function that says whether a code, below 63, is one of these."""
    bits = sum(1 << code for code in codes)
    return jit(lambda code: (bits >> code) & 1 == 1)


def argument_types(function: Callable[..., Any], precision: Any) -> tuple[Any, ...]:
    """Return what a kernel takes: see `Shared`."""
    known = function.__annotations__
    return tuple(
        precision if known.get(name) == "float" else RECORDS.get(name, types.int64)
        for name in names_of(function)
    )


def is_kept(kernel: Shared, precision: Any) -> bool:
    """Return whether the machine code of a kernel is on disk."""
    arguments = argument_types(kernel.function, precision)
    return kernel.cache is not None and kernel.cache.read(arguments) is not None


class Compiled(NamedTuple):
    """Machine code in this process: its address, and a call of it, which releases the GIL."""

    address: int
    call: Any


def _one_function(library: Any, made: Any, *_: Any) -> None:
    """Emit the C function that calls a compiled one, as Numba does, and let LLVM merge the two.

    Otherwise each call copies the arguments on the stack, and waits until they are there. Numba's
    check for errors is left out, as kernels raise none.
    """
    context = cpu_target.target_context
    module, name = context.create_module("cfunc_wrapper"), made.llvm_func_name
    result, taken = made.restype, made.argtypes
    kind = context.call_conv.get_function_type(result, taken)
    inner = ir.Function(module, kind, name)
    plain = [context.get_value_type(kind) for kind in (result, *taken)]
    kind = ir.FunctionType(plain[0], plain[1:])
    outer = ir.Function(module, kind, made.llvm_cfunc_wrapper_name)
    builder = ir.IRBuilder(outer.append_basic_block())
    _, found = context.call_conv.call_function(builder, inner, result, taken, outer.args)
    builder.ret(found)
    library.add_ir_module(module)
    library._final_module.get_function(name).linkage = "internal"


@cache
def _target() -> Any:
    """Return Numba's target for this processor, with C functions by `_one_function`."""
    return SimpleNamespace(
        options=cpu_target.options,
        typing_context=cpu_target.typing_context,
        target_context=cpu_target.target_context.subtarget(create_cfunc_wrapper=_one_function),
    )


class Kernel(CFunc):
    """A C function of one piece."""

    _targetdescr = property(lambda self: _target())


class Shared:
    """A function that is compiled once for each precision, and called by its symbol from then on.

    LLVM compiles an ordinary function anew into each of its callers, and these into theirs.
    Parameters are int64, but for those annotated as `float`, which have the precision, and those
    named in RECORDS, which are records; nothing is returned. `compile` comes before anything that
    calls the function is compiled or loaded.
    """

    by_name: ClassVar[dict[str, Shared]] = {}

    def __init__(self, function: Callable[..., Any], parallel: bool = False) -> None:
        self.function, self.parallel = function, parallel
        # the name of the folder stands for the source of the package's kernels, and of no others
        own = function.__module__.startswith("fastmlp.")
        self.cache = KernelCache(function) if own else None
        self.compiled: dict[np.dtype, Compiled] = {}

    def compile(self, precision: Any) -> None:
        """Compile the function for one Numba float type, or take its code from the cache."""
        arguments = argument_types(self.function, precision)
        kept = self.cache.read(arguments) if self.cache else None
        address = load(kept or self._machine_code(precision))
        call = CFUNCTYPE(None, *(CTYPES.get(kind, c_int64) for kind in arguments))(address)
        self.compiled[np.dtype(precision.name)] = Compiled(address, call)
        llvm.add_symbol(self.symbol(precision), address)

    def _machine_code(self, precision: Any) -> bytes:
        """Compile, and keep on disk, what `load` takes: the function's name, 0, an object file."""
        made = self.uncompiled(precision)
        made.compile()
        library = made._library
        _, _, (content, _) = library.serialize_using_object_code()
        code = b"\0".join([made.native_name.encode(), content])
        if library.has_dynamic_globals:  # possible without optimisation
            warn_not_kept(
                f"{self.function.__name__} contains addresses that are valid only in this process",
                "unset the NUMBA_ variables that change the compiler, such as NUMBA_OPT",
            )
        elif self.cache:
            self.cache.write(argument_types(self.function, precision), code)
        return code

    def uncompiled(self, precision: Any) -> Any:
        """Return the function as a C function, yet to be compiled, for one Numba float type."""
        signature = (argument_types(self.function, precision), types.void)
        if self.parallel:
            return CFunc(self.function, signature, {}, {**SETTINGS, "parallel": True})
        return Kernel(self.function, signature, {}, {**SETTINGS, "forceinline": True})

    def symbol(self, precision: Any) -> str:
        """Return the name under which compiled code finds the function."""
        has_one = precision in argument_types(self.function, precision)
        return f"fastmlp.{self.function.__name__}{'.' + precision.name if has_one else ''}"


@cache
def _engine() -> Any:
    """Return what holds all machine code of this process; it knows Numba's own functions."""
    assert cpu_target.target_context  # made here, which makes most of them known
    for name, address in c_helpers.items():
        llvm.add_symbol(f"NRT_{name}", address)
    machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)


def load(code: bytes) -> int:
    """Bring machine code, as `_machine_code` returns it, into this process; return its address.

    Numba's own way would first import all of its functions, and SciPy, and read the code of LLVM
    beside the machine code: it takes five times as long.
    """
    name, _, content = code.partition(b"\0")
    engine = _engine()
    engine.add_object_file(llvm.ObjectFileRef.from_data(content))
    engine.finalize_object()
    return int(engine.get_function_address(name.decode()))


def shared(function: Callable[..., Any]) -> Any:
    """Compile a function once, whoever calls it: see `Shared`."""
    kernel = Shared.by_name[function.__name__] = Shared(function)

    def call(emit: Emitter, *arguments: Any) -> None:
        floats = [argument.type == emit.scalar for argument in arguments]
        if floats != annotated:
            raise TypeError(f"{function.__name__}: floats must be annotated as `float`")
        emit.function(kernel.symbol(emit.element), ir.VoidType(), *arguments)

    annotated = [p.annotation == "float" for p in inspect.signature(function).parameters.values()]
    call.__name__, call.__doc__ = function.__name__, function.__doc__
    return emitted(call, names_of(function))
