"""Words: 64 bits that say which of 64 samples, or neighbours, are not zero.

In a part of a minibatch, a word says in which samples a group of pixels is not zero. A group is a
quad or half of one: a square of four pixels, or four or two in a row. The quads of a part are its
bytes transposed: a row has the same quad of each sample. An image by itself is a list of its pairs
of pixels that are not zero, the pixels 2k and 2k + 1 being pair k.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isqrt
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils
from numba.extending import register_jitable

from fastmlp.kernels.llvm.compile import jit, shared
from fastmlp.kernels.llvm.emitter import ARM, FEATURES, INT32, INT64, VECTOR_BYTES, Emitter, copies
from fastmlp.kernels.llvm.intrinsics import emitted, prefetch
from fastmlp.kernels.loops.tile import transposed_parts
from fastmlp.kernels.memory.panels import round_up, units
from fastmlp.kernels.memory.records import numbers_at
from fastmlp.kernels.memory.tuning import GROUP, PANEL_VECTORS, PART, QUAD, WORD_BYTES

INT16 = ir.IntType(16)
# Pixels of a row, and images, that are transposed at once
WIDE = 16
QUADS = ir.VectorType(INT32, WIDE)
LISTED = 16 if VECTOR_BYTES == 64 else 8  # pairs whose entries are made at once
# Bytes of a vector of 16 in an order that another one has
ON_X86: Any = "llvm.x86.ssse3.pshuf.b.128" if FEATURES.get("ssse3") else None
SHUFFLE = "llvm.aarch64.neon.tbl1.v16i8" if ARM else ON_X86


@emitted
def count_bits(emit: Emitter, word) -> int:
    """Return how many bits of a word are set."""
    return emit.builder.ctpop(word)


def group_shape(inputs: int) -> tuple[int, int]:
    """Return how far a quad's second pair lies behind its first, and the pixels of a block.

    In square images the two pairs are in neighbouring rows: such pixels are more often zero
    together than four in a row. A block has whole groups, and is loaded WIDE pixels of a row at a
    time; images are filled up with zeros to whole blocks.
    """
    side, stride = isqrt(inputs), 2
    if side * side == inputs and side % 2 == 0 and side >= WIDE and GROUP == QUAD:
        stride = side
    return stride, round_up(WIDE, GROUP // 2 * stride)


def words_bytes(inputs: int, dtype: np.dtype, lists: bool = False, slices: int = 1) -> int:
    """Return how many bytes an image takes in quads and words, or the list of one of its slices."""
    if not lists:
        pixels = round_up(inputs, PART)
        return pixels + pixels // (8 * GROUP)
    size = group_shape(inputs)[1]
    inputs = min(inputs, units(units(inputs, size), slices) * size)
    return -(-(WORD_BYTES + list_capacity(inputs) * (4 + 2 * dtype.itemsize)) // 64) * 64


@register_jitable
def words_of(quads, inputs):
    """Return the address of the words of a part: they lie behind its quads."""
    return quads + round_up(inputs, PART) * PART


@register_jitable
def pixels_of(quads, group):
    """Return the address of a group's pixels, of a part's first sample."""
    first = group * GROUP
    return quads + first // QUAD * QUAD * PART + first % QUAD


@register_jitable
def list_capacity(inputs):
    """Return how many entries there is space for: each pair, and what is overwritten behind it."""
    return (inputs + 1) // 2 + LISTED


def _compress_by_table(emit: Emitter, halves: list[Any], bits: Any) -> Any:
    """Return 8 entries of two halves of 16 bits; those with set bits come first, by a table."""
    builder, bytes_of, rows = emit.builder, ir.VectorType(ir.IntType(8), 16), []
    for byte in range(256):
        lanes = [k for k in range(8) if byte >> k & 1]
        rows.append(([2 * k + half for k in lanes for half in (0, 1)] + [0] * 16)[:16])
    table = ir.Constant(ir.ArrayType(bytes_of, 256), [ir.Constant(bytes_of, row) for row in rows])
    orders = cgutils.global_constant(builder, "orders_of_bytes", table)
    position = builder.gep(orders, [builder.zext(bits, INT64)], source_etype=bytes_of)
    order = builder.load(position, typ=bytes_of, align=16)
    parts = [emit.function(SHUFFLE, bytes_of, builder.bitcast(h, bytes_of), order) for h in halves]
    numbers, pixels = (builder.bitcast(part, halves[0].type) for part in parts)
    pairs = emit.shuffle(numbers, pixels, [k // 2 + k % 2 * 8 for k in range(16)])
    return builder.bitcast(pairs, ir.VectorType(INT32, 8))


@emitted
def compress_pairs(emit: Emitter, pixels, first, skipped, target) -> int:
    """Write the entries of those of LISTED pairs that are not zero; return how many there were.

    An entry of 32 bits is the number of the pair (from `first` on), and its pixels, 8 bits each.
    Up to LISTED entries behind the last are overwritten. The first `skipped` pairs do not count.
    """
    builder, half, wide = emit.builder, ir.VectorType(INT16, LISTED), ir.VectorType(INT32, LISTED)
    lanes = ir.Constant(half, list(range(LISTED)))
    pairs = builder.load(emit.pointer(pixels), typ=half, align=1)
    wanted = builder.icmp_unsigned("!=", pairs, copies(0, half))
    begin = emit.broadcast(builder.trunc(skipped, INT16), LISTED)
    wanted = builder.and_(wanted, builder.icmp_unsigned(">=", lanes, begin))
    bits = builder.bitcast(wanted, ir.IntType(LISTED))
    numbers = builder.add(emit.broadcast(builder.trunc(first, INT16), LISTED), lanes)
    if LISTED == 8 and SHUFFLE is not None:  # LLVM compresses these one by one
        found = _compress_by_table(emit, [numbers, pairs], bits)
    else:
        high = builder.shl(builder.zext(pairs, wide), copies(16, wide))
        entries = builder.or_(high, builder.zext(numbers, wide))
        name, rest = f"vector.compress.v{LISTED}i32", ir.Constant(wide, ir.Undefined)
        found = emit.function(f"llvm.experimental.{name}", wide, entries, wanted, rest)
    builder.store(found, emit.pointer(target), align=4)
    return builder.zext(builder.ctpop(bits), INT64)


@jit
def list_pairs(pixels, inputs, scale, target, like):
    """Write the list of the pairs of an image that are not zero, and their factors scale v.

    It is how many there are, int64; for each, twice its number, int32; the factors of their first
    pixels, and those of their second ones. An odd number of pairs is followed by an entry whose
    factors are 0: the loops take two at once.
    """
    pairs, space, begin = (inputs + 1) // 2, list_capacity(inputs), target + WORD_BYTES
    end, words = begin, numbers_at(pixels, pairs, np.uint16(0))
    whole, rest = pairs // LISTED * LISTED, pairs - LISTED
    for k in range(0, whole, LISTED):
        end += 4 * compress_pairs(pixels + 2 * k, k, 0, end)
    if whole < pairs and rest >= 0:  # the last ones, of which some are in the list
        end += 4 * compress_pairs(pixels + 2 * rest, rest, whole - rest, end)
    for k in range(pairs if rest < 0 else 0):
        numbers_at(end, 1, np.uint32(0))[0] = np.uint32(k) | np.uint32(words[k]) << 16
        end += 4 * int(words[k] != 0)
    numbers_at(end, 1, np.uint32(0))[0] = 0
    count = (end - begin) // 4
    count += count & 1
    split_entries(begin, space, count, type(like)(scale))
    numbers_at(target, 1, np.int64(0))[0] = count


@emitted
def split_entries(emit: Emitter, entries, space, count, scale) -> None:
    """Write the factors of entries, `space` numbers apart, and replace each by twice its number."""
    builder, kind = emit.builder, emit.vector_of(INT32)
    start, factor = emit.pointer(entries), emit.broadcast(scale)
    factors = builder.gep(start, [space], source_etype=INT32)
    with cgutils.for_range_slice(builder, INT64(0), count, INT64(emit.count)) as (i, _):
        position = builder.gep(start, [i], source_etype=INT32)
        entry = builder.load(position, typ=kind, align=4)
        for row, bits in ((0, 16), (1, 24)):
            pixel = builder.and_(builder.lshr(entry, copies(bits, kind)), copies(255, kind))
            value = builder.fmul(builder.sitofp(pixel, emit.kind), factor)
            emit.store(value, emit.at(factors, row, space, i))
        number = builder.shl(builder.and_(entry, copies(2**16 - 1, kind)), copies(1, kind))
        builder.store(number, position, align=4)


def _quads(emit: Emitter, images: Any, i: Any) -> list[Any]:
    """Return the pixels i, …, i + 15 of WIDE images: four vectors, of a quad of each image.

    The emitter is one of 32 bits, as quads are.
    """
    builder, rows, lane = emit.builder, [], ir.VectorType(emit.scalar, QUAD)
    for k in range(WIDE):
        position = builder.gep(emit.pointer(images), [INT64(k)], source_etype=INT64)
        row = emit.pointer(builder.add(builder.load(position, typ=INT64), i))
        rows.append(builder.load(row, typ=lane, align=1))
    # 128 bits q of vector m are of image 4 q + m: between such, data move slowly
    for width in (2 * QUAD, WIDE):
        firsts = [k for k in range(len(rows)) if k % (2 * QUAD) < QUAD]
        rows = [emit.shuffle(rows[k], rows[k + QUAD], list(range(width))) for k in firsts]
    return [builder.bitcast(quad, QUADS) for quad in transposed_parts(emit, rows)]


def _write_quads(emit: Emitter, quads: list[Any], pixels: Any, words: Any) -> None:
    """Write quads of WIDE samples, and these samples' bits of the words of their groups."""
    builder, rows, bits = emit.builder, emit.pointer(pixels), emit.pointer(words)
    for j, quad in enumerate(quads):
        position = builder.gep(rows, [INT64(j * PART)], source_etype=INT32)
        builder.store(quad, position, align=4)
        for group in range(QUAD // GROUP):
            own = copies((1 << 8 * GROUP) - 1 << 8 * GROUP * group, QUADS)
            nonzero = builder.icmp_unsigned("!=", builder.and_(quad, own), copies(0, QUADS))
            number = INT64((j * QUAD // GROUP + group) * PART // WIDE)
            position = builder.gep(bits, [number], source_etype=INT16)
            builder.store(builder.bitcast(nonzero, INT16), position)


@emitted
def transpose_quads(emit: Emitter, pixels, words, images, i) -> None:
    """Write the pixels i, …, i + 15 of WIDE images as quads and words, four pixels in a row."""
    _write_quads(emit, _quads(emit, images, i), pixels, words)


@emitted
def transpose_squares(emit: Emitter, pixels, words, images, i, row) -> None:
    """Write the pixels i, …, i + 15 of WIDE images, and those `row` behind these, by squares."""
    builder, squares, half = emit.builder, [], copies(16, QUADS)
    low, high = copies(2**16 - 1, QUADS), copies(2**32 - 2**16, QUADS)
    rows = _quads(emit, images, i), _quads(emit, images, builder.add(i, row))
    for one, other in zip(*rows, strict=True):
        squares.append(builder.or_(builder.and_(one, low), builder.shl(other, half)))
        squares.append(builder.or_(builder.lshr(one, half), builder.and_(other, high)))
    _write_quads(emit, squares, pixels, words)


@shared
def mark_samples(images, rows, low, high, stride, words, quads):
    """Write the pixels low, …, high - 1 of a part as quads, and the words of their groups.

    Squares have two rows that are `stride` pixels apart; if it is 2, quads are four in a row.
    images : address of the addresses of the part's images, of which `rows` count; PART are read
    """
    image = numbers_at(images, rows, np.int64(0))
    for k in range(rows):  # its last cache line may be one that the update has not prefetched
        prefetch(image[k] + high - 1)
    for i in range(low, high, WIDE if stride == 2 else 2 * stride):
        for k in range(0, rows, WIDE):
            target, bits = quads + i * PART + k * QUAD, words + i // GROUP * WORD_BYTES + k // 8
            if stride == 2:
                transpose_quads(target, bits, images + k * 8, i)
            else:
                for j in range(0, stride, WIDE):
                    j = min(j, stride - WIDE)
                    own, behind = target + 2 * j * PART, bits + 2 * j // GROUP * WORD_BYTES
                    transpose_squares(own, behind, images + k * 8, i + j, stride)
    if rows < PART:
        word = numbers_at(words, high // GROUP, np.int64(0))
        for group in range(low // GROUP, high // GROUP):
            word[group] &= (1 << rows) - 1


def _nonzero(count_of: Callable[[Emitter], int]) -> Any:
    def nonzero(emit: Emitter, address, like) -> int:
        """Return the word of adjacent numbers, whole vectors, at most 64: which are not zero."""
        builder, word = emit.builder, INT64(0)
        for j in range(0, count_of(emit), emit.count):
            numbers = emit.number(emit.load(emit.at(address, j, 1)))
            bits = builder.bitcast(numbers.compare("!=", 0), ir.IntType(emit.count))
            word = builder.or_(word, builder.shl(builder.zext(bits, INT64), INT64(j)))
        return word

    return emitted(nonzero)


# Of a row of the widest panel; and of a part
nonzero_outputs = _nonzero(lambda emit: PANEL_VECTORS * emit.count)
nonzero_samples = _nonzero(lambda emit: PART)
