"""The script that compares the estimators with scikit-learn's."""

import importlib
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("sklearn")

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "estimators.py"
pytestmark = pytest.mark.skipif(not SCRIPT.exists(), reason="the benchmarks are not here")


@pytest.fixture
def estimators(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPT.parent)
    return importlib.import_module("estimators")


def test_a_line_has_the_scores_of_both_sides(estimators):
    pairs = [estimators.Pair((0.5, 0.5), (1.0, 2.0)), estimators.Pair((1.0, 0.75), (1.0, 4.0))]
    assert estimators.row("iris", pairs) == (
        *("iris", "150", "4", "0.7500", "0.6250", "2.5e-01", "1.000", "3.00 (2.00 to 4.00)"),
    )


def test_both_sides_have_the_same_score(estimators):
    done = CliRunner().invoke(estimators.main, ["iris", "--seeds", "1"])
    assert done.exit_code == 0
    cells = [line.strip("| ").split(" | ") for line in done.output.splitlines()]
    assert len(cells) == 3
    assert cells[0] == list(estimators.HEAD)
    assert cells[2][3] == cells[2][4]


def test_all_data_sets_are_loaded(estimators):
    for name in estimators.NAMES:
        x, y = estimators.data(name, 1)
        assert len(x) == len(y) >= 150
