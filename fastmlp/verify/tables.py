"""The tables from which cases are drawn. Each row must occur in a case."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.functions import COSTS, HIDDEN, LIMITS, OPTIMIZERS, PAIRS, Array, cost_row
from fastmlp.functions.dropout import Dropout
from fastmlp.kernels.llvm.emitter import VECTOR_BYTES
from fastmlp.kernels.memory.tuning import (
    BY_GROUP_FROM,
    ENTRY_ROWS,
    PANEL_VECTORS,
    PART,
    TILE_ROWS,
    TRANSPOSED,
    UPDATE_DEPTH,
    UPDATE_INPUTS,
)

LARGEST = 150  # the largest of the sizes that are not at a boundary


def _both_sides(*boundaries: int) -> dict[str, int]:
    """Return a row for each boundary, and for the sizes below and above it."""
    sizes = {edge + side for edge in boundaries for side in (-1, 0, 1)}
    return {str(size): size for size in sorted(sizes) if size > 0}


def _widths() -> dict[str, tuple[int, int]]:
    """Return rows of (vectors, further numbers); a vector's length depends on the dtype."""
    edges = {
        "vector": 1,
        "half a panel": PANEL_VECTORS // 2,
        "panel": PANEL_VECTORS,
        "two panels": 2 * PANEL_VECTORS,
    }
    sides = {" - 1": -1, "": 0, " + 1": 1}
    return {name + side: (n, more) for name, n in edges.items() for side, more in sides.items()}


# The value of a row is what a case uses
TABLES: dict[str, dict[str, Any]] = {
    "precision": {"float32": np.float32, "float64": np.float64},
    "hidden": {name: name for name in HIDDEN},
    "output": {f"{output}, {cost}": (output, cost) for output, cost in PAIRS},
    # optimiser and settings
    "step": {
        trial: (row.name, settings)
        for row in OPTIMIZERS.values()
        for trial, settings in row.trials().items()
    },
    "batch": _both_sides(1, 8, TILE_ROWS, BY_GROUP_FROM, PART, UPDATE_DEPTH),
    "width": {"1": (0, 1), "3": (0, 3), **_widths()},
    # some are square images, of which groups are squares
    "inputs": {**_both_sides(1, 16, UPDATE_INPUTS), "16 x 16": 256, "18 x 18": 324},
    "layers": {str(layers): layers for layers in (1, 2, 3, 4)},
    # type, shares of the numbers that are not zero, whether only these are kept, as sparse rows
    "images": {
        "sparse bytes": (np.uint8, (0.02, 0.2, 0.35), False),
        "dense bytes": (np.uint8, (0.5, 1.0), False),
        "float32": (np.float32, (0.3, 1.0), False),
        "float64": (np.float64, (0.3, 1.0), False),
        "sparse rows": (np.float64, (0.02, 0.2), True),
    },
    # whether there are more inputs than are updated at once: further ones, of images or sparse rows
    "blocks": {"one": (0, 0), "two": (TRANSPOSED, ENTRY_ROWS)},
    "answers": {name: name for name in ("labels", "soft", "several-hot", "any sum")},
    "last batch": {"whole": False, "short": True},
    "calls": {"one": 1, "two": 2},
    "rate factors": {"1": False, "others": True},
    # whether outputs of hidden layers are dropped, and inputs
    "dropout": {"none": (0, 0), "outputs": (1, 0), "inputs": (0, 1), "both": (1, 1)},
    "limits": {"none": {}, **{name: {name: row.tried} for name, row in LIMITS.items()}}
    | {"all": {name: row.tried for name, row in LIMITS.items()}},
    "sample weights": {"1": False, "others": True},
    "smoothing": {"0": 0.0, "0.1": 0.1},
    "threads": {"1": 1, "2": 2, "3": 3},
}


class Draw:
    """The random choices of one case.

    rng : for everything that is not in a table
    rows : the rows that were drawn, "hidden: relu" for example
    """

    def __init__(self, seed: int) -> None:
        self.rng, self.rows = np.random.default_rng(seed), set[str]()

    def row(self, table: str, first: float = 0.0) -> Any:
        """Return the value of a random row of a table.

        first : the probability of taking the first row, instead of any row
        """
        names = list(TABLES[table])
        name = names[0 if self.rng.random() < first else int(self.rng.integers(len(names)))]
        self.rows.add(f"{table}: {name}")
        return TABLES[table][name]

    def width(self, dtype: Any) -> int:
        """Return the width of a layer: at a boundary of vectors or panels, or any other."""
        if self.rng.random() < 0.15:
            return int(self.rng.integers(1, LARGEST))
        vectors, more = self.row("width")
        width: int = vectors * VECTOR_BYTES // np.dtype(dtype).itemsize + more
        return max(width, 1)

    def factors(self, layers: int) -> Array | None:
        """Return factors on the learning rate `(layers, 2)`, or None for 1."""
        return self.rng.uniform(0.5, 1.5, (layers, 2)) if self.row("rate factors") else None

    def dropout(self, layers: int) -> Dropout | None:
        """Return the dropout of so many hidden layers and the inputs, or None."""
        (outputs, inputs), some = self.row("dropout", 0.3), [0.0, 0.2, 0.5]
        rates = tuple((outputs * self.rng.choice(some, layers)).tolist())
        return Dropout(rates, int(self.rng.integers(2**63)), inputs * float(self.rng.choice(some)))

    def sample_weight(self, count: int) -> Array | None:
        """Return weights of samples `(count,)`, some 0, or None for 1."""
        if not self.row("sample weights"):
            return None
        weights = self.rng.choice([0.0, 0.5, 1.0, 3.0], count)
        weights[self.rng.integers(count)] = 2
        return weights

    def step(self) -> tuple[str, dict[str, float]]:
        """Return an optimiser and its settings."""
        name, settings = self.row("step")
        return name, {**settings, **self.row("limits", 0.5)}

    def cost(self, name: str) -> str:
        """Return a cost of the table, with a random setting if it has one."""
        row = COSTS[name]
        return f"{name}:{self.rng.uniform(0.1, 0.9):.3g}" if row.setting_name else name

    def inputs(self) -> int:
        """Return the number of inputs of a network."""
        return int(self.row("inputs") if self.rng.random() < 0.7 else self.rng.integers(1, LARGEST))

    def answers(self, count: int, outputs: int, cost: str) -> Array:
        """Return labels int64 `(count,)`, or targets `(count, outputs)`, exact in float32."""
        rng, kind = self.rng, self.row("answers")
        if kind == "labels":
            labels = rng.integers(0, max(2, outputs), count)
            return labels if outputs > 1 else labels.reshape(-1, 1).astype(np.float64)
        y: Array = rng.random((count, outputs))
        if kind == "several-hot":
            return np.asarray(y < rng.choice([0.1, 0.5]), np.float64)
        if kind == "soft":
            y /= y.sum(axis=1, keepdims=True)
        elif cost_row(cost).targets is None and rng.random() < 0.5:
            y = 2 * y - 1
        return y.astype(np.float32).astype(np.float64)


def rows_of(tables: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of all rows of some tables, as in `Draw.rows`."""
    return tuple(f"{table}: {name}" for table in tables for name in TABLES[table])
