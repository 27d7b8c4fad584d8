"""What leaves out the zeros among a ReLU layer's outputs, and among its deltas: words mark them."""

from __future__ import annotations

import numpy as np

from fastmlp.kernels.llvm.compile import jit
from fastmlp.kernels.llvm.intrinsics import item_bytes
from fastmlp.kernels.loops.bit_loops import gather_outputs
from fastmlp.kernels.loops.bits import count_bits, nonzero_outputs, nonzero_samples
from fastmlp.kernels.loops.elementwise import copy
from fastmlp.kernels.memory.panels import round_up
from fastmlp.kernels.memory.records import numbers_at, row_offset, weight_offset
from fastmlp.kernels.memory.tuning import DENSE_FROM, PART, UPDATE_DEPTH, WORD_BYTES


@jit
def mark_outputs(layer, panel, first, rows, like):
    """Write the words of some rows of a panel: which outputs are not zero."""
    size, real = item_bytes(like), first_bits(layer.outputs - panel * layer.width)  # no padding
    word = numbers_at(output_words(layer, panel, first), rows, np.int64(0))
    a = layer.a + row_offset(layer, panel, first, like)
    for i in range(rows):
        word[i] = nonzero_outputs(a + i * layer.a_row * size, like) & real


@jit
def output_words(layer, panel, first):
    """Return the address of the words of a panel's outputs, from row `first` on."""
    return layer.nonzeros + (panel * layer.nonzeros_panel + first) * WORD_BYTES


@jit
def leaves_out(source, target, batch, first, end):
    """Return whether a product of a layer's outputs, or deltas, leaves out the zeros among them.

    source : the layer whose zeros are skipped; target : the layer that the product is for
    first, …, end - 1 : the source's panels that are multiplied
    """
    if source.nonzeros == 0 or target.width != source.width:
        return False
    count, outputs = 0, min(end * source.width, source.outputs) - first * source.width
    for panel in range(first, end):
        word = numbers_at(output_words(source, panel, 0), batch, np.int64(0))
        for i in range(batch):
            count += count_bits(word[i])
    return count < DENSE_FROM * batch * outputs


@jit
def multiply_nonzeros(c, c_row, source, begin, end, p, first, rows, q, q_k, like):
    """c = p q for `rows` rows of p, from `first` on: outputs or deltas of the layer `source`.

    begin, …, end - 1 : the source's panels that are multiplied
    c : address of the first of these rows; p : of row 0; q : of its row for the first panel
    About half the outputs are zero, without a pattern: their terms are skipped. Rows are taken by
    pairs, which a sum's order depends on: `first` is even. The rows of q for two panels of p stay
    in the L1 cache.
    """
    size, p_row, zero = item_bytes(like), source.a_row, like - like
    for panel in range(begin, end, 2):
        number, has_next = panel - begin, panel + 1 < end
        q_0 = q + number * source.width * q_k * size
        q_1 = q_0 + source.width * q_k * size
        p_0 = p + row_offset(source, panel, first, like)
        p_1 = p + row_offset(source, panel + 1, first, like)
        word = numbers_at(output_words(source, panel, first), rows, np.int64(0))
        word_1 = numbers_at(output_words(source, panel + 1, first), rows, np.int64(0))
        for i in range(0, rows, 2):  # behind an odd last row is padding
            row, has_other = i * p_row * size, i + 1 < rows
            one, one_next = word[i], word_1[i] if has_next else 0
            other = word[i + 1] if has_other else 0
            other_next = word_1[i + 1] if has_other and has_next else 0
            words = one, other, one_next, other_next
            c_i, p_i, p_next = c + i * c_row * size, p_0 + row, p_1 + row
            gather_outputs(c_i, c_row, number, p_i, p_next, p_row, *words, q_0, q_1, q_k, zero)


@jit
def first_bits(count):
    """Return a word of which so many bits are set, or all 64."""
    return -1 if count >= PART else (1 << max(count, 0)) - 1


@jit
def words_in_row(x_t, row, i, like):
    """Return the two words of row i of x^T, which lie behind its UPDATE_DEPTH numbers."""
    return numbers_at(x_t + (i * row + UPDATE_DEPTH) * item_bytes(like), 2, np.int64(0))


@jit
def mark_rows(x_t, row, first, end, length, like):
    """Write the words of rows of x^T: in which of `length` samples each is not zero."""
    size, kept, kept_next = item_bytes(like), first_bits(length), first_bits(length - PART)
    for i in range(first, round_up(end, 2)):
        word, x = words_in_row(x_t, row, i, like), x_t + i * row * size
        word[0] = nonzero_samples(x, like) & kept
        word[1] = nonzero_samples(x + PART * size, like) & kept_next


@jit
def nonzeros_times_dz(layer, panel, low, high, x_t, row, k, length, beta, q, like):
    """`x_times_dz` where x are the outputs of the layer below that are not zero.

    A row of w sums the rows of dz of the samples, at most UPDATE_DEPTH, in which that input is not
    zero: see `mark_rows`. low : even
    """
    size, width = item_bytes(like), layer.width
    dz = layer.dz + row_offset(layer, panel, k, like)
    q_next = q + PART * width * size
    copy(q, width, dz, layer.a_row, length, width, like)
    for i in range(low, high, 2):
        word, word_other = words_in_row(x_t, row, i, like), words_in_row(x_t, row, i + 1, like)
        one, other, one_next, other_next = word[0], word_other[0], word[1], word_other[1]
        if i + 1 == high:  # behind an odd last row is padding, which holds anything
            other = other_next = 0
        if one | other | one_next | other_next != 0 or beta != 1:
            w, x = layer.w + weight_offset(layer, panel, i, like), x_t + i * row * size
            words = one, other, one_next, other_next
            gather_outputs(w, width, 0, x, x + PART * size, row, *words, q, q_next, width, beta)
