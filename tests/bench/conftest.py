"""A bench with fake processes: one file tells them what to do, another has a log of their tasks."""

import json
from pathlib import Path

import fake_bench
import numpy as np
import pytest
from click.testing import CliRunner

from fastmlp.bench import peers
from fastmlp.bench.processes import KERNEL_VARIABLES
from fastmlp.cli import main


class Fake:
    """A folder with data of 16 pixels and 3 classes, and the files of the fake processes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log, self.behaviour = folder, folder / "log", folder / "behaviour"
        self.saved = folder / "run.json"
        rng = np.random.default_rng(0)
        parts = {
            f"x_{part}": rng.integers(0, 9, (30, 4, 4), np.uint8) for part in ("train", "test")
        }
        parts |= {f"y_{part}": np.arange(30) % 3 for part in ("train", "test")}
        np.savez(folder / "some.npz", **parts)
        self.names = ["16-4-3/8", "16-5-3/8"]
        self.data = ["--dataset", str(folder / "some.npz")]
        self.environment = {"FAKE": str(self.behaviour), "FAKE_LOG": str(self.log)}
        self.behave()

    def behave(self, **how):
        """Set which implementations fail or hang, and clear the log."""
        self.behaviour.write_text(json.dumps(how))
        self.log.write_text("")

    def epochs(self, *more):
        """The arguments of a bench of two workloads against NumPy, two rounds of one epoch each."""
        short = ["--rounds", "2", "--epochs", "1", "--against", "numpy"]
        return [*self.names, *self.data, *short, *map(str, more)]

    def done(self):
        """The tasks of the processes that were started, except the one that describes the BLAS."""
        tasks = map(json.loads, self.log.read_text().splitlines())
        return [task for task in tasks if "blas" not in task]

    def run(self, *arguments, status=0):
        result = CliRunner().invoke(main, ["bench", *map(str, arguments)])
        assert result.exit_code == status, (result.output, result.exception)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    def document(self):
        return json.loads(self.saved.read_text())


@pytest.fixture
def fake(tmp_path, monkeypatch):
    own = Fake(tmp_path)
    for name, value in own.environment.items():
        monkeypatch.setenv(name, value)
    for name in (name for names in KERNEL_VARIABLES.values() for name in names):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    missing = peers.Implementation("missing", "none", "no_such_package")
    monkeypatch.setitem(peers.IMPLEMENTATIONS, "missing", missing)
    fake_bench.install(monkeypatch.setattr)
    monkeypatch.chdir(tmp_path)
    return own
