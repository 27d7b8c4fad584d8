"""The model of a step's time: its limits, on invented measurements with known results."""

import importlib
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from fastmlp.bench.workload import PLAIN, parse
from fastmlp.kernels.memory.records import BY_COLUMNS
from fastmlp.report import to_json

FOLDER = Path(__file__).parents[2] / "benchmarks"
pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason="the benchmarks are not here")


@pytest.fixture
def model(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("step_model")


@pytest.fixture(params=PLAIN)
def row(request, model):
    """A workload whose step takes 100 microseconds, and 60 with two threads."""
    return model.Row(parse(request.param), 1e-4, 6e-5, 0.25)


def seconds(model, row, members, costs, own=1e-5):
    return sum(model.terms(row, own, members, costs).values())


def test_one_member_takes_what_was_measured(model, row):
    for costs in (*model.NEAR, *model.FAR):
        assert seconds(model, row, 1, costs) == pytest.approx(row.one, rel=1e-12)
    for sockets in (1, 2):
        fitted, most = (model.Model((row,), 6e-8, repeats=on) for on in (True, False))
        assert fitted.speed_ups(row, sockets)[0] == pytest.approx(1)
        pairs = zip(fitted.speed_ups(row, sockets), most.speed_ups(row, sockets), strict=True)
        assert all(one <= other * (1 + 1e-12) for one, other in pairs)


def test_two_members_take_what_was_measured_where_that_is_possible(model, row):
    costs = model.NEAR[model.ASSUMED]
    own, found = model.repeated(row, costs), 0.0
    if 0 < own < row.one:
        assert seconds(model, row, 2, costs, own) == pytest.approx(row.two, rel=1e-12)
    else:  # more than was measured, as nothing can be repeated less than not at all
        assert own == 0
        assert seconds(model, row, 2, costs, own) >= row.two
    for two in (7e-5, 8e-5):  # a slower step of two is one of which more is repeated
        more = model.repeated(replace(row, two=two), costs)
        assert more >= max(own, found)
        found = more


def test_time_grows_with_the_cost_of_a_line_and_of_a_barrier(model, row):
    costs = model.NEAR[model.ASSUMED]
    for members in model.TEAMS[1:]:
        first = seconds(model, row, members, costs)
        dearer = [
            seconds(model, row, members, replace(costs, **{name: 2 * getattr(costs, name)}))
            for name in ("stream", "picked", "barrier")
        ]
        assert min(dearer) >= first
        assert max(dearer[:2]) > first  # the lines of each plan are one or the other
        assert dearer[2] > first
        one, other = (model.exchange(row.work, members, costs, tree) for tree in (True, False))
        assert 0 < one["barriers"] <= other["barriers"]
        assert one["lines"] == other["lines"]


def test_no_more_members_work_than_there_are_units(model):
    for units in ([1], [1] * 7, [64, 48], [1] * 16):
        for members in (1, 2, 3, 8, 64):
            part = model.largest_share(units, members)
            assert part >= max(max(units) / sum(units), 1 / members) - 1e-12
        assert model.largest_share(units, 64) == max(units) / sum(units)


def test_the_shared_part_falls_no_further_than_an_equal_share(model, row):
    parts = [model.shared_part(row, members) for members in model.TEAMS]
    assert parts[0] == pytest.approx(1)
    assert all(
        part >= 1 / members - 1e-12 for part, members in zip(parts, model.TEAMS, strict=True)
    )


@pytest.mark.parametrize(
    ("name", "members", "by_columns", "part"),
    [
        ("784-128-10/64", 2, False, 1 / 2),  # two panels
        ("784-128-10/64", 4, True, 0.262),  # each half of a panel's rows
        ("784-128-10/64", 16, True, 0.089),
        ("28-64-64-2/256/dense", 2, False, 1 / 2),
        ("28-64-64-2/256/dense", 64, False, 1 / 4),  # four slices
    ],
)
def test_a_plan_limits_its_members(model, monkeypatch, name, members, by_columns, part):
    row = model.Row(parse(name), 1e-4, 6e-5)
    plan, layers = model.step_plan(row.work, members)
    if layers[0]["width"] != 64:
        pytest.skip("panels have other widths where vectors are narrower")
    assert (plan.kind == BY_COLUMNS) == by_columns
    assert model.shared_part(row, members) == pytest.approx(part, rel=0.01)


def document(name, *seconds):
    """A run of 10 steps, with teams that take so many seconds; the first layer does a quarter."""
    runs = [
        {"implementation": f"{n} threads", "threads": n, "round": 0, "epoch_seconds": [took]}
        for n, took in enumerate(seconds, 1)
    ]
    runs[-1]["barrier_seconds"] = [6e-8, 8e-8]
    work = parse(name)
    done = {"flops_per_sample": work.flops(), "executed_flops_per_sample": work.flops(0.25)}
    workload = {"name": name, "samples": 10 * work.batch_size, "runs": runs} | done
    return {"kind": "scaling", "environment": {}, "workloads": [workload]}


def test_the_script_reads_a_run_prints_tables_of_80_columns_and_draws(model, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    script = importlib.import_module("scaling_model")
    run, drawing = tmp_path / "run.json", tmp_path / "scaling.svg"
    found = script.model_of(document("784-128-10/64", 1e-3, 6e-4))
    (row,) = found.rows
    assert row.work.name == "784-128-10/64"
    assert (row.one, row.two, row.nonzero) == pytest.approx((1e-4, 6e-5, 0.25))
    assert found.barrier == pytest.approx(7e-8)
    assert found.is_near
    run.write_text(to_json(document("784-512-512-10/128/dense", 0.6, 0.6)))
    done = CliRunner().invoke(script.main, ["--from", str(run), "--figure", str(drawing)])
    assert done.exit_code == 0, done.output
    assert max(map(len, done.output.splitlines())) <= 80
    assert "…" not in done.output
    assert "barrier took 0.07" in done.output
    text = drawing.read_text()
    assert text.startswith("<svg")
    assert "784-512-512-10/128/dense" in text
    run.write_text(to_json(document("784-128-10/64", 1e-3)))
    assert CliRunner().invoke(script.main, ["--from", str(run)]).exit_code == 1
    assert CliRunner().invoke(script.main, []).exit_code == 2
    run.write_text(to_json(document("5-4-1/7/dense/regression", 1e-3, 6e-4)))
    done = CliRunner().invoke(script.main, ["--from", str(run)])
    assert "5-4-1/7/dense/regression" in done.output, done.output


@pytest.mark.parametrize(
    ("name", "kinds", "wanted"),
    [
        ("scaling_model", ["epochs"], "scaling"),
        ("readme", ["accuracy", "epochs"], "epochs"),
        ("readme", ["epochs", "epochs"], "accuracy"),
    ],
)
def test_scripts_refuse_runs_of_another_kind(model, tmp_path, name, kinds, wanted):
    paths = [str(tmp_path / f"{number}.json") for number in range(len(kinds))]
    for path, kind in zip(paths, kinds, strict=True):
        Path(path).write_text(to_json(document("784-128-10/64", 1.0) | {"kind": kind}))
    given = ["--from", *paths] if name == "scaling_model" else paths
    done = CliRunner().invoke(importlib.import_module(name).main, given)
    assert done.exit_code == 1
    assert f"is not a run that fastmlp bench {wanted} saved with --save." in done.output
