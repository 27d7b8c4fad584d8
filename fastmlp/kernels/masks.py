"""Which samples a pair of pixels is in: for 64 samples at a time, a part of a minibatch, a mask.

Bit k of a pair's mask is set where not both of its pixels are zero in sample k of the part. The
pixels 2k and 2k + 1 are pair k. An image says of 64 pairs whether they are zero in one sample;
what 64 images say, transposed, are the masks of 64 pairs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from fastmlp.kernels.elementwise import row
from fastmlp.kernels.options import jit, shared
from fastmlp.kernels.simd import INT64, POINTER, VECTOR_BYTES, prefetch

# Samples of a part, and pairs whose masks are made at once: one for each bit
PART = 64


def runs_of_pairs(inputs: int) -> int:
    """Return how many times PART pairs an image of so many pixels has."""
    return -(-inputs // (2 * PART))


def mask_bytes(inputs: int) -> int:
    """Return how many bytes the masks of one part take."""
    return runs_of_pairs(inputs) * PART * 8


@jit
def part_count(batch):
    """Return how many parts a minibatch has."""
    return (batch + PART - 1) // PART


@intrinsic(prefer_literal=True)
def nonzero_words(typingctx: Any, place: Any, count: Any) -> Any:
    """Return a bit for each of `count` adjacent words of 16 bits: whether it is not zero."""
    lanes = count.literal_value

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.VectorType(ir.IntType(16), lanes)
        words = builder.load(builder.inttoptr(args[0], POINTER), typ=kind, align=1)
        found = builder.icmp_unsigned("!=", words, ir.Constant(kind, [0] * lanes))
        return builder.zext(builder.bitcast(found, ir.IntType(lanes)), INT64)

    return types.int64(types.int64, count), generate


@jit
def last_bits(pixels, pairs):
    """Return the bits of the last pairs of an image, less than PART."""
    bits, k, words = 0, 0, row(pixels, pairs, np.uint16(0))
    while k + 8 <= pairs:
        bits |= nonzero_words(pixels + 2 * k, 8) << k
        k += 8
    while k < pairs:
        bits |= int(words[k] != 0) << k
        k += 1
    return bits


@intrinsic
def transpose_bits(typingctx: Any, target: Any, source: Any) -> Any:
    """target[j] bit i = source[i] bit j, for 64 words of 64 bits (Warren, Hacker's Delight, 7-3).

    For j = 32, 16, …, 1: the bits that lie j places up in row i and those in row i + j change
    places.
    """
    lanes = VECTOR_BYTES // 8

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind, size = ir.VectorType(INT64, lanes), range(0, 64, lanes)

        def copies(value: int) -> Any:
            return ir.Constant(kind, [value] * lanes)

        def pick(one: Any, other: Any, order: list[int]) -> Any:
            mask = ir.Constant(ir.VectorType(ir.IntType(32), lanes), order)
            return builder.shuffle_vector(one, other, mask)

        def swap(low: Any, high: Any, j: int) -> tuple[Any, Any]:
            kept = copies(sum(1 << bit for bit in range(64) if not bit & j))
            moved = builder.and_(builder.xor(builder.lshr(low, copies(j)), high), kept)
            return builder.xor(low, builder.shl(moved, copies(j))), builder.xor(high, moved)

        def places(address: Any) -> list[Any]:
            base = builder.inttoptr(address, POINTER)
            return [builder.gep(base, [INT64(i)], source_etype=INT64) for i in size]

        rows = [builder.load(place, typ=kind, align=8) for place in places(args[1])]
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
                pair = swap(pick(one, other, low), pick(one, other, high), j)
                rows[v], rows[v + 1] = pick(*pair, back[:lanes]), pick(*pair, back[lanes:])
        for value, place in zip(rows, places(args[0]), strict=True):
            builder.store(value, place, align=8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@shared
def make_masks(images, rows, first, last, pairs, masks, like):
    """Write the masks of a part's runs of PART pairs first, …, last - 1; `pairs` there are in all.

    images : where the addresses of the part's images lie, `rows` of them
    masks : where the mask of pair 0 goes
    """
    image, bits = row(images, rows, np.int64(0)), row(masks, last * PART, np.int64(0))
    whole = min(last, pairs // PART)
    if whole < last:  # the last cache line may be one that update has not asked for
        for i in range(rows):
            prefetch(image[i] + 2 * pairs - 1)
    for i in range(rows):
        for run in range(first, whole):
            pixels = image[i] + run * (2 * PART)
            bits[run * PART + i] = nonzero_words(pixels, 32) | nonzero_words(pixels + 64, 32) << 32
        if whole < last:
            here = whole * PART
            bits[here + i] = last_bits(image[i] + 2 * here, pairs - here)
    for run in range(first, last):
        for i in range(rows, PART):
            bits[run * PART + i] = 0
        transpose_bits(masks + run * PART * 8, masks + run * PART * 8)
