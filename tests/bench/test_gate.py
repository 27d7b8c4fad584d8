"""The decisions of the gate, on invented measurements with known results."""

import importlib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

GATE = Path(__file__).parents[2] / "benchmarks" / "gate.py"
pytestmark = pytest.mark.skipif(not GATE.exists(), reason="the benchmarks are not here")


@pytest.fixture
def gate(monkeypatch):
    monkeypatch.syspath_prepend(GATE.parent)
    return importlib.import_module("gate")


def epochs(*ratios, load=0.0, **failed):
    facts = {"setup_seconds": 1.0, "first_epoch_seconds": 1.0, "peak_bytes": 1, "accuracy": 0.9}
    runs = [
        {"implementation": name, "round": number, "epoch_seconds": [seconds], **facts}
        for number, ratio in enumerate(ratios)
        for name, seconds in (("fastmlp", 0.1), ("numpy", 0.1 * ratio))
    ]
    runs += [{"implementation": name, "round": 0, "failure": why} for name, why in failed.items()]
    work = {"name": "784-128-10/64", "samples": 10, "flops_per_sample": 1.0, "runs": runs}
    environment = {"affinity": [0, 1], "load_average": load}
    work |= {"executed_flops_per_sample": 1.0}
    return {"workloads": [work], "environment": environment}


def kernels(*ratios):
    return {"rows": [{"ratio": ratio} for ratio in ratios]}


@pytest.mark.parametrize(
    ("epoch", "grids", "passes"),
    [
        ([2.5, 2.2, 2.0], [kernels(1.1, 1.1)], [True, True]),  # the median, at the floor
        ([2.5, 2.1, 2.0], [kernels(1.0, 1.1)], [False, False]),
        ([9.0], [kernels(0.5), kernels(1.2), kernels(3.0)], [True, True]),
        ([9.0], [kernels(4.0, 0.25)], [True, False]),
        ([0.4], [kernels(0.2)], [False, False]),
        ([float("nan")], [kernels(1.2)], [False, True]),
    ],
)
def test_a_ratio_passes_from_its_floor_on(gate, epoch, grids, passes):
    results = gate.judged(epochs(*epoch), grids, 2.2, 1.1)
    assert [result.passes for result in results] == passes
    assert [str(result).endswith("ok") for result in results] == passes


def test_what_failed_is_no_verdict(gate):
    with pytest.raises(click.ClickException, match="numpy failed: no memory"):
        gate.judged(epochs(numpy="no memory"), [kernels(2.0)], 2.2, 1.1)
    failed = {"rows": [], "passes": [{"side": "numpy", "round": 0, "failure": "no memory"}]}
    with pytest.raises(click.ClickException, match="numpy, round 1, failed: no memory"):
        gate.judged(epochs(9.0), [failed], 2.2, 1.1)


@pytest.mark.parametrize(
    ("ratio", "load", "status"), [(5.0, 0.0, 0), (1.5, 0.0, 1), (0.5, 0.0, 1), (0.5, 3.0, 1)]
)
def test_the_command_prints_and_exits_as_it_judges(gate, monkeypatch, ratio, load, status):
    monkeypatch.setattr(gate, "measure_epochs", lambda *_, **__: epochs(ratio, load=load))
    monkeypatch.setattr(gate, "measure_kernels", lambda *_, **__: kernels(ratio))
    done = CliRunner().invoke(gate.main, [])
    assert done.exit_code == status
    assert done.output.count("x NumPy, floor") == 2
    assert ("BELOW THE FLOOR" in done.output) == bool(status)
    assert ("the machine was busy before the run: a load of 3.00" in done.output) == bool(load)
