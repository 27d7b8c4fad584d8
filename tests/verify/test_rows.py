"""Every row of the tables is drawn, and a row that one backend computes otherwise is found."""

import io

import numpy as np
import pytest
from fastmlp.kernels.elementwise import RELU
from fastmlp.kernels.layout import aligned_zeros, round_up, row_panel_width
from fastmlp.kernels.masks import PART
from fastmlp.kernels.rows import ROW_VECTORS
from rich.console import Console

from fastmlp import kernels
from fastmlp.functions import ACTIVATIONS, HIDDEN, PAIRS
from fastmlp.kernels.engine import Engine
from fastmlp.kernels.llvm.emitter import VECTOR_BYTES
from fastmlp.report import rows_table
from fastmlp.verify import run, verify
from fastmlp.verify.cases import CASES, DRAWN_FROM, Draw
from fastmlp.verify.tables import TABLES, rows_of


def test_whole_trainings_are_right_and_draw_every_row():
    outcome = verify(cases=run.ENOUGH, only=["steps"])
    assert outcome.passed, outcome.failures
    counts = outcome.rows["steps"]
    assert min(counts.values()) > 0
    assert {f"hidden: {name}" for name in HIDDEN} < counts.keys()
    assert {f"output: {output}, {cost}" for output, cost in PAIRS} < counts.keys()
    assert outcome.mistrusted < 0.05 * outcome.cases


def test_a_new_row_of_a_table_is_drawn_or_missed(monkeypatch):
    monkeypatch.setattr(run, "ENOUGH", 20)
    monkeypatch.setitem(TABLES["hidden"], "another", "relu")
    assert "hidden: another" in verify(cases=40, only=["delta"]).rows["delta"]
    monkeypatch.setattr(
        Draw, "row", lambda self, table, first=0: next(iter(TABLES[table].values()))
    )
    outcome = verify(cases=20, only=["delta"])
    assert "delta: no case had the row 'hidden: another'" in outcome.failures
    assert verify(cases=19, only=["delta"]).passed


def test_each_kind_says_what_it_is_drawn_from():
    assert CASES.keys() == DRAWN_FROM.keys()
    for name, case in CASES.items():
        for seed in range(4):
            draw = Draw(seed)
            with np.errstate(all="ignore"):
                case(draw)
            assert draw.rows <= set(rows_of(DRAWN_FROM[name])), name


def test_widths_lie_on_both_sides_of_each_boundary():
    for name in ("float32", "float64"):
        dtype, draw, widths = np.dtype(name), Draw(0), set()
        for _ in range(300):
            widths.add(draw.width(dtype))
        # (panels, their width): each that there is, just begun and just full
        shapes = {
            width: (-(-width // p), p) for width in widths if (p := row_panel_width(width, dtype))
        }
        assert {1, 2, 3} <= {panels for panels, _ in shapes.values()}
        assert (
            sum(width + 1 in shapes and shapes[width + 1] != shapes[width] for width in shapes) > 3
        )


def frozen(self, batch_size):
    """Give a wide ReLU output layer, too, a table of nonzero bits, which no phase fills."""
    note(self, batch_size)
    layer, wide = self._layers[-1], ROW_VECTORS * VECTOR_BYTES // self._dtype.itemsize
    if layer["activation"] == RELU and (self._layers["width"][-2:] == wide).sum() == 2:
        rows = round_up(batch_size, PART)
        noted = aligned_zeros((int(layer["panels"]), rows), np.dtype(np.int64))
        layer["nonzeros"], layer["nonzeros_panel"] = noted.ctypes.data, 8 * rows
        self._arrays[-1]["nonzeros"] = noted


note = Engine._note_nonzeros


def test_a_network_that_stands_still_is_found(monkeypatch):
    monkeypatch.setattr(Engine, "_note_nonzeros", frozen)
    # the rows in which it stands still, so that a few cases draw it at any vector width
    relu = {name: pair for name, pair in TABLES["output"].items() if pair[0] == "relu"}
    wide = {name: row for name, row in TABLES["width"].items() if "panel" in name}
    for table, rows in (("output", relu), ("hidden", {"relu": "relu"}), ("width", wide)):
        monkeypatch.setitem(TABLES, table, rows)
    failures = verify(cases=40, only=["steps"]).failures
    assert failures
    assert all("relu" in failure for failure in failures)


PLANTED = {
    # what an engine is given instead: activations, cost, momentum, Nesterov, weight decay
    "tanh": lambda f, *rest: (["sigmoid" if name == "tanh" else name for name in f], *rest),
    "step": lambda f, *rest: (["relu" if name == "step" else name for name in f], *rest),
    "softmax": lambda f, cost, *rest: (
        f,
        "perceptron" if (f[-1], cost) == ("softmax", "cross_entropy") else cost,
        *rest,
    ),
    "Nesterov": lambda f, cost, batch, momentum, _, *rest: (f, cost, batch, momentum, False, *rest),
    "decay": lambda f, cost, batch, *rest: (f, cost, batch, *rest[:2], 0.0, *rest[3:]),
}


@pytest.mark.parametrize("row", PLANTED)
def test_a_row_that_the_kernels_compute_otherwise_is_found(monkeypatch, row):
    class Planted(Engine):
        def __init__(self, weights, biases, *settings):
            super().__init__(weights, biases, *PLANTED[row](*settings))

    monkeypatch.setattr(kernels, "Engine", Planted)
    failures = verify(cases=30, only=["steps"]).failures
    assert 0 < len({line.split("--seed ")[1] for line in failures}) < 30


def test_a_gradient_that_lacks_a_term_is_found(monkeypatch):
    delta = kernels.delta

    def planted(dz, w, a, f, dx):
        delta(dz, w, a, "identity" if f == "leaky_relu" else f, dx)

    monkeypatch.setattr(kernels, "delta", planted)
    failures = verify(cases=60, only=["gradients"]).failures
    assert failures
    assert all("leaky_relu" in failure for failure in failures)


def test_the_counts_fit_a_terminal():
    outcome = verify(cases=18)
    text = io.StringIO()
    Console(file=text, width=80).print(rows_table(outcome))
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) < 60
    assert all(name in text.getvalue() for name in ACTIVATIONS)
