"""Every row of the tables is drawn, and a row that one backend computes otherwise is found."""

import io

import numpy as np
import pytest
from rich.console import Console

from fastmlp import kernels
from fastmlp.functions import ACTIVATIONS, COSTS, HIDDEN, OPTIMIZERS, PAIRS
from fastmlp.kernels.engine import Engine
from fastmlp.kernels.llvm.emitter import VECTOR_BYTES
from fastmlp.kernels.memory.buffers import marked_layers
from fastmlp.kernels.memory.panels import panel_width
from fastmlp.kernels.memory.tuning import ENTRY_ROWS, PANEL_VECTORS
from fastmlp.kernels.step.source import entries_of
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
    assert "hidden: another" in verify(cases=40, only=["gradients"]).rows["gradients"]
    monkeypatch.setattr(
        Draw, "row", lambda self, table, first=0: next(iter(TABLES[table].values()))
    )
    outcome = verify(cases=20, only=["gradients"])
    assert "gradients: no case had the row 'hidden: another'" in outcome.failures
    assert verify(cases=19, only=["gradients"]).passed


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
            width: (-(-width // p), p) for width in widths if (p := panel_width(width, dtype))
        }
        assert {1, 2, 3} <= {panels for panels, _ in shapes.values()}
        assert (
            sum(width + 1 in shapes and shapes[width + 1] != shapes[width] for width in shapes) > 3
        )


def frozen(sizes, activations, dtype, batch_size):
    """As `marked_layers`, and a wide ReLU output layer, whose words no phase fills."""
    marked, widest = marked_layers(sizes, activations, dtype, batch_size), PANEL_VECTORS
    widest *= VECTOR_BYTES // np.dtype(dtype).itemsize
    is_wide = len(sizes) > 2 and all(panel_width(n, dtype) == widest for n in sizes[-2:])
    return [*marked, len(activations) - 1] if is_wide and activations[-1] == "relu" else marked


def test_a_network_that_stands_still_is_found(monkeypatch):
    monkeypatch.setattr("fastmlp.kernels.memory.buffers.marked_layers", frozen)
    # the rows in which it stands still, so that a few cases draw it at any vector width
    relu = {name: pair for name, pair in TABLES["output"].items() if pair[0] == "relu"}
    wide = {name: row for name, row in TABLES["width"].items() if "panel" in name}
    for table, rows in (("output", relu), ("hidden", {"relu": "relu"}), ("width", wide)):
        monkeypatch.setitem(TABLES, table, rows)
    failures = verify(cases=40, only=["steps"]).failures
    assert failures
    assert all("relu" in failure for failure in failures)


def another(name, names):
    """Return the next name of a table."""
    names = [*names]
    return names[(names.index(name) + 1) % len(names)]


# How an engine computes a row otherwise than it says, by the row: of the activations of hidden
# layers, of the costs, of the settings of a step
PLANTED = {
    **{f"hidden: {name}": name for name in HIDDEN},
    **{f"cost: {name}": name for name in COSTS},
    **{
        f"{optimizer}: {setting}": (optimizer, setting)
        for optimizer, row in OPTIMIZERS.items()
        for setting in row.settings
    },
}
# so many seeds draw each row that is planted, and others
ENOUGH = 60


def planted(row):
    """Return what replaces the activations, cost, optimiser and settings of an engine."""
    kind, what = row.split(": ")[0], PLANTED[row]

    def arguments(activations, cost, batch, optimizer="sgd", settings=None, *rest):
        activations = list(activations)
        settings = OPTIMIZERS[optimizer].complete(settings)
        if kind == "hidden":
            for place, f in enumerate(activations[:-1]):
                activations[place] = another(f, HIDDEN) if f == what else f
        elif kind == "cost":
            fitting = [c for f, c in PAIRS if f == activations[-1]]
            cost = another(what, fitting) if cost.split(":")[0] == what else cost
        elif optimizer == what[0] and what[1] in settings:
            setting = OPTIMIZERS[optimizer].settings[what[1]]
            settings[what[1]] = 0.5 if settings[what[1]] == setting.least else setting.least
        return activations, cost, batch, optimizer, settings, *rest

    return arguments


# Each fourth, as each takes some seconds
@pytest.mark.parametrize("row", list(PLANTED)[::4])
def test_a_row_that_the_kernels_compute_otherwise_is_found(monkeypatch, row):
    otherwise = planted(row)
    optimizer = row.split(": ")[0]
    if optimizer in OPTIMIZERS:
        drawn = (optimizer, "sgd", "momentum")
        own = {name: step for name, step in TABLES["step"].items() if step[0] in drawn}
        monkeypatch.setitem(TABLES, "step", own)

    class Planted(Engine):
        def __init__(self, weights, biases, *settings):
            super().__init__(weights, biases, *otherwise(*settings))

    monkeypatch.setattr(kernels, "Engine", Planted)
    failures = verify(cases=ENOUGH, only=["steps"]).failures
    assert 0 < len({line.split("--seed ")[1] for line in failures}) < ENOUGH


def test_a_gradient_that_lacks_a_term_is_found(monkeypatch):
    class Planted(Engine):
        def __init__(self, weights, biases, activations, *rest):
            super().__init__(weights, biases, activations, *rest)
            self.activations = activations

        def trace(self, *arguments):
            found = super().trace(*arguments)
            dw = [
                w / 2 if f == "leaky_relu" else w
                for f, w in zip(self.activations, found.dw, strict=True)
            ]
            return found._replace(dw=dw)

    monkeypatch.setattr(kernels, "Engine", Planted)
    failures = verify(cases=60, only=["gradients"]).failures
    assert failures
    assert all("leaky_relu" in failure for failure in failures)


LACKING = {
    "the last of each row": lambda begins, ends, columns, values: (ends - (ends > begins), values),
    "those of a second block": lambda begins, ends, columns, values: (
        ends,
        values * (columns < ENTRY_ROWS),
    ),
}


@pytest.mark.parametrize("which", LACKING)
def test_entries_of_sparse_rows_that_are_left_out_are_found_by_each_kind(monkeypatch, which):
    def lacking(*arguments):
        found = entries_of(*arguments)
        ends, values = LACKING[which](**found)
        return found | {"ends": ends, "values": values.astype(found["values"].dtype)}

    for door in ("step.source", "predictor"):
        monkeypatch.setattr(f"fastmlp.kernels.{door}.entries_of", lacking)
    rows = {name: TABLES["images"][name] for name in ("float32", "sparse rows")}
    monkeypatch.setitem(TABLES, "images", rows)
    monkeypatch.setitem(TABLES, "blocks", {"two": (0, ENTRY_ROWS)})
    failures = verify(cases=40).failures
    assert {failure.split(":")[0] for failure in failures} == CASES.keys()
    assert all("sparse rows" in failure for failure in failures)


def test_the_counts_fit_a_terminal():
    outcome = verify(cases=18)
    text = io.StringIO()
    Console(file=text, width=80).print(rows_table(outcome))
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) < 60
    assert all(name in text.getvalue() for name in ACTIVATIONS)
