"""The machine's facts: its processor, and what limits the threads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fastmlp.bench import machine
from fastmlp.system import cores


def test_what_limits_the_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CGROUP_OF_SELF", "CGROUPS"):
        monkeypatch.setattr(cores, name, tmp_path / "none")
    monkeypatch.setenv("OMP_NUM_THREADS", "4,2")
    monkeypatch.setenv("OMP_THREAD_LIMIT", "nonsense")
    monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
    limits = {limit.name: limit.allows for limit in machine.thread_limits()}
    assert limits == {
        "affinity mask": len(os.sched_getaffinity(0)),
        "NUMBA_NUM_THREADS": None,
        "OMP_NUM_THREADS": 4,
        "OMP_THREAD_LIMIT": None,
        "cgroup quota": None,
    }


def test_the_processor_has_its_makers_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "CPUINFO", tmp_path / "cpuinfo")
    assert machine.processor_name()
    machine.CPUINFO.write_text("processor\t: 0\nmodel name\t: Abacus 9 @ 2 beads\n")
    assert machine.processor_name() == "Abacus 9 @ 2 beads"
