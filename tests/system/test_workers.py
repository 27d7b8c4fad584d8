"""Processes that share a piece of work."""

import sys
import time
from pathlib import Path

import pytest

from fastmlp.system import workers

WRITE = "import os; open(os.path.join(os.environ['WHERE'], str(os.getpid())), 'w').write(repr({}))"


def results(folder: Path, value: str, count: int = 2) -> list[str]:
    """Return what a number of workers found to be an expression."""
    workers.run_workers(count, WRITE.format(value), {"WHERE": str(folder)})
    return [path.read_text() for path in folder.iterdir()]


def test_each_worker_runs_the_statement_and_finds_the_same_modules(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path / "it's here")
    assert results(tmp_path, "__import__('sys').path", 3) == [repr(sys.path)] * 3


def test_workers_print_nothing_and_may_fail(tmp_path, capfd):
    workers.run_workers(2, "print(1); raise ValueError", {})
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("name", "value"),
    [("frozen", True), ("executable", "/opt/blender"), ("executable", ""), ("executable", None)],
)
def test_a_program_that_contains_python_is_not_started_again(tmp_path, monkeypatch, name, value):
    monkeypatch.setattr(sys, name, value, raising=False)
    assert results(tmp_path, "1") == []


def test_a_worker_that_cannot_be_started_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python3"))
    assert results(tmp_path, "1") == []


def test_a_worker_that_hangs_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "MOST_SECONDS", 0.5)
    began = time.monotonic()
    workers.run_workers(2, "import time; time.sleep(300)", {})
    assert time.monotonic() - began < 60


def test_an_interrupt_ends_the_workers(monkeypatch):
    started, start = [], workers._start

    def start_one(*arguments):
        if started:
            raise KeyboardInterrupt
        started.append(start(*arguments))
        return started[0]

    monkeypatch.setattr(workers, "_start", start_one)
    with pytest.raises(KeyboardInterrupt):
        workers.run_workers(2, "import time; time.sleep(300)", {})
    assert started[0].poll() is not None
