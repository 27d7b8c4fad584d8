"""LLVM instructions on numbers and vectors: a formula written once serves both."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils, config
from numba.core.codegen import get_host_cpu_features

from fastmlp.errors import refuse

# What Numba compiles for: the processor's, or those of NUMBA_CPU_FEATURES and the like
_named = get_host_cpu_features() if config.CPU_FEATURES is None else config.CPU_FEATURES
FEATURES = {name[1:]: name[0] == "+" for name in _named.split(",") if name}
WIDEST = 64 if FEATURES.get("avx512f") else 32 if FEATURES.get("avx") else 16
# FASTMLP_VECTOR_BYTES narrows the vectors, to check kernels as another processor would run them
WANTED = os.environ.get("FASTMLP_VECTOR_BYTES", str(WIDEST))
if WANTED not in ("16", "32", "64"):
    raise refuse("FASTMLP_VECTOR_BYTES", "must be 16, 32 or 64", repr(WANTED), "Unset it.")
VECTOR_BYTES = min(WIDEST, int(WANTED))

INT64, INT32, BYTE, POINTER = ir.IntType(64), ir.IntType(32), ir.IntType(8), ir.PointerType()
ARM = llvm.get_default_triple().startswith(("aarch64", "arm64"))
# Whether numbers too small for a normal one can count as 0: by these bits of FPCR, or MXCSR on x86
FLUSHES, FLUSH = ARM or bool(FEATURES.get("sse2")), 1 << 24 if ARM else 0x8040
# A product and a sum may be rounded once, together; nothing else may be rearranged
CONTRACT = ("contract",)


def copies(value: float, kind: Any) -> Any:
    """Return a constant of an LLVM type; of a vector, all elements are the same."""
    return ir.Constant(kind, [value] * kind.count if isinstance(kind, ir.VectorType) else value)


class Emitter:
    """Emits instructions on vectors of `count` numbers of a Numba float type."""

    def __init__(self, context: Any, builder: Any, element: Any) -> None:
        self.context, self.builder, self.element = context, builder, element
        self.bits = int(element.bitwidth)
        self.mantissa, self.bias = (23, 127) if self.bits == 32 else (52, 1023)
        self.count = VECTOR_BYTES * 8 // self.bits
        self.scalar, self.align = context.get_value_type(element), self.bits // 8
        self.kind = self.vector_of(self.scalar)

    def vector_of(self, scalar: Any) -> Any:
        """Return the type of `count` values of an LLVM type."""
        return ir.VectorType(scalar, self.count)

    def constant(self, value: float) -> Any:
        """Return copies of a constant."""
        return copies(value, self.kind)

    def number(self, value: Any) -> Number:
        """Return a Number: of an LLVM value, or of a Python number."""
        if isinstance(value, Number):
            return value
        is_plain = isinstance(value, (int, float))
        return Number(self, self.constant(float(value)) if is_plain else value)

    def flush_small(self) -> int:
        """Let numbers too small for a normal one count as 0 on a thread; return its control word.

        On x86 an instruction on such a number takes some 100 cycles. State of weights without
        gradients decays to there, and deltas where softmax is nearly right.
        """
        if ARM:
            word = self.function("llvm.aarch64.get.fpcr", INT64)
        elif FLUSHES:
            place = cgutils.alloca_once(self.builder, INT32)
            self.function("llvm.x86.sse.stmxcsr", ir.VoidType(), place)
            word = self.builder.zext(self.builder.load(place, typ=INT32), INT64)
        else:
            word = INT64(0)
        self.set_control(self.builder.or_(word, INT64(FLUSH)))
        return word  # type: ignore[no-any-return]

    def set_control(self, word: Any) -> None:
        """Set this thread's control word to what `flush_small` returned."""
        if ARM:
            self.function("llvm.aarch64.set.fpcr", ir.VoidType(), word)
        elif FLUSHES:
            place = cgutils.alloca_once_value(self.builder, self.builder.trunc(word, INT32))
            self.function("llvm.x86.sse.ldmxcsr", ir.VoidType(), place)

    def function(self, name: str, result: Any, *values: Any) -> Any:
        """Call a function by the name that LLVM or the process knows it by."""
        kind = ir.FunctionType(result, [value.type for value in values])
        callee = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(callee, values)

    def call(self, name: str, *values: Any) -> Any:
        """Call one of LLVM's intrinsics on floats, `fmuladd` for example."""
        return self.function(f"llvm.{name}.v{self.count}f{self.bits}", self.kind, *values)

    def pointer(self, address: Any) -> Any:
        """Return an address as a pointer; a pointer as it is."""
        return address if address.type == POINTER else self.builder.inttoptr(address, POINTER)

    def opaque(self, value: Any) -> Any:
        """Return the same value, of which LLVM knows nothing."""
        kind = ir.FunctionType(value.type, [value.type])
        return self.builder.asm(kind, "", "=r,0", [value], False)

    def at(self, base: Any, row: Any, stride: Any, column: Any = 0) -> Any:
        """Return the pointer base + row stride + column, all but base in elements."""
        row, stride, column = (INT64(n) if isinstance(n, int) else n for n in (row, stride, column))
        offset = self.builder.add(self.builder.mul(row, stride), column)
        return self.builder.gep(self.pointer(base), [offset], source_etype=self.scalar)

    def load(self, position: Any) -> Any:
        """Load adjacent numbers, at an address or a pointer."""
        return self.builder.load(self.pointer(position), typ=self.kind, align=self.align)

    def store(self, value: Any, position: Any) -> None:
        """Store adjacent numbers, a vector or a Number, at an address or a pointer."""
        self.builder.store(self.number(value).value, self.pointer(position), align=self.align)

    def store_before(self, limit: Any, vector: Any, position: Any) -> None:
        """Store the first `limit` lanes of a vector of numbers, or bytes, at an address."""
        what = vector, self.pointer(position), INT32(1), self.before(limit)
        name = f"llvm.masked.store.v{self.count}{vector.type.element.intrinsic_name}.p0"
        self.function(name, ir.VoidType(), *what)

    def prefetch(self, position: Any, to_write: bool = False) -> None:
        """Prefetch the cache line at an address or a pointer, for all levels of the cache.

        to_write : take it from other cores, too, which a store would have to wait for
        """
        access, everywhere, data = INT32(int(to_write)), INT32(3), INT32(1)
        where = self.pointer(position)
        self.function("llvm.prefetch.p0", ir.VoidType(), where, access, everywhere, data)

    def shuffle(self, one: Any, other: Any, order: list[int]) -> Any:
        """Return the lanes `order` of two vectors, those of the second numbered on."""
        mask = ir.Constant(ir.VectorType(INT32, len(order)), order)
        return self.builder.shuffle_vector(one, other, mask)

    def broadcast(self, value: Any, count: int | None = None) -> Any:
        """Return copies of one number of any LLVM type: `count`, or as many as a vector has."""
        count = count or self.count
        empty = ir.Constant(ir.VectorType(value.type, count), ir.Undefined)
        first = self.builder.insert_element(empty, value, INT32(0))
        return self.shuffle(first, empty, [0] * count)

    def broadcast_from(self, position: Any) -> Any:
        """Return copies of the number in memory."""
        return self.broadcast(self.builder.load(position, typ=self.scalar, align=self.align))

    def before(self, limit: Any) -> Any:
        """Return which lanes have a number less than limit, an int64."""
        numbers = ir.Constant(self.vector_of(INT32), list(range(self.count)))
        limits = self.broadcast(self.builder.trunc(limit, INT32))
        return self.builder.icmp_signed("<", numbers, limits)

    def nonzero(self, value: Any) -> Any:
        """Return whether an int64 is not 0."""
        return self.builder.icmp_signed("!=", value, INT64(0))

    def fold(self, vector: Any, combine: Callable[[Number, Number], Number]) -> Any:
        """Return what all lanes combined are: the upper half with the lower, until one is left."""
        total, apart = self.number(vector), self.count // 2
        while apart:
            order = [lane ^ apart for lane in range(self.count)]
            other = self.shuffle(total.value, total.value, order)
            total, apart = combine(total, self.number(other)), apart // 2
        return self.builder.extract_element(total.value, INT32(0))


def _operator(name: str, swapped: bool = False) -> Callable[[Number, Any], Number]:
    def emit(one: Number, other: Any) -> Number:
        values = [one.value, one.emitter.number(other).value]
        if swapped:
            values.reverse()
        return Number(one.emitter, getattr(one.emitter.builder, name)(*values, flags=CONTRACT))

    return emit


class Number:
    """A float, or a vector of them, with Python's operators; comparisons are for `where`."""

    __add__ = __radd__ = _operator("fadd")
    __sub__, __rsub__ = _operator("fsub"), _operator("fsub", swapped=True)
    __mul__ = __rmul__ = _operator("fmul")
    __truediv__, __rtruediv__ = _operator("fdiv"), _operator("fdiv", swapped=True)

    def __init__(self, emitter: Emitter, value: Any) -> None:
        self.emitter, self.value = emitter, value

    def __neg__(self) -> Number:
        return Number(self.emitter, self.emitter.builder.fneg(self.value))

    def compare(self, relation: str, other: Any) -> Any:
        """Return whether `self relation other`; false where one is NaN, but for "!="."""
        builder = self.emitter.builder
        compare = builder.fcmp_unordered if relation == "!=" else builder.fcmp_ordered
        return compare(relation, self.value, self.emitter.number(other).value)

    def where(self, condition: Any, other: Any) -> Number:
        """Return self where the condition holds, and other elsewhere."""
        value = self.emitter.number(other).value
        return Number(self.emitter, self.emitter.builder.select(condition, self.value, value))

    def call(self, name: str, *others: Number) -> Number:
        """Return one of LLVM's intrinsics of this number, "floor" for example."""
        values = [number.value for number in (self, *others)]
        return Number(self.emitter, self.emitter.call(name, *values))

    def estimated_reciprocal(self) -> Number | None:
        """Return 1 / self to 2^-14; None where no instruction does that."""
        emitter = self.emitter
        if VECTOR_BYTES != 64:
            return None
        lanes = ir.Constant(ir.IntType(emitter.count), -1)
        name = f"llvm.x86.avx512.rcp14.{'ps' if emitter.bits == 32 else 'pd'}.512"
        return Number(emitter, emitter.function(name, emitter.kind, self.value, self.value, lanes))

    def exponent_and_mantissa(self) -> tuple[Number, Number]:
        """Return (n, m) with self = 2^n m, 1 <= m < 2, for a normal positive number."""
        emitter, builder, mantissa = self.emitter, self.emitter.builder, self.emitter.mantissa
        integer = emitter.vector_of(ir.IntType(emitter.bits))
        bits = builder.bitcast(self.value, integer)
        exponent = builder.lshr(bits, copies(mantissa, integer))
        exponent = builder.sub(exponent, copies(emitter.bias, integer))
        rest = builder.and_(bits, copies((1 << mantissa) - 1, integer))
        rest = builder.or_(rest, copies(emitter.bias << mantissa, integer))
        values = builder.sitofp(exponent, emitter.kind), builder.bitcast(rest, emitter.kind)
        return Number(emitter, values[0]), Number(emitter, values[1])

    def times_power(self, n: Number) -> Number:
        """Return 2^n self for a whole number n; 2^n need not be a normal number."""
        emitter, builder = self.emitter, self.emitter.builder
        if VECTOR_BYTES == 64:
            name = f"llvm.x86.avx512.mask.scalef.{'ps' if emitter.bits == 32 else 'pd'}.512"
            lanes, as_set = ir.Constant(ir.IntType(emitter.count), -1), INT32(4)
            values = self.value, n.value, self.value, lanes, as_set
            return Number(emitter, emitter.function(name, emitter.kind, *values))
        integer, found = emitter.vector_of(ir.IntType(emitter.bits)), self
        n = n.where(n.compare("==", n), 0)  # NaN is no integer
        half = (n * 0.5).call("floor")
        for part in (half, n - half):
            exponent = builder.fptosi(part.value, integer)
            exponent = builder.add(exponent, copies(emitter.bias, integer))
            shifted = builder.shl(exponent, copies(emitter.mantissa, integer))
            found = found * Number(emitter, builder.bitcast(shifted, emitter.kind))
        return found
