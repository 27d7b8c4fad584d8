"""The gate passes as things are, and a planted slowdown trips it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

GATE = Path(__file__).parents[2] / "benchmarks" / "gate.py"


def gate(**environment):
    return subprocess.run(
        [sys.executable, "-W", "ignore", str(GATE), "--dataset", "digits", "--rounds", "1"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


def test_the_gate_fails_where_the_vectors_are_turned_off():
    planted = gate(NUMBA_OPT="0")
    assert planted.returncode == 1, planted.stdout + planted.stderr
    assert planted.stdout.count("BELOW THE FLOOR") == 2


@pytest.mark.skipif(not GATE.exists(), reason="the benchmarks are not here")
def test_the_gate_tells_its_floors_and_ratios():
    done = gate()
    assert done.stdout.count("x NumPy, floor") == 2, done.stderr
