"""How many cores may be used: affinity, and both versions of control groups."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastmlp.system import cores


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


def cgroup_v1(root: Path, folder: str, quota: int, period: int = 100_000) -> None:
    (root / folder).mkdir(parents=True, exist_ok=True)
    (root / folder / "cpu.cfs_quota_us").write_text(f"{quota}\n")
    (root / folder / "cpu.cfs_period_us").write_text(f"{period}\n")


@pytest.mark.parametrize("mount", ["cpu", "cpu,cpuacct", "cpuacct,cpu"])
def test_the_first_version_of_control_groups_has_quotas_too(groups: Path, mount: str) -> None:
    cores.CGROUP_OF_SELF.write_text(
        "12:memory:/other\n4:cpuset:/a\n3:cpuacct,cpu:/docker/1f\n1:name=systemd:/x\n"
    )
    cgroup_v1(groups, f"{mount}/docker/1f", -1)
    cgroup_v1(groups, f"{mount}/other", 10_000)
    cgroup_v1(groups, f"{mount}/docker", -1)
    assert cores.cgroup_quota() is None
    cgroup_v1(groups, f"{mount}/docker/1f", 100_000, 50_000)
    assert cores.cgroup_quota() == 2
    cgroup_v1(groups, f"{mount}/docker", 50_000)
    assert cores.cgroup_quota() == 0.5
    cgroup_v1(groups, f"{mount}", 0, 0)
    assert cores.cgroup_quota() == 0.5


def test_a_container_reads_the_first_versions_quota_at_the_root(groups: Path) -> None:
    cgroup_v1(groups, "cpu,cpuacct", 150_000)
    cores.CGROUP_OF_SELF.write_text("2:cpu,cpuacct:/docker/of/the/host\n")
    assert cores.cgroup_quota() == 1.5
    cores.CGROUP_OF_SELF.unlink()
    assert cores.cgroup_quota() == 1.5


def test_both_versions_at_once(groups: Path) -> None:
    cores.CGROUP_OF_SELF.write_text("2:cpu,cpuacct:/own\n0::/session\n")
    cgroup_v1(groups, "cpu/own", 300_000)
    assert cores.cgroup_quota() == 3
    (groups / "unified" / "session").mkdir(parents=True)
    (groups / "unified" / "session" / "cpu.max").write_text("250000 100000")
    assert cores.cgroup_quota() == 2.5


@pytest.mark.parametrize(
    ("quota", "threads"), [(0.01, 1), (0.5, 1), (1.4, 1), (1.5, 2), (2.4, 2), (2.5, 3), (99, 8)]
)
def test_a_quota_counts_as_the_nearest_number_of_threads(
    monkeypatch: pytest.MonkeyPatch, quota: float, threads: int
) -> None:
    monkeypatch.setattr(cores, "affinity", lambda: list(range(8)))
    monkeypatch.setattr(cores, "_first_quota", lambda: quota)
    assert cores.usable_cores() == threads
