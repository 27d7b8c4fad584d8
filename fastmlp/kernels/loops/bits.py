"""Words: 64 neighbours, a bit each, that say which are not zero.

The neighbours are pairs of adjacent pixels of an image, the pixels 2k and 2k + 1 being pair k, or
adjacent outputs of a layer. What 64 samples say of 64 neighbours, transposed, says of each
neighbour in which samples it is not zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils

from fastmlp.kernels.llvm.compile import jit
from fastmlp.kernels.llvm.emitter import INT32, INT64, POINTER, VECTOR_BYTES, Emitter
from fastmlp.kernels.llvm.intrinsics import emitted, prefetch
from fastmlp.kernels.memory.records import numbers_at
from fastmlp.kernels.memory.tuning import PANEL_VECTORS, PART

WORD_BYTES = 8


@emitted
def count_bits(emit: Emitter, word) -> int:
    """Return how many bits of a word are set."""
    return emit.builder.ctpop(word)


def _nonzero_pairs(emit: Emitter, address: Any, count: int) -> Any:
    """Return a bit for each of so many adjacent pairs of bytes: whether it is not zero."""
    builder, kind = emit.builder, ir.VectorType(ir.IntType(16), count)
    pairs = builder.load(emit.pointer(address), typ=kind, align=1)
    found = builder.icmp_unsigned("!=", pairs, ir.Constant(kind, [0] * count))
    return builder.zext(builder.bitcast(found, ir.IntType(count)), INT64)


@emitted
def word_of_64(emit: Emitter, pixels) -> int:
    """Return the word of the 64 pairs at an address."""
    builder, half = emit.builder, PART // 2
    high = _nonzero_pairs(emit, builder.add(pixels, INT64(2 * half)), half)
    return builder.or_(_nonzero_pairs(emit, pixels, half), builder.shl(high, INT64(half)))


@emitted
def word_of_8(emit: Emitter, pixels) -> int:
    """Return the word of the 8 pairs at an address."""
    return _nonzero_pairs(emit, pixels, 8)


@jit
def image_word(pixels, pairs):
    """Return the word of the next pairs of an image: 64 of them, or all if there are fewer."""
    if pairs >= PART:
        return word_of_64(pixels)
    word, k, words = 0, 0, numbers_at(pixels, pairs, np.uint16(0))
    while k + 8 <= pairs:
        word |= word_of_8(pixels + 2 * k) << k
        k += 8
    while k < pairs:
        word |= int(words[k] != 0) << k
        k += 1
    return word


def words_bytes(inputs: int, by_image: bool) -> int:
    """Return how many bytes the words of an image take, or by image its list (`list_pairs`)."""
    pairs = (inputs + 1) // 2
    # an entry for each pair, and what is overwritten behind the last
    listed = WORD_BYTES + 4 * pairs + (0 if VECTOR_BYTES == 64 else 32)
    return -(-listed // 64) * 64 if by_image else -(-pairs // PART) * WORD_BYTES


def _compress(emit: Emitter, pixels: Any, first: Any, target: Any, count: int) -> Any:
    """Write the entries of so many pairs that are not zero; return how many there were."""
    builder, kind = emit.builder, ir.VectorType(INT32, count)
    half = ir.VectorType(ir.IntType(16), count)
    name = f"llvm.experimental.vector.compress.v{count}i32"
    empty = ir.Constant(kind, ir.Undefined)
    pairs = builder.load(emit.pointer(pixels), typ=half, align=1)
    wanted = builder.icmp_unsigned("!=", pairs, ir.Constant(half, [0] * count))
    start = builder.insert_element(empty, builder.trunc(first, INT32), INT32(0))
    numbers = builder.add(
        emit.shuffle(start, empty, [0] * count), ir.Constant(kind, list(range(count)))
    )
    high = builder.shl(builder.zext(pairs, kind), ir.Constant(kind, [16] * count))
    entries = builder.or_(high, numbers)
    callee = ir.FunctionType(kind, [kind, wanted.type, kind])
    function = cgutils.get_or_insert_function(builder.module, callee, name)
    builder.store(builder.call(function, [entries, wanted, empty]), emit.pointer(target), align=4)
    return builder.zext(builder.ctpop(builder.bitcast(wanted, ir.IntType(count))), INT64)


@emitted
def compress_16(emit: Emitter, pixels, first, target) -> int:
    """Write the entries of 16 pairs that are not zero; return how many there were."""
    return _compress(emit, pixels, first, target, 16)


@emitted
def compress_8(emit: Emitter, pixels, first, target) -> int:
    """Write the entries of 8 pairs that are not zero; return how many there were."""
    return _compress(emit, pixels, first, target, 8)


@emitted
def list_bits(emit: Emitter, word, first, target) -> int:
    """Write the numbers, int32, of the bits set in a word, from `first` on; return how many.

    Up to 8 numbers behind the last are overwritten. A table has the bits of each byte.
    """
    builder, small, wide = emit.builder, ir.VectorType(ir.IntType(8), 8), ir.VectorType(INT32, 8)
    rows = [([k for k in range(8) if byte >> k & 1] + [0] * 8)[:8] for byte in range(256)]
    table = ir.Constant(ir.ArrayType(small, 256), [ir.Constant(small, row) for row in rows])
    bits_of = cgutils.global_constant(builder, "bits_of_bytes", table)
    position, count, empty = emit.pointer(target), INT64(0), ir.Constant(wide, ir.Undefined)
    for number in range(8):
        byte = builder.and_(builder.lshr(word, INT64(8 * number)), INT64(255))
        row = builder.load(builder.gep(bits_of, [byte], source_etype=small), typ=small, align=8)
        start = builder.trunc(builder.add(first, INT64(8 * number)), INT32)
        starts = emit.shuffle(builder.insert_element(empty, start, INT32(0)), empty, [0] * 8)
        numbers = builder.add(builder.zext(row, wide), starts)
        builder.store(numbers, builder.gep(position, [count], source_etype=INT32), align=4)
        count = builder.add(count, builder.ctpop(byte))
    return count


@jit
def list_pairs(pixels, pairs, target):
    """Write the list of the pairs of an image that are not zero.

    It is their count, int64, and for each an entry of 32 bits: its number (16 bits), its pixels
    (8 bits each).
    """
    entries = target + WORD_BYTES
    if VECTOR_BYTES == 64:
        end = _compress_pairs(pixels, pairs, entries)
    else:  # LLVM compresses narrower vectors one by one: 25 % of an epoch of 784-16-16-10/10
        end = entries
        for first in range(0, pairs, PART):
            end += 4 * list_bits(image_word(pixels + 2 * first, pairs - first), first, end)
        entry = numbers_at(entries, (end - entries) // 4, np.uint32(0))
        words = numbers_at(pixels, pairs, np.uint16(0))
        for i in range(len(entry)):
            entry[i] |= np.uint32(words[entry[i]]) << 16
    numbers_at(target, 1, np.int64(0))[0] = (end - entries) // 4


@jit
def _compress_pairs(pixels, pairs, end):
    """Write the entries of an image; return where they end."""
    k, words = 0, numbers_at(pixels, pairs, np.uint16(0))
    while k + 16 <= pairs:
        end += 4 * compress_16(pixels + 2 * k, k, end)
        k += 16
    if k + 8 <= pairs:
        end += 4 * compress_8(pixels + 2 * k, k, end)
        k += 8
    while k < pairs:
        numbers_at(end, 1, np.uint32(0))[0] = np.uint32(k) | np.uint32(words[k]) << 16
        end += 4 * int(words[k] != 0)
        k += 1
    return end


@jit
def mark_samples(images, rows, first, last, pairs, words):
    """Write the words of the pairs of runs first, …, last - 1: in which samples each is not zero.

    A run is PART pairs; the word of pair k is the k-th. images : address of the addresses of the
    part's images, `rows` of them.
    """
    image = numbers_at(images, rows, np.int64(0))
    word = numbers_at(words, last * PART, np.int64(0))
    if pairs < last * PART:  # the last cache line may be one that update has not prefetched
        for i in range(rows):
            prefetch(image[i] + 2 * pairs - 1)
    for i in range(rows):
        for run in range(first, last):
            k = run * PART
            word[k + i] = image_word(image[i] + 2 * k, pairs - k)
    for run in range(first, last):
        for i in range(rows, PART):
            word[run * PART + i] = 0
        transpose_bits(words + run * PART * WORD_BYTES, words + run * PART * WORD_BYTES)


@emitted
def nonzero_outputs(emit: Emitter, address, like) -> int:
    """Return the word of the numbers of PANEL_VECTORS adjacent vectors: at most 64."""
    builder, word, source = emit.builder, INT64(0), emit.pointer(address)
    for j in range(0, PANEL_VECTORS * emit.count, emit.count):
        numbers = emit.number(emit.load(emit.at(source, 0, 0, j)))
        found = builder.bitcast(numbers.compare("!=", 0), ir.IntType(emit.count))
        word = builder.or_(word, builder.shl(builder.zext(found, INT64), INT64(j)))
    return word


@emitted
def transpose_bits(emit: Emitter, target, source) -> None:
    """target[j] bit i = source[i] bit j, for 64 words (Warren, Hacker's Delight, 7-3).

    For j = 32, 16, …, 1: the bits that lie j positions up in row i and those in row i + j change
    positions.
    """
    builder, lanes = emit.builder, VECTOR_BYTES // WORD_BYTES
    kind, size = ir.VectorType(INT64, lanes), range(0, 64, lanes)

    def copies(value: int) -> Any:
        return ir.Constant(kind, [value] * lanes)

    def swap(low: Any, high: Any, j: int) -> tuple[Any, Any]:
        kept = copies(sum(1 << bit for bit in range(64) if not bit & j))
        moved = builder.and_(builder.xor(builder.lshr(low, copies(j)), high), kept)
        return builder.xor(low, builder.shl(moved, copies(j))), builder.xor(high, moved)

    def positions(address: Any) -> list[Any]:
        base = builder.inttoptr(address, POINTER)
        return [builder.gep(base, [INT64(i)], source_etype=INT64) for i in size]

    rows = [builder.load(position, typ=kind, align=8) for position in positions(source)]
    for j in (32, 16, 8, 4, 2, 1):
        apart = max(1, j // lanes)
        for v in [v for v in range(len(rows)) if not v & apart]:
            one, other = rows[v], rows[v + apart]
            if j >= lanes:
                rows[v], rows[v + apart] = swap(one, other, j)
                continue
            # rows that change bits lie in one vector: bring the upper ones of two together
            low = [lane for lane in range(2 * lanes) if not lane & j]
            high = [lane + j for lane in low]
            back = np.argsort(low + high).tolist()
            pair = swap(emit.shuffle(one, other, low), emit.shuffle(one, other, high), j)
            rows[v], rows[v + 1] = (
                emit.shuffle(*pair, back[:lanes]),
                emit.shuffle(*pair, back[lanes:]),
            )
    for value, position in zip(rows, positions(target), strict=True):
        builder.store(value, position, align=8)
