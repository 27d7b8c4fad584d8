from __future__ import annotations

import os
from pathlib import Path

import pytest

from fastmlp import cores, machine


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree of control groups: this process is in a/b."""
    own = tmp_path / "self"
    own.write_text("0::/a/b\n")
    root = tmp_path / "cgroup"
    (root / "a" / "b").mkdir(parents=True)
    monkeypatch.setattr(cores, "CGROUP_OF_SELF", own)
    monkeypatch.setattr(cores, "CGROUPS", root)
    return root


def test_the_least_quota_of_a_group_and_its_parents_holds(groups: Path) -> None:
    assert cores.cgroup_quota() is None
    (groups / "a" / "b" / "cpu.max").write_text("max 100000\n")
    assert cores.cgroup_quota() is None
    (groups / "a" / "cpu.max").write_text("150000 100000\n")
    assert cores.cgroup_quota() == 1.5
    (groups / "a" / "b" / "cpu.max").write_text("50000 100000\n")
    assert cores.cgroup_quota() == 0.5


def test_a_container_reads_the_quota_at_the_root(groups: Path) -> None:
    (groups / "cpu.max").write_text("200000 100000\n")
    cores.CGROUP_OF_SELF.unlink()
    assert cores.cgroup_quota() == 2


def test_what_limits_the_threads(groups: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
