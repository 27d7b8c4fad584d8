"""The one tile loop and the products made of its tiles; transpositions made of squares."""

from __future__ import annotations

from fastmlp.kernels.options import jit, shared
from fastmlp.kernels.simd import item_bytes, vector_lanes
from fastmlp.kernels.tiles import TILE_ROWS, TILE_VECTORS, multiply_tile, transpose_tile


def _tile(rows: int, vectors: int):
    """Compile `multiply_tile` for one height and width."""

    @jit
    def tile(c, c_row, p, p_row, p_k, p_run, p_jump, q, q_k, length, beta):
        multiply_tile(rows, vectors, c, c_row, p, p_row, p_k, p_run, p_jump, q, q_k, length, beta)

    return tile


_full_wide, _4_wide, _2_wide, _1_wide = (_tile(rows, TILE_VECTORS) for rows in (TILE_ROWS, 4, 2, 1))
_tall_slim = _tile(2 * TILE_ROWS, 1)
_full_slim, _4_slim, _2_slim, _1_slim = (_tile(rows, 1) for rows in (TILE_ROWS, 4, 2, 1))


@shared
def multiply(c, c_row, p, p_row, p_k, p_run, p_jump, q, q_k, rows, columns, length, beta):
    """c[i, j] = beta c[i, j] + sum over k of p[i, k] q[k, j].

    c, p and q are addresses. c[i, j] lies c_row i + j elements behind c, p[i, k] lies
    p_row i + p_k k behind p, and p_jump more behind each run of p_run columns, a power of two (0:
    there is one run), q[k, j] lies q_k k + j behind q. `columns` is a whole number of vectors.
    Each sum runs in the order of k, whatever tile it falls into. c may alias neither p nor q, and
    is not read where beta is 0.
    """
    lanes, size = vector_lanes(beta), item_bytes(beta)
    wide = lanes * TILE_VECTORS
    for j in range(0, columns, wide):
        c_i, p_i, q_j, left = c + j * size, p, q + j * size, rows
        slim = columns - j < wide
        while left > 0:
            if slim and left >= 2 * TILE_ROWS:
                height = 2 * TILE_ROWS
                _tall_slim(c_i, c_row, p_i, p_row, p_k, p_run, p_jump, q_j, q_k, length, beta)
            elif left >= TILE_ROWS:
                height = TILE_ROWS
                if slim:
                    _full_slim(c_i, c_row, p_i, p_row, p_k, p_run, p_jump, q_j, q_k, length, beta)
                else:
                    _full_wide(c_i, c_row, p_i, p_row, p_k, p_run, p_jump, q_j, q_k, length, beta)
            elif left >= 4:
                height = 4
                if slim:
                    _4_slim(c_i, c_row, p_i, p_row, p_k, p_run, p_jump, q_j, q_k, length, beta)
                else:
                    _4_wide(c_i, c_row, p_i, p_row, p_k, p_run, p_jump, q_j, q_k, length, beta)
            elif left >= 2:
                height = 2
                if slim:
                    _2_slim(c_i, c_row, p_i, p_row, p_k, p_run, p_jump, q_j, q_k, length, beta)
                else:
                    _2_wide(c_i, c_row, p_i, p_row, p_k, p_run, p_jump, q_j, q_k, length, beta)
            else:
                height = 1
                if slim:
                    _1_slim(c_i, c_row, p_i, p_row, p_k, p_run, p_jump, q_j, q_k, length, beta)
                else:
                    _1_wide(c_i, c_row, p_i, p_row, p_k, p_run, p_jump, q_j, q_k, length, beta)
            c_i += height * c_row * size
            p_i += height * p_row * size
            left -= height


@shared
def transpose(c, c_row, p, p_row, rows, columns, like):
    """c[j, i] = p[i, j] for whole squares of vectors that cover rows x columns of p."""
    lanes, size = vector_lanes(like), item_bytes(like)
    for i in range(0, rows, lanes):
        for j in range(0, columns, lanes):
            target, source = c + (j * c_row + i) * size, p + (i * p_row + j) * size
            transpose_tile(target, c_row, source, p_row, like)
