"""How much memory this process may use."""

from pathlib import Path

import pytest

from fastmlp.system import cores, memory


@pytest.mark.parametrize("version", [1, 2])
def test_the_least_limit_of_the_control_groups_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    lines = "4:memory:/a/b\n3:cpu:/other\n" if version == 1 else "0::/a/b\n"
    (tmp_path / "self").write_text(lines)
    monkeypatch.setattr(cores, "CGROUP_OF_SELF", tmp_path / "self")
    monkeypatch.setattr(cores, "CGROUPS", tmp_path)
    root = tmp_path / "memory" if version == 1 else tmp_path
    name = "memory.limit_in_bytes" if version == 1 else "memory.max"
    unlimited = str(2**63 - 4096) if version == 1 else "max"
    (root / "a" / "b").mkdir(parents=True)
    read = memory.memory_bytes.__wrapped__
    physical = read()
    (root / "a" / "b" / name).write_text(f"{unlimited}\n")
    assert read() == physical > 1 << 25
    (root / "a" / name).write_text("8388608\n")
    assert read() == 8388608
    (root / "a" / "b" / name).write_text("4194304\n")
    assert read() == 4194304
