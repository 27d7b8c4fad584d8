"""Intrinsics: plain functions that emit LLVM instructions, and the loops and rows in them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial, wraps
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from fastmlp.kernels.llvm.emitter import INT64, Emitter

LINE_BYTES = 64
Row = list[Any]  # vectors, or their positions


def names_of(function: Callable[..., Any]) -> list[str]:
    """Return the names of a function's parameters: `inspect.signature` takes 30 microseconds."""
    code = function.__code__
    return list(code.co_varnames[: code.co_argcount])


def emitted(function: Callable[..., Any], names: Sequence[str] | None = None) -> Any:
    """Make an intrinsic of a function (emitter, *arguments) that emits instructions.

    Compiled code calls it without the emitter. Floats keep their type, which is the emitter's
    precision (float32 if there is none); a record is handed on as its address; all others are
    int64, and so is a result. `names` are the arguments', where the function itself has none.
    """
    returns = types.void if str(function.__annotations__["return"]) == "None" else types.int64

    @wraps(function)
    def typed(typingctx: Any, *arguments: Any) -> Any:
        floats = [kind for kind in arguments if isinstance(kind, types.Float)]
        precision = floats[-1] if floats else types.float32
        own = (types.Float, types.Record)
        kinds = [kind if isinstance(kind, own) else types.int64 for kind in arguments]

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            plain = [
                builder.ptrtoint(value, INT64) if isinstance(value.type, ir.PointerType) else value
                for value in values
            ]
            found = function(Emitter(context, builder, precision), *plain)
            return context.get_dummy_value() if found is None else found

        return returns(*kinds), generate

    names = names_of(function)[1:] if names is None else names
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(name, kind) for name in ("typingctx", *names)]
    typed.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return intrinsic(typed)


@emitted
def item_bytes(emit: Emitter, like) -> int:
    """Return how many bytes one number of this precision takes."""
    return INT64(emit.bits // 8)


@emitted
def vector_lanes(emit: Emitter, like) -> int:
    """Return how many numbers of this precision one vector holds."""
    return INT64(emit.count)


flush_small, set_control = emitted(Emitter.flush_small), emitted(Emitter.set_control)
prefetch = emitted(Emitter.prefetch, ["position"])


def _over_lines(to_write: bool) -> Any:
    def over_lines(emit: Emitter, address, size) -> None:
        """Prefetch the cache lines of so many bytes, at least one, which may begin within a line.

        How often the loop runs depends on the size alone: otherwise its branch is mispredicted.
        """
        builder, last = emit.builder, emit.builder.sub(size, INT64(1))
        with cgutils.for_range_slice(builder, INT64(0), last, INT64(LINE_BYTES)) as (j, _):
            emit.prefetch(builder.add(address, j), to_write)
        emit.prefetch(builder.add(address, last), to_write)

    return emitted(over_lines)


# The second is for what is written next: other cores lose their copies
prefetch_lines, claim_lines = _over_lines(to_write=False), _over_lines(to_write=True)


@emitted
def copy_bytes(emit: Emitter, target, source, size) -> None:
    """Copy so many bytes from one address to another, which do not overlap."""
    cgutils.raw_memcpy(emit.builder, emit.pointer(target), emit.pointer(source), size, 1)


def by_code(emit: Emitter, code: Any, cases: Mapping[int, Callable[..., None]]) -> None:
    """Emit one switch: for each code the instructions that its function emits; else nothing."""
    builder = emit.builder
    after = builder.append_basic_block("after")
    switch = builder.switch(code, after)
    for number, instructions in cases.items():
        block = builder.append_basic_block("case")
        switch.add_case(INT64(number), block)
        builder.position_at_end(block)
        instructions()
        builder.branch(after)
    builder.position_at_end(after)


def by_name(
    emit: Emitter, code: Any, table: Mapping[str, Any], instructions: Callable[[str], None]
) -> None:
    """Emit one switch: for the code of each row of a table, the instructions for its name."""
    by_code(emit, code, {row.code: partial(instructions, name) for name, row in table.items()})


def loop_over(
    emit: Emitter, enters: Any, values: list[Any], body: Callable[[list[Any]], Any]
) -> list[Any]:
    """Emit a loop over values that LLVM holds in registers, which runs if `enters`.

    body(values) emits one pass, and returns the new values and whether another pass follows.
    Return the values after the loop.
    """
    builder, loop = emit.builder, emit.builder.append_basic_block("loop")
    places = [cgutils.alloca_once_value(builder, value) for value in values]
    after = builder.append_basic_block("after")
    builder.cbranch(enters, loop, after)
    builder.position_at_end(loop)
    following, goes_on = body([builder.load(place) for place in places])
    for place, value in zip(places, following, strict=True):
        builder.store(value, place)
    builder.cbranch(goes_on, loop, after)
    builder.position_at_end(after)
    return [builder.load(place) for place in places]


def counted_loop(
    emit: Emitter, end: Any, sums: Row, body: Callable[..., Any], step: int = 1
) -> Row:
    """Emit a `loop_over` sums and k = 0, step, … below the end; body(k, sums) returns new sums."""
    builder = emit.builder

    def counted(values: list[Any]) -> Any:
        new, following = body(values[0], values[1:]), builder.add(values[0], INT64(step))
        return [following, *new], builder.icmp_signed("<", following, end)

    enters = builder.icmp_signed(">", end, INT64(0))
    return loop_over(emit, enters, [INT64(0), *sums], counted)[1:]


def accumulate(emit: Emitter, positions: list[Any], sums: list[Any], beta: Any) -> None:
    """c = beta c + sum at each position; where beta is 0, c is not read."""
    keeps = emit.builder.fcmp_unordered("!=", beta, ir.Constant(emit.scalar, 0.0))
    with emit.builder.if_else(keeps) as (add, overwrite):
        with add:
            factor = emit.broadcast(beta)
            for position, total in zip(positions, sums, strict=True):
                emit.store(emit.call("fmuladd", factor, emit.load(position), total), position)
        with overwrite:
            for position, total in zip(positions, sums, strict=True):
                emit.store(total, position)


class Rows:
    """Emits what each pass needs of rows of `width` vectors; sums are vectors of several rows."""

    def __init__(self, emit: Emitter, width: int) -> None:
        self.emit, self.width = emit, width

    def at(self, address: Any, number: Any = 0, stride: Any = 0) -> Row:
        """Return the positions of the vectors of row `number`."""
        count = self.emit.count
        return [self.emit.at(address, number, stride, j * count) for j in range(self.width)]

    def start(self, address: Any, number: Any, stride: Any) -> Any:
        """Return the position of the first vector of a row, in a register.

        Where it is the sum of two, a product that loads its operand is two instructions, not one.
        """
        return self.emit.opaque(self.emit.at(address, number, stride))

    def load(self, positions: Row) -> Row:
        """Load a row."""
        return [self.emit.load(position) for position in positions]

    def store(self, row: Row, positions: Row) -> None:
        """Store a row."""
        for value, position in zip(row, positions, strict=True):
            self.emit.store(value, position)

    def add(self, one: Row, other: Row) -> Row:
        """one + other."""
        return [self.emit.builder.fadd(*pair) for pair in zip(one, other, strict=True)]

    def zeros(self, rows: int = 1) -> Row:
        """Return so many rows of zeros."""
        return [self.emit.constant(0.0)] * (rows * self.width)

    def fma(self, factor: Any, row: Row, total: Row) -> Row:
        """factor row + total."""
        pairs = zip(row, total, strict=True)
        return [self.emit.call("fmuladd", factor, value, so_far) for value, so_far in pairs]
