"""Products that leave out which outputs of a ReLU layer are zero: 0 w adds nothing.

About half of them are, in no pattern. So a layer notes, in a word for each sample and panel, which
of its outputs are not zero, and a row of sums stays in registers while only these terms go by. The
order is that of `multiply`, and so are the bits, as long as the weights are finite.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from fastmlp.kernels.algebra import Emitter
from fastmlp.kernels.elementwise import row
from fastmlp.kernels.masks import PART, transpose_bits
from fastmlp.kernels.options import jit
from fastmlp.kernels.rows import ROW_VECTORS, Rows
from fastmlp.kernels.share import panel_place
from fastmlp.kernels.simd import INT64, item_bytes
from fastmlp.kernels.tiles import accumulate, sum_loop

# The share of outputs that are not zero from which on the tile is faster, though it does all:
# there a load of weights serves many samples, here one
DENSE_FROM = 0.75
# Terms that `sum_nonzeros` takes at once: two words of bits
TERMS = 2 * PART


@intrinsic
def nonzero_bits(typingctx: Any, place: Any, like: Any) -> Any:
    """Return a bit for each number of ROW_VECTORS adjacent vectors: whether it is not zero."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        emit, bits = Emitter(context, builder, like), INT64(0)
        source = emit.pointer(args[0])
        for j in range(0, ROW_VECTORS * emit.count, emit.count):
            numbers = emit.number(emit.load(emit.at(source, 0, 0, j)))
            found = builder.bitcast(numbers.compare("!=", 0), ir.IntType(emit.count))
            bits = builder.or_(bits, builder.shl(builder.zext(found, INT64), INT64(j)))
        return bits

    return types.int64(types.int64, like), generate


@intrinsic
def count_bits(typingctx: Any, bits: Any) -> Any:
    """Return how many bits of a word are set."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.int64(types.int64), generate


@intrinsic
def sum_nonzeros(
    typingctx: Any,
    c: Any,
    goes_on: Any,
    p: Any,
    bits: Any,
    bits_next: Any,
    q: Any,
    q_k: Any,
    beta: Any,
) -> Any:
    """c[j] = beta c[j] + sum over k of p[k] q[k, j] for one row of ROW_VECTORS vectors.

    Of k = 0, 1, …, TERMS - 1 those count whose bit is set. Where `goes_on` is not 0, the sums
    begin with c. p[k] lies k elements behind p, q[k, j] lies q_k k + j behind q.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        c, goes_on, p, bits, bits_next, q, q_k, beta = args
        emit = Emitter(context, builder, signature.args[-1])
        rows = Rows(emit, ROW_VECTORS, c)
        places = rows.row(emit.pointer(c), 0, 0)
        starts = builder.icmp_unsigned("==", goes_on, INT64(0))
        zero = emit.constant(0.0)
        sums = [builder.select(starts, zero, value) for value in rows.load(places)]
        factors, sources = emit.pointer(p), emit.pointer(q)
        for number, word in enumerate((bits, bits_next)):

            def passing(now: list[Any], sums: list[Any], first: int = number * PART) -> Any:
                bits = now[0]
                k = builder.add(builder.cttz(bits, ir.Constant(ir.IntType(1), 1)), INT64(first))
                factor = emit.broadcast_from(emit.at(factors, k, 1))
                totals = rows.fma(factor, rows.load(rows.row(sources, k, q_k)), sums)
                left = builder.and_(bits, builder.sub(bits, INT64(1)))
                return [left], totals, builder.icmp_unsigned("!=", left, INT64(0))

            enters = builder.icmp_unsigned("!=", word, INT64(0))
            sums = sum_loop(emit, enters, [word], sums, passing)
        accumulate(emit, places, sums, beta)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 7, beta), generate


@jit
def note_nonzeros(layer, panel, first, rows, like):
    """Note which outputs of some rows of a panel are not zero, if the layer above is to know."""
    if layer.nonzeros == 0:
        return
    size, columns = item_bytes(like), layer.outputs - panel * layer.width
    real = (1 << columns) - 1 if columns < min(layer.width, 64) else -1  # not the padding
    bits = row(layer.nonzeros + panel * layer.nonzeros_panel + first * 8, rows, np.int64(0))
    a = layer.a + panel_place(layer, panel, first, like)
    for i in range(rows):
        bits[i] = nonzero_bits(a + i * layer.a_row * size, like) & real


@jit
def leaves_out(source, target, batch):
    """Whether a product of a layer's outputs, or deltas, leaves out the zeros among them.

    source : the layer, target : the one whose panels the sums are in
    """
    if source.nonzeros == 0 or target.width != source.width:
        return False
    count = 0
    for panel in range(source.panels):
        bits = row(source.nonzeros + panel * source.nonzeros_panel, batch, np.int64(0))
        for i in range(batch):
            count += count_bits(bits[i])
    return count < DENSE_FROM * batch * source.outputs


@jit
def multiply_nonzeros(c, c_row, source, p, first, rows, q, q_k, like):
    """c = p q for `rows` rows of p, from `first` on: outputs or deltas of the layer `source`.

    c : where the first of these rows goes, p : where row 0 of p lies. A panel of p meets as many
    rows of q, which stay in the first-level cache.
    """
    size, p_row, zero = item_bytes(like), source.a_row, like - like
    for panel in range(source.panels):
        q_0, p_0 = (
            q + panel * source.width * q_k * size,
            p + panel_place(source, panel, first, like),
        )
        noted = source.nonzeros + panel * source.nonzeros_panel + first * 8
        bits = row(noted, rows, np.int64(0))
        for i in range(rows):
            c_i, p_i = c + i * c_row * size, p_0 + i * p_row * size
            sum_nonzeros(c_i, panel, p_i, bits[i], 0, q_0, q_k, zero)


@jit
def nonzeros_by_output(below, first, rows, target):
    """Write, for each output of the layer below, in which of the samples it is not zero.

    Samples are first, first + 1, …, at most TERMS of them. For each panel come PART words of the
    first PART samples, one for each output, then those of the next.
    """
    words = TERMS // PART
    for p in range(below.panels):
        source = below.nonzeros + p * below.nonzeros_panel + first * 8
        noted = row(source, rows, np.int64(0))
        for word in range(words):
            place = target + (p * words + word) * PART * 8
            bits = row(place, PART, np.int64(0))
            count = min(max(rows - word * PART, 0), PART)
            for i in range(PART):
                bits[i] = noted[word * PART + i] if i < count else 0
            if count > 0:
                transpose_bits(place, place)
