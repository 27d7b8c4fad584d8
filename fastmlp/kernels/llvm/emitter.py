"""LLVM instructions on numbers and vectors: a formula written once serves both."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils

from fastmlp.errors import refuse

FEATURES = llvm.get_host_cpu_features()
WIDEST = 64 if FEATURES.get("avx512f") else 32 if FEATURES.get("avx") else 16
# FASTMLP_VECTOR_BYTES narrows the vectors, to check kernels as another processor would run them
VECTOR_BYTES = min(WIDEST, max(16, int(os.environ.get("FASTMLP_VECTOR_BYTES", WIDEST))))
if VECTOR_BYTES not in (16, 32, 64):
    raise refuse("FASTMLP_VECTOR_BYTES", "must be 16, 32 or 64", VECTOR_BYTES, "Unset it.")

INT64, INT32 = ir.IntType(64), ir.IntType(32)
POINTER = ir.PointerType()
# A product and a sum may be rounded once, together; nothing else may be rearranged
CONTRACT = ("contract",)


def lanes(kind: Any) -> int:
    """Return how many elements of a Numba scalar type one vector holds."""
    return VECTOR_BYTES * 8 // int(kind.bitwidth)


class Emitter:
    """Emits instructions on vectors of `count` numbers of a Numba float type; 1 is no vector."""

    def __init__(self, context: Any, builder: Any, element: Any, count: int | None = None) -> None:
        self.context, self.builder, self.element = context, builder, element
        self.bits = int(element.bitwidth)
        self.smallest = 2.0**-126 if self.bits == 32 else 2.0**-1022  # of normal numbers
        self.count = lanes(element) if count is None else count
        self.scalar, self.align = context.get_value_type(element), self.bits // 8
        self.kind = self.vector_of(self.scalar)
        suffix = f"v{self.count}f{self.bits}" if self.count > 1 else f"f{self.bits}"
        self._intrinsic = "llvm.{}." + suffix

    def vector_of(self, scalar: Any) -> Any:
        """Return the type of `count` values of an LLVM type."""
        return ir.VectorType(scalar, self.count) if self.count > 1 else scalar

    def constant(self, value: float, scalar: Any = None) -> Any:
        """Return copies of a constant, of this float type or another LLVM type."""
        kind = self.vector_of(scalar or self.scalar)
        return ir.Constant(kind, [value] * self.count if self.count > 1 else value)

    def number(self, value: Any) -> Number:
        """Return a Number: of an LLVM value, or of a Python number."""
        if isinstance(value, Number):
            return value
        if isinstance(value, (int, float)):
            return Number(self, self.constant(float(value)))
        return Number(self, value)

    def call(self, name: str, *values: Any) -> Any:
        """Call one of LLVM's intrinsics on floats, `fmuladd` for example."""
        kind = ir.FunctionType(self.kind, [self.kind] * len(values))
        module = self.builder.module
        function = cgutils.get_or_insert_function(module, kind, self._intrinsic.format(name))
        return self.builder.call(function, values)

    def whole(self, number: Any) -> Any:
        """Return a Python int as an int64 constant, anything else as it is."""
        return ir.Constant(INT64, number) if isinstance(number, int) else number

    def pointer(self, address: Any) -> Any:
        """Return an address as a pointer."""
        return self.builder.inttoptr(address, POINTER)

    def at(self, base: Any, row: Any, stride: Any, column: Any = 0) -> Any:
        """Return the pointer base + row stride + column, all but base in elements."""
        offset = self.builder.mul(self.whole(row), self.whole(stride))
        offset = self.builder.add(offset, self.whole(column))
        return self.builder.gep(base, [offset], source_etype=self.scalar)

    def byte_at(self, base: Any, offset: int) -> Any:
        """Load the byte at base + offset, as an int64."""
        byte = ir.IntType(8)
        position = self.builder.gep(base, [self.whole(offset)], source_etype=byte)
        return self.builder.zext(self.builder.load(position, typ=byte), INT64)

    def load(self, position: Any) -> Any:
        """Load adjacent numbers."""
        return self.builder.load(position, typ=self.kind, align=self.align)

    def store(self, value: Any, position: Any) -> None:
        """Store adjacent numbers."""
        self.builder.store(value, position, align=self.align)

    def prefetch(self, position: Any) -> None:
        """Prefetch the cache line at a pointer, for all levels of the cache."""
        hint = ir.FunctionType(ir.VoidType(), [POINTER, INT32, INT32, INT32])
        callee = cgutils.get_or_insert_function(self.builder.module, hint, "llvm.prefetch.p0")
        reading, everywhere, data = INT32(0), INT32(3), INT32(1)
        self.builder.call(callee, [position, reading, everywhere, data])

    def shuffle(self, one: Any, other: Any, order: list[int]) -> Any:
        """Return the lanes `order` of two vectors, those of the second numbered on."""
        mask = ir.Constant(ir.VectorType(INT32, len(order)), order)
        return self.builder.shuffle_vector(one, other, mask)

    def broadcast(self, value: Any) -> Any:
        """Return copies of one number."""
        if self.count == 1:
            return value
        empty = ir.Constant(self.kind, ir.Undefined)
        first = self.builder.insert_element(empty, value, INT32(0))
        return self.shuffle(first, empty, [0] * self.count)

    def broadcast_from(self, position: Any) -> Any:
        """Return copies of the number in memory."""
        return self.broadcast(self.builder.load(position, typ=self.scalar, align=self.align))

    def before(self, limit: Any) -> Any:
        """Return which lanes have a number less than limit, an int64."""
        numbers = ir.Constant(ir.VectorType(INT32, self.count), list(range(self.count)))
        empty = ir.Constant(numbers.type, ir.Undefined)
        first = self.builder.insert_element(empty, self.builder.trunc(limit, INT32), INT32(0))
        limits = self.shuffle(first, empty, [0] * self.count)
        return self.builder.icmp_signed("<", numbers, limits)

    def fold(self, vector: Any, combine: Callable[[Number, Number], Number]) -> Any:
        """Return what all lanes combined are: the upper half with the lower, until one is left."""
        total, apart = self.number(vector), self.count // 2
        while apart:
            order = [lane ^ apart for lane in range(self.count)]
            other = self.shuffle(total.value, total.value, order)
            total, apart = combine(total, self.number(other)), apart // 2
        return self.builder.extract_element(total.value, INT32(0))


class Number:
    """A float, or a vector of them, with Python's operators; comparisons are for `where`."""

    def __init__(self, emitter: Emitter, value: Any) -> None:
        self.emitter, self.value = emitter, value

    def _binary(self, operation: str, other: Any, swapped: bool = False) -> Number:
        values = [self.value, self.emitter.number(other).value]
        one, two = reversed(values) if swapped else values
        emit = getattr(self.emitter.builder, operation)
        return Number(self.emitter, emit(one, two, flags=CONTRACT))

    def __add__(self, other: Any) -> Number:
        return self._binary("fadd", other)

    def __sub__(self, other: Any) -> Number:
        return self._binary("fsub", other)

    def __mul__(self, other: Any) -> Number:
        return self._binary("fmul", other)

    def __truediv__(self, other: Any) -> Number:
        return self._binary("fdiv", other)

    def __rsub__(self, other: Any) -> Number:
        return self._binary("fsub", other, swapped=True)

    def __rtruediv__(self, other: Any) -> Number:
        return self._binary("fdiv", other, swapped=True)

    def __neg__(self) -> Number:
        return Number(self.emitter, self.emitter.builder.fneg(self.value))

    __radd__, __rmul__ = __add__, __mul__

    def compare(self, relation: str, other: Any) -> Any:
        """Return whether `self relation other`; false where one is NaN, but for "!="."""
        compare = self.emitter.builder.fcmp_ordered
        if relation == "!=":
            compare = self.emitter.builder.fcmp_unordered
        return compare(relation, self.value, self.emitter.number(other).value)

    def where(self, condition: Any, other: Any) -> Number:
        """Return self where the condition holds, and other elsewhere."""
        value = self.emitter.number(other).value
        return Number(self.emitter, self.emitter.builder.select(condition, self.value, value))

    def call(self, name: str, *others: Number) -> Number:
        """Return one of LLVM's intrinsics of this number, "floor" for example."""
        values = (self.value, *(other.value for other in others))
        return Number(self.emitter, self.emitter.call(name, *values))

    def _format(self) -> tuple[Any, int, int]:
        """Return an integer as wide as a number, the bits of its mantissa, and its bias."""
        bits, mantissa, bias = (32, 23, 127) if self.emitter.bits == 32 else (64, 52, 1023)
        return ir.IntType(bits), mantissa, bias

    def exponent_and_mantissa(self) -> tuple[Number, Number]:
        """Return (n, m) with self = 2^n m, 1 <= m < 2, for a normal positive number."""
        emitter, builder = self.emitter, self.emitter.builder
        integer, mantissa, bias = self._format()
        bits = builder.bitcast(self.value, emitter.vector_of(integer))
        exponent = builder.lshr(bits, emitter.constant(mantissa, integer))
        exponent = builder.sub(exponent, emitter.constant(bias, integer))
        rest = builder.and_(bits, emitter.constant((1 << mantissa) - 1, integer))
        rest = builder.or_(rest, emitter.constant(bias << mantissa, integer))
        values = builder.sitofp(exponent, emitter.kind), builder.bitcast(rest, emitter.kind)
        return Number(emitter, values[0]), Number(emitter, values[1])

    def power_of_two(self) -> Number:
        """Return 2^self for a whole number in the exponents of normal numbers."""
        emitter, builder = self.emitter, self.emitter.builder
        integer, mantissa, bias = self._format()
        exponent = builder.fptosi(self.value, emitter.vector_of(integer))
        exponent = builder.add(exponent, emitter.constant(bias, integer))
        shifted = builder.shl(exponent, emitter.constant(mantissa, integer))
        return Number(emitter, builder.bitcast(shifted, emitter.kind))
