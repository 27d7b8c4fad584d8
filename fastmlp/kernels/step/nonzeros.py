"""What leaves out the zeros among a ReLU layer's outputs, and among its deltas: words mark them."""

from __future__ import annotations

import numpy as np

from fastmlp.kernels.llvm.compile import jit
from fastmlp.kernels.llvm.intrinsics import item_bytes
from fastmlp.kernels.loops.bit_loops import gather_outputs
from fastmlp.kernels.loops.bits import count_bits, nonzero_outputs, transpose_bits
from fastmlp.kernels.loops.elementwise import copy
from fastmlp.kernels.memory.records import numbers_at, row_offset, weight_offset
from fastmlp.kernels.memory.tuning import DENSE_FROM, PART, UPDATE_DEPTH, WORD_BYTES

WORDS = UPDATE_DEPTH // PART  # for each output, of the samples that an update takes at once


@jit
def mark_outputs(layer, panel, first, rows, like):
    """Write the words of some rows of a panel: which outputs are not zero."""
    size, columns = item_bytes(like), layer.outputs - panel * layer.width
    real = (1 << columns) - 1 if columns < min(layer.width, 64) else -1  # not the padding
    word = numbers_at(output_words(layer, panel, first), rows, np.int64(0))
    a = layer.a + row_offset(layer, panel, first, like)
    for i in range(rows):
        word[i] = nonzero_outputs(a + i * layer.a_row * size, like) & real


@jit
def output_words(layer, panel, first):
    """Return the address of the words of a panel's outputs, from row `first` on."""
    return layer.nonzeros + (panel * layer.nonzeros_panel + first) * WORD_BYTES


@jit
def leaves_out(source, target, batch):
    """Return whether a product of a layer's outputs, or deltas, leaves out the zeros among them.

    source : the layer whose zeros are skipped; target : the layer that the product is for
    """
    if source.nonzeros == 0 or target.width != source.width:
        return False
    count = 0
    for panel in range(source.panels):
        word = numbers_at(output_words(source, panel, 0), batch, np.int64(0))
        for i in range(batch):
            count += count_bits(word[i])
    return count < DENSE_FROM * batch * source.outputs


@jit
def multiply_nonzeros(c, c_row, source, p, first, rows, q, q_k, like):
    """c = p q for `rows` rows of p, from `first` on: outputs or deltas of the layer `source`.

    c : address of the first of these rows; p : of row 0. About half the outputs are zero, without a
    pattern: their terms are skipped. The order is that of `multiply`, and so are the bits, as long
    as the weights are finite. The rows of q for a panel of p stay in the L1 cache.
    """
    size, p_row, zero = item_bytes(like), source.a_row, like - like
    for panel in range(source.panels):
        q_0 = q + panel * source.width * q_k * size
        p_0 = p + row_offset(source, panel, first, like)
        word = numbers_at(output_words(source, panel, first), rows, np.int64(0))
        for i in range(0, rows, 2):  # behind an odd last row is padding
            c_i, p_i = c + i * c_row * size, p_0 + i * p_row * size
            one, other = word[i], word[i + 1] if i + 1 < rows else 0
            gather_outputs(c_i, c_row, panel, p_i, p_row, one, other, 0, 0, q_0, q_k, zero)


@jit
def nonzeros_times_dz(layer, below, panel, low, high, x_t, row, words, k, length, beta, q, like):
    """`x_times_dz` where x are the outputs of the layer below that are not zero.

    A row of w sums the rows of dz of the samples in which that input is not zero.
    """
    size, width = item_bytes(like), layer.width
    dz = layer.dz + row_offset(layer, panel, k, like)
    copy(q, width, dz, layer.a_row, length, width, like)
    word = numbers_at(words, below.panels * UPDATE_DEPTH, np.int64(0))
    for i in range(low, high, 2):  # behind an odd last row is padding
        k = i // below.width * UPDATE_DEPTH + i % below.width
        one, other, one_next, other_next = word[k], word[k + 1], word[k + PART], word[k + PART + 1]
        if one | other | one_next | other_next != 0 or beta != 1:
            w, x_i = layer.w + weight_offset(layer, panel, i, like), x_t + i * row * size
            gather_outputs(w, width, 0, x_i, row, one, other, one_next, other_next, q, width, beta)


@jit
def words_by_output(below, first, rows, target):
    """Write, for each output of the layer below, the word of the samples in which it is not zero.

    Samples are first, first + 1, …, at most UPDATE_DEPTH of them. For each panel come PART words
    of the first PART samples, one for each output, then those of the next.
    """
    for p in range(below.panels):
        marked = numbers_at(output_words(below, p, first), rows, np.int64(0))
        for part in range(WORDS):
            address = target + (p * WORDS + part) * PART * WORD_BYTES
            word = numbers_at(address, PART, np.int64(0))
            count = min(max(rows - part * PART, 0), PART)
            for i in range(PART):
                word[i] = marked[part * PART + i] if i < count else 0
            if count > 0:
                transpose_bits(address, address)
