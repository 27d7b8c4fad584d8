"""Transpositions, made of squares as wide as a vector."""

from __future__ import annotations

from llvmlite import ir

from fastmlp.kernels.llvm.compile import shared
from fastmlp.kernels.llvm.emitter import Emitter
from fastmlp.kernels.llvm.intrinsics import emitted, item_bytes, vector_lanes


@emitted
def transpose_square(emit: Emitter, target, target_row, source, source_row, like) -> None:
    """target[j, i] = source[i, j] for a square as wide as one vector; rows are strided."""
    # A vector is made of lanes of 128 bits, between which data move slowly. So lane q of the
    # vector (m, c) is loaded from row q part + m, columns c part, …; what is left is the
    # transposition of the squares of `part` x `part` numbers in each lane.
    count, part = emit.count, 128 // emit.bits
    lane, first = ir.VectorType(emit.scalar, part), emit.pointer(source)
    rows = []
    for c in range(count // part):
        square = []
        for m in range(part):
            positions = [emit.at(first, i, source_row, c * part) for i in range(m, count, part)]
            pieces = [emit.builder.load(p, typ=lane, align=emit.align) for p in positions]
            while len(pieces) > 1:
                width = 2 * pieces[0].type.count
                halves = zip(pieces[::2], pieces[1::2], strict=True)
                pieces = [emit.shuffle(*pair, list(range(width))) for pair in halves]
            square += pieces
        # Interleaving row m with row m + part / 2, log2(part) times over: each pass rotates one
        # bit of the row number into the column number.
        lanes = [(q, k) for q in range(0, count, part) for k in range(part)]
        for _ in range(part.bit_length() - 1):
            pairs = zip(square[: part // 2], square[part // 2 :], strict=True)
            square = [
                emit.shuffle(*pair, [q + start + k // 2 + (k % 2) * count for q, k in lanes])
                for pair in pairs
                for start in (0, part // 2)
            ]
        rows += square
    for i, row in enumerate(rows):
        emit.store(row, emit.at(emit.pointer(target), i, target_row))


@shared
def transpose(c, c_row, p, p_row, rows, columns, like: float):
    """c[j, i] = p[i, j] for whole squares of vectors that cover rows x columns of p."""
    lanes, size = vector_lanes(like), item_bytes(like)
    for i in range(0, rows, lanes):
        for j in range(0, columns, lanes):
            target, source = c + (j * c_row + i) * size, p + (i * p_row + j) * size
            transpose_square(target, c_row, source, p_row, like)
