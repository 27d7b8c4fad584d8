"""Every compile option, once: the decorators that make machine code of a function."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from ctypes import CFUNCTYPE, c_double, c_float, c_int64
from functools import cache, cached_property
from typing import Any, ClassVar, TypeVar

import llvmlite.binding as llvm
import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.ccallback import CFunc
from numba.core.codegen import JITCodeLibrary
from numba.core.registry import cpu_target
from numba.core.runtime._nrt_python import c_helpers
from numba.core.types.misc import unliteral

from fastmlp.kernels.llvm.emitter import Emitter
from fastmlp.kernels.llvm.intrinsics import emitted, names_of
from fastmlp.system.code_cache import KernelCache
from fastmlp.system.code_folder import warn_not_kept

Function = TypeVar("Function", bound=Callable[..., Any])

CTYPES: Any = {types.float32: c_float, types.float64: c_double}  # c_int64 for all others
# The types of records, by the names of parameters that are addresses of one
RECORDS: dict[str, Any] = {}
# Only fusing a multiply with an add is allowed. Reordering sums would let the result depend on
# how a loop was vectorised; assuming that no NaN arrives would delete the checks for them.
SETTINGS: dict[str, Any] = {"fastmath": {"contract"}, "error_model": "numpy", "nogil": True}


class Target:
    """Numba's target, with a context that differs; it is made when something is compiled."""

    def __init__(self, differences: Callable[[Any], dict[str, Any]]) -> None:
        self._differences = differences

    def __getattr__(self, name: str) -> Any:
        return getattr(cpu_target, name)

    @cached_property
    def target_context(self) -> Any:
        """What compiles functions."""
        context = cpu_target.target_context
        return context.subtarget(**self._differences(context))


class Part(JITCodeLibrary):  # type: ignore[misc]
    """A function as LLVM code, which becomes part of others, and machine code only there.

    Numba would make machine code of each, which nobody calls: all kernels would take 1.18 times as
    long to compile (Zen 5). Optimised in the others only, they take 0.9 times as long, but an
    epoch of 784-512-512-10/128 then takes 1.02 times as long.
    """

    def _finalize_final_module(self) -> None:
        self._finalized = True


def _of_parts(context: Any) -> dict[str, Any]:
    codegen = copy(context.codegen())
    codegen._library_class = Part
    # a caller finds a function by a builtin of its own
    return {"_internal_codegen": codegen, "get_executable": lambda *_: [].append}


PARTS = Target(_of_parts)


def jit(function: Function) -> Function:
    """Compile a function that becomes part of every compiled function that calls it."""
    made = numba.njit(**SETTINGS, no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)
    made._compiler.targetdescr = PARTS
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
    known = function.__annotations__.items()
    kinds = RECORDS | {name: precision for name, kind in known if kind == "float"}
    return tuple(kinds.get(name, types.int64) for name in names_of(function))


def _one_function(library: Any, made: Any, *_: Any) -> None:
    """Emit the C function that calls a compiled one, as Numba does, and let LLVM merge the two.

    Otherwise each call copies the arguments on the stack, and waits until they are there. Numba's
    check for errors is left out, as kernels raise none.
    """
    context, what = cpu_target.target_context, (made.restype, made.argtypes)
    module, name = context.create_module("cfunc_wrapper"), made.llvm_func_name
    inner = ir.Function(module, context.call_conv.get_function_type(*what), name)
    kind = ir.FunctionType(ir.VoidType(), [context.get_value_type(kind) for kind in what[1]])
    outer = ir.Function(module, kind, made.llvm_cfunc_wrapper_name)
    builder = ir.IRBuilder(outer.append_basic_block())
    context.call_conv.call_function(builder, inner, *what, outer.args)
    builder.ret_void()
    library.add_ir_module(module)
    library._final_module.get_function(name).linkage = "internal"


class Kernel(CFunc):
    """A C function of one piece, by `_one_function`."""

    _targetdescr = Target(lambda context: {"create_cfunc_wrapper": _one_function})


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
        self.compiled: dict[np.dtype, Any] = {}  # what calls it: `ctypes` releases the GIL

    def kept(self, precision: Any) -> bytes | None:
        """Return the machine code that is on disk, if there is some."""
        return self.cache.read(argument_types(self.function, precision)) if self.cache else None

    def compile(self, precision: Any) -> None:
        """Compile the function for one Numba float type, or take its code from the cache."""
        arguments = argument_types(self.function, precision)
        address = load(self.kept(precision) or self.build(precision))
        call = CFUNCTYPE(None, *(CTYPES.get(kind, c_int64) for kind in arguments))
        self.compiled[np.dtype(precision.name)] = call(address)
        llvm.add_symbol(self.symbol(precision), address)

    def build(self, precision: Any) -> bytes:
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
    _ = cpu_target.target_context  # made here, which makes most of them known
    for name, address in c_helpers.items():
        llvm.add_symbol(f"NRT_{name}", address)
    machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)


def load(code: bytes) -> int:
    """Bring machine code, as `Shared.build` returns it, into this process; return its address.

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

    annotated = [function.__annotations__.get(name) == "float" for name in names_of(function)]
    call.__name__, call.__doc__ = function.__name__, function.__doc__
    return emitted(call, names_of(function))
