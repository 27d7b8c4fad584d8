"""Sparse products: sums over the terms whose bits are set, in vectors of columns.

Two loops, each over the bits of some words (see `bits`), or the entries of a list or a sparse row:
*gather* keeps sums in registers and reads a row for each; *scatter* keeps rows in registers and
adds to another for each. A factor is a float, or a byte that a table of 256 turns into one: t[v].
Rows are PANEL_VECTORS vectors wide, half of that, or one vector. v and v' are the pixels of a pair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial, reduce, wraps
from itertools import chain, repeat
from typing import Any

from llvmlite import ir

from fastmlp.kernels.llvm import intrinsics
from fastmlp.kernels.llvm.emitter import BYTE, INT32, INT64, Emitter
from fastmlp.kernels.llvm.intrinsics import Row, Rows, accumulate, counted_loop, emitted
from fastmlp.kernels.memory.tuning import GROUP, PANEL_VECTORS, WORD_BYTES


def _factors(emit: Emitter, pixels: Any, table: Any, k: Any) -> list[Any]:
    """Return the factors of the pixels of a group, at an address, of sample k."""
    builder = emit.builder
    first = builder.gep(emit.pointer(pixels), [k], source_etype=INT32)
    places = [builder.gep(first, [INT64(i)], source_etype=BYTE) for i in range(GROUP)]
    values = [builder.zext(builder.load(place, typ=BYTE), INT64) for place in places]
    return [emit.broadcast_from(emit.at(table, value, 1)) for value in values]


def _group(rows: Rows, base: Any, row: Any, stride: Any) -> list[Row]:
    """Return the positions of the rows of a group's pixels."""
    numbers = [0, 1, stride, rows.emit.builder.add(stride, INT64(1))]
    return [rows.at(base, number, row) for number in numbers[:GROUP]]


def _add_products(rows: Rows, terms: Iterable[tuple[Any, Row]], sums: Row) -> Row:
    """Return sums, as wide as a row for each term, plus factor * row."""
    new: Row = []
    for factor, row in terms:
        new += rows.fma(factor, row, sums[len(new) : len(new) + rows.width])
    return new


def _over_bits(
    emit: Emitter, words: list[Any], sums: list[Row], bodies: list[Callable[..., Row]]
) -> list[Row]:
    """Emit the loop over the bits k of words, one of each in a pass, then over what is left of one.

    Each word has sums of its own, in the order of its bits: body(k, sums) returns the new ones.
    Additions of one word alone would wait for each other: a pass takes at least as long as one.
    """
    builder, count, width = emit.builder, len(words), len(sums[0])

    def all_left(now: list[Any]) -> Any:
        return reduce(builder.and_, map(emit.nonzero, now[:count]))

    def rows_of(now: list[Any]) -> list[Row]:
        return [now[count + number * width :][:width] for number in range(count)]

    def passing(now: list[Any]) -> Any:
        following, new = [], []
        for word, so_far, body in zip(now, rows_of(now), bodies, strict=False):
            k = builder.cttz(word, ir.Constant(ir.IntType(1), 1))
            following.append(builder.and_(word, builder.sub(word, INT64(1))))
            new += body(k, so_far)
        return [*following, *new], all_left(following)

    left = intrinsics.loop_over(emit, all_left(words), [*words, *chain(*sums)], passing)
    if count == 1:
        return rows_of(left)
    each = zip(left, rows_of(left), bodies, strict=False)
    return [_over_bits(emit, [word], [row], [body])[0] for word, row, body in each]


def _over_entries(
    rows: Rows, base: Any, stride: Any, entries: Any, sums: Row, body: Callable[..., Row]
) -> Row:
    """Emit the loop over entries; body(pairs of a factor and a row's positions) adds to the sums.

    entries : (addresses of numbers n and of lists of factors, count, entries in a pass); the i-th
        list has the factors of the rows n + i behind `base`
    """
    emit, builder, (numbers, factors_of, count, at_once) = rows.emit, rows.emit.builder, entries

    # each in a register of its own
    first_number, *lists = (emit.opaque(emit.pointer(place)) for place in (numbers, *factors_of))

    def passing(n: Any, totals: Row) -> Row:
        found = []
        for k in range(at_once):
            entry = builder.add(n, INT64(k))
            position = builder.gep(first_number, [entry], source_etype=INT32)
            number = builder.zext(builder.load(position, typ=INT32), INT64)
            first = rows.start(base, number, stride)
            for i, factors in enumerate(lists):
                factor = emit.broadcast_from(emit.at(factors, entry, 1))
                found.append((factor, rows.at(rows.start(first, i, stride))))
        return body(found, totals)

    return counted_loop(emit, count, sums, passing, at_once)


def at_each_width(function: Callable[..., None]) -> Any:
    """Make an intrinsic (columns, *arguments) of a function (rows, *arguments).

    Its instructions are there for each width, and those run that are for so many columns.
    """

    @wraps(function)
    def widths(emit: Emitter, columns: Any, *arguments: Any) -> None:
        for vectors in (1, PANEL_VECTORS // 2, PANEL_VECTORS):
            fits = emit.builder.icmp_signed("==", columns, INT64(vectors * emit.count))
            with emit.builder.if_then(fits):
                function(Rows(emit, vectors), *arguments)

    return emitted(widths, ["columns", *intrinsics.names_of(function)[1:]])


def _pairs(emit: Emitter, pair_list: Any, capacity: Any) -> Any:
    """Return the entries of an image's list, which are pairs (see `bits.list_pairs`)."""
    count = emit.builder.load(emit.pointer(pair_list), typ=INT64)
    numbers = emit.builder.add(pair_list, INT64(WORD_BYTES))
    first = emit.builder.gep(emit.pointer(numbers), [capacity], source_etype=INT32)
    return numbers, [first, emit.at(first, 0, 0, capacity)], count, 2


def _gather(rows: Rows, c: Any, q: Any, q_row: Any, beta: Any, entries: Any) -> None:
    """c = beta c + sum over inputs k of factor[k] q[k].

    The inputs of a pass have sums of their own, so that no addition waits for another.
    """

    def body(found: list[Any], sums: Row) -> Row:
        return _add_products(rows, ((factor, rows.load(row)) for factor, row in found), sums)

    _, factors_of, _, at_once = entries
    zeros = rows.zeros(at_once * len(factors_of))
    sums = _over_entries(rows, q, q_row, entries, zeros, body)
    parts = [sums[i : i + rows.width] for i in range(0, len(sums), rows.width)]
    while len(parts) > 1:
        parts = [rows.add(*pair) for pair in zip(parts[::2], parts[1::2], strict=True)]
    accumulate(rows.emit, rows.at(c), parts[0], beta)


def _scatter(rows: Rows, c: Any, c_row: Any, q: Any, entries: Any) -> None:
    """c[k] += factor[k] q for each input k."""
    source = rows.load(rows.at(q))

    def body(found: list[Any], _: Row) -> Row:
        for factor, positions in found:
            rows.store(rows.fma(factor, source, rows.load(positions)), positions)
        return []

    _over_entries(rows, c, c_row, entries, [], body)


@at_each_width
def gather_pixels(rows: Rows, c, q, q_row, pair_list, capacity, beta) -> None:
    """c = beta c + sum over the pairs k of an image's list of t[v] q[2k] + t[v'] q[2k + 1]."""
    _gather(rows, c, q, q_row, beta, _pairs(rows.emit, pair_list, capacity))


@at_each_width
def scatter_pixels(rows: Rows, c, c_row, q, pair_list, capacity, like) -> None:
    """c[2k] += t[v] q and c[2k + 1] += t[v'] q for each pair k of an image's list."""
    _scatter(rows, c, c_row, q, _pairs(rows.emit, pair_list, capacity))


@at_each_width
def gather_entries(rows: Rows, c, q, q_row, numbers, values, count, beta) -> None:
    """c = beta c + sum over the entries k of a sparse row of v[k] q[n[k]]."""
    _gather(rows, c, q, q_row, beta, (numbers, [values], count, 1))


@at_each_width
def scatter_entries(rows: Rows, c, c_row, q, numbers, values, count, like) -> None:
    """c[n[k]] += v[k] q for each entry k of a sparse row."""
    _scatter(rows, c, c_row, q, (numbers, [values], count, 1))


@at_each_width
def gather_samples(rows: Rows, c, c_row, stride, q, q_row, word, pixels, table, beta) -> None:
    """c[i] = beta c[i] + sum of t[v_i] q[k] for the pixels i of a group: 0, 1, stride, stride + 1.

    word : of the samples k; pixels : address of the group's, see `bits.pixels_of`
    """

    def body(k: Any, sums: Row) -> Row:
        factors, row = _factors(rows.emit, pixels, table, k), rows.load(rows.at(q, k, q_row))
        return _add_products(rows, zip(factors, repeat(row)), sums)

    (totals,) = _over_bits(rows.emit, [word], [rows.zeros(GROUP)], [body])
    positions = [position for row in _group(rows, c, c_row, stride) for position in row]
    accumulate(rows.emit, positions, totals, beta)


@at_each_width
def scatter_samples(rows: Rows, c, c_row, q, q_row, stride, word, pixels, table, like) -> None:
    """c[k] += sum of t[v_i] q[i] over the pixels i of a group, as in `gather_samples`."""
    group = [rows.load(row) for row in _group(rows, q, q_row, stride)]

    def body(k: Any, _: Row) -> Row:
        positions = rows.at(c, k, c_row)
        total = rows.load(positions)
        for factor, row in zip(_factors(rows.emit, pixels, table, k), group, strict=True):
            total = rows.fma(factor, row, total)
        rows.store(total, positions)
        return []

    _over_bits(rows.emit, [word], [[]], [body])


@at_each_width
def sum_rows(rows: Rows, c, q, q_row, count, beta) -> None:
    """c = beta c + sum over k = 0, …, count - 1 of q[k]: a product in which every factor is 1."""

    def body(k: Any, sums: Row) -> Row:
        return rows.add(sums, rows.load(rows.at(q, k, q_row)))

    accumulate(rows.emit, rows.at(c), counted_loop(rows.emit, count, rows.zeros(), body), beta)


@emitted
def gather_outputs(
    emit: Emitter, c, c_row, goes_on, p, p_next, p_row, one, other, one_next, other_next, q,
    q_next, q_k, beta,
) -> None:  # fmt: skip
    """c = beta c + sum over the set bits k of two words of p[k] q[k], in PANEL_VECTORS vectors.

    For two rows of c and p: `one` and `one_next` are the words of the first row, `other` and
    `other_next` of the second; p_next and q_next are the operands of these. Where `goes_on` is not
    0, the sums begin with c. Bits set in both words come first: each loads a row of q once.
    """
    rows, builder = Rows(emit, PANEL_VECTORS), emit.builder
    positions, zero = [rows.at(c, number, c_row) for number in (0, 1)], emit.constant(0.0)
    starts = builder.icmp_unsigned("==", goes_on, INT64(0))
    sums = [[builder.select(starts, zero, v) for v in rows.load(row)] for row in positions]

    def body(numbers: tuple[int, ...], p: Any, q: Any, k: Any, so_far: Row) -> Row:
        factors = [emit.broadcast_from(emit.at(p, number, p_row, k)) for number in numbers]
        row = rows.load(rows.at(rows.start(q, k, q_k)))
        return _add_products(rows, zip(factors, repeat(row)), so_far)

    for p_now, q_now, words in (
        (p, q, [one, other]),
        (p_next, q_next, [one_next, other_next]),
    ):
        both: Any = builder.and_(*words)
        (found,) = _over_bits(
            emit, [both], [sums[0] + sums[1]], [partial(body, (0, 1), p_now, q_now)]
        )
        halves = [found[: rows.width], found[rows.width :]]
        alone = [builder.and_(word, builder.not_(both)) for word in words]
        each: list[Any] = [partial(body, (number,), p_now, q_now) for number in (0, 1)]
        sums = _over_bits(emit, alone, halves, each)
    for row, total in zip(positions, sums, strict=True):
        accumulate(emit, row, total, beta)
