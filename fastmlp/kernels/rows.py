"""What the innermost sparse loops have in common: two rows of vectors for each pair of pixels.

Neighbouring pixels are mostly zero, or not, together; so pixels come in pairs. All loops are
multiplications of a sparse matrix, where v and v' are a pair's pixels, and t says what a value
counts:

    gather_pixels    c     += sum over pairs k of t[v] q[2k] + t[v'] q[2k + 1]
    scatter_pixels   c[2k] += t[v] q,  c[2k + 1] += t[v'] q      for each pair k
    gather_samples   c[0]  += sum over samples k of t[v] q[k],  c[1] += sum of t[v'] q[k]
    scatter_samples  c[k]  += t[v] q[0] + t[v'] q[1] + …         for each sample k

The first two, in `entries`, go through the code of an image; the others, in `samples`, through
the mask of a pair. Rows have `columns` columns, 1, ROW_VECTORS / 2 or ROW_VECTORS vectors; c_row
and q_row elements lie between them. What is the same for all passes stays in registers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastmlp.kernels.algebra import Emitter

# How many vectors wide a sparse row is at most
ROW_VECTORS = 4


class Rows:
    """Emits what each pass needs: the pixels' factors, and rows of so many vectors."""

    def __init__(self, emit: Emitter, width: int, table: Any) -> None:
        self.emit, self.width, self.table = emit, width, emit.pointer(table)

    def factors(self, place: Any, count: int = 2) -> list[Any]:
        """Load so many adjacent pixels, and return what they count."""
        emit = self.emit
        pixels = [emit.byte_at(place, number) for number in range(count)]
        return [emit.broadcast_from(emit.at(self.table, pixel, 1)) for pixel in pixels]

    def row(self, base: Any, number: Any, stride: Any) -> list[Any]:
        """Return the places of the vectors of row `number`."""
        return [self.emit.at(base, number, stride, j * self.emit.count) for j in range(self.width)]

    def load(self, places: list[Any]) -> list[Any]:
        """Load a row."""
        return [self.emit.load(place) for place in places]

    def fma(self, factor: Any, row: list[Any], total: list[Any]) -> list[Any]:
        """factor row + total."""
        pairs = zip(row, total, strict=True)
        return [self.emit.call("fmuladd", factor, value, so_far) for value, so_far in pairs]

    def store(self, row: list[Any], places: list[Any]) -> None:
        """Store a row."""
        for value, place in zip(row, places, strict=True):
            self.emit.store(value, place)

    @staticmethod
    def flat(rows: list[list[Any]]) -> list[Any]:
        """Return the vectors of rows."""
        return [vector for row in rows for vector in row]

    def split(self, flat: list[Any]) -> list[list[Any]]:
        """Return vectors as rows of them."""
        return [flat[i : i + self.width] for i in range(0, len(flat), self.width)]


def at_each_width(
    emit: Emitter, columns: Any, table: Any, instructions: Callable[[Rows], None]
) -> None:
    """Emit instructions for each width, to be run where `columns` has that width."""
    for vectors in (1, ROW_VECTORS // 2, ROW_VECTORS):
        fits = emit.builder.icmp_signed("==", columns, emit.whole(vectors * emit.count))
        with emit.builder.if_then(fits):
            instructions(Rows(emit, vectors, table))
