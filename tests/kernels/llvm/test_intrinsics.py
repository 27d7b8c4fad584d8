"""Intrinsics made of plain functions: types of arguments and results, switches, errors inside."""

from __future__ import annotations  # a result is known by the text of its annotation

from typing import Any

import numba
import numpy as np
import pytest
from direct import compiled
from llvmlite import ir
from numba.core import errors

from fastmlp.kernels.llvm.compile import SETTINGS
from fastmlp.kernels.llvm.emitter import INT64
from fastmlp.kernels.llvm.intrinsics import by_code, emitted, item_bytes, vector_lanes
from fastmlp.kernels.memory.records import numbers_at


@emitted
def added(emit: Any, one: Any, other: Any) -> int:
    """Return the sum of two whole numbers."""
    return emit.builder.add(one, other)


@emitted
def stored(emit: Any, address: Any, x: Any) -> None:
    """Write a float to an address."""
    emit.builder.store(x, emit.pointer(address), align=emit.align)


@emitted
def bits_of_last(emit: Any, x: Any, number: Any, y: Any) -> int:
    """Return the precision that the emitter has, given floats of two."""
    return INT64(emit.bits)


@emitted
def bits_of_none(emit: Any, number: Any) -> int:
    """Return the precision that the emitter has, given no float."""
    return INT64(emit.bits)


def result_of(function, *arguments):
    """Return what a compiled function returns, and the type that Numba found for it."""
    made = numba.njit(**SETTINGS)(function)
    value = made(*arguments)
    return value, made.nopython_signatures[0].return_type


def test_a_result_is_an_int64():
    assert result_of(lambda a, b: added(a, b), 3, 4) == (7, numba.types.int64)


def test_whole_numbers_of_any_kind_are_taken_as_int64_and_floats_keep_their_type():
    for number in (np.int32(-5), np.uint8(200), np.int64(-(2**40)), True):
        assert result_of(lambda a: added(a, 1), number) == (int(number) + 1, numba.types.int64)
    target = np.zeros(2)
    compiled(lambda address, x: stored(address, x))(target, 1.5)
    assert target.tolist() == [1.5, 0]
    narrow = np.zeros(2, np.float32)
    compiled(lambda address, x: stored(address, x))(narrow, np.float32(1.5))
    assert narrow.tolist() == [1.5, 0]


def test_nothing_is_returned_where_the_annotation_says_none():
    target = np.zeros(1)
    value, kind = result_of(lambda address, x: stored(address, x), target.ctypes.data, 1.0)
    assert (value, kind) == (None, numba.types.none)


def test_of_several_floats_the_last_decides_the_precision():
    half, wide = np.float32(1), 1.0
    for x, y, bits in ((half, wide, 64), (wide, half, 32), (half, half, 32), (wide, wide, 64)):
        assert result_of(lambda x, y: bits_of_last(x, 7, y), x, y)[0] == bits
    assert result_of(lambda a: bits_of_none(a), 1)[0] == 32


def test_sizes_follow_the_precision():
    for kind in (np.float32, np.float64):
        size = result_of(lambda x: item_bytes(x), kind(0))[0]
        assert size == np.dtype(kind).itemsize
        assert result_of(lambda x: vector_lanes(x), kind(0))[0] * size in (16, 32, 64)


def test_names_and_texts_are_those_of_the_function():
    assert added.__name__ == "added"
    assert added.__doc__ == "Return the sum of two whole numbers."


@emitted
def broken(emit: Any, x: Any) -> int:
    """Fail while instructions are emitted."""
    raise RuntimeError("the instructions of this are wrong")


def test_an_error_inside_reaches_whoever_compiles():
    with pytest.raises((RuntimeError, errors.NumbaError), match="instructions of this are wrong"):
        result_of(lambda x: broken(x), 1)
    with pytest.raises(errors.TypingError):
        result_of(lambda x: added(x), 1)  # an argument is missing


@emitted
def switched(emit: Any, code: Any, address: Any) -> None:
    """Write ten times the code to an address, for some codes."""
    place, kind = emit.pointer(address), ir.IntType(64)

    def case(number):
        return lambda: emit.builder.store(ir.Constant(kind, 10 * number), place)

    by_code(emit, code, {number: case(number) for number in (0, 3, 7)})


@emitted
def nested(emit: Any, code: Any, address: Any) -> None:
    """As `switched`, from a case whose instructions are blocks of their own."""

    one, five = (ir.Constant(ir.IntType(64), number) for number in (1, 5))

    def inner():
        store = {1: lambda: emit.builder.store(five, emit.pointer(address))}
        by_code(emit, emit.builder.and_(code, one), store)

    by_code(emit, code, {2: inner, 3: inner})


@compiled
def switch(code, address):
    switched(code, address)
    numbers_at(address, 2, np.int64(0))[1] += 1  # what follows is reached from every case


@compiled
def nested_switch(code, address):
    nested(code, address)
    numbers_at(address, 2, np.int64(0))[1] += 1


def test_a_switch_runs_the_case_of_its_code_and_of_others_none():
    for code in (-1, 0, 1, 3, 6, 7, 8, 2**40, -(2**63)):
        found = np.array([-1, 0])
        switch(code, found)
        assert found.tolist() == [10 * code if code in (0, 3, 7) else -1, 1]
    for code in range(5):
        found = np.array([-1, 0])
        nested_switch(code, found)
        assert found.tolist() == [5 if code == 3 else -1, 1]
