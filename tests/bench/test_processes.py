"""Real measurements in separate processes, on little data."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

import fastmlp
from fastmlp.bench import child, epochs, peers, processes
from fastmlp.bench import limits as limits_of
from fastmlp.bench.accuracy import measure_accuracy
from fastmlp.bench.kernel_grid import grid, measure_kernels
from fastmlp.bench.summary import summarise
from fastmlp.errors import ArgumentError, DataUnavailableError
from fastmlp.kernels import prepare


@pytest.fixture(scope="module")
def data(digits, tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "some.npz"
    arrays = {"x_train": digits.train.images, "y_train": digits.train.labels}
    np.savez(path, **arrays, x_test=digits.test.images, y_test=digits.test.labels)
    return str(path)


@pytest.fixture
def one_missing(monkeypatch):
    missing = peers.Implementation("missing", "none", "no_such_package")
    monkeypatch.setitem(peers.IMPLEMENTATIONS, "missing", missing)


def test_all_that_are_installed_learn_the_same_and_the_others_are_named(data, one_missing):
    names = [name for name in peers.IMPLEMENTATIONS if name != "torch-compile"]
    run = epochs.measure_epochs(["784-32-10/32"], names, rounds=2, epochs=1, dataset=data)
    here, absent = epochs.split_installed(names)
    assert "missing" in absent
    assert run["absent"] == absent
    order = [(each["implementation"], each["round"]) for each in run["workloads"][0]["runs"]]
    assert order == [(name, number) for number in (0, 1) for name in here]
    measured = [each.get("barrier_seconds") for each in run["workloads"][0]["runs"]]
    assert all(seconds > 0 for each in measured for seconds in each)
    assert not any(measured[number] for number, (name, _) in enumerate(order) if name != "fastmlp")
    rows = summarise(run["workloads"][0], run["limits"]["peak_flops"]["all"])
    assert [row.name for row in rows] == here
    assert all(row.comparable and row.accuracy > 0.5 and not row.failure for row in rows)
    assert all(row.peak_bytes > 1 << 20 and row.first_epoch > 0 for row in rows)


def test_a_process_that_takes_too_long_is_ended_and_said(data, monkeypatch):
    code = "import sys, time; print('{}') if 'blas' in sys.argv[1] else time.sleep(600)"
    monkeypatch.setattr(processes, "COMMAND", (sys.executable, "-c", code))
    run = epochs.measure_epochs(["784-32-10/32"], ["numpy"], rounds=2, dataset=data, limit=0.1)
    runs = run["workloads"][0]["runs"]
    assert [each["failure"] for each in runs] == ["took more than 0.1 s"]


def test_a_process_is_ended_where_there_are_no_groups_of_processes(data, monkeypatch):
    code = "import time; print(flush=True); time.sleep(20)"
    monkeypatch.setattr(processes, "COMMAND", (sys.executable, "-c", code))
    monkeypatch.delattr(processes.os, "killpg")
    with processes._start({"threads": 1}) as process:
        process.stdout.readline()
    assert process.wait(60) != 0


def test_the_memory_of_a_process_is_not_known_on_windows(monkeypatch):
    assert child.read_peak_bytes() > 1 << 20
    monkeypatch.setattr(child, "Path", lambda _: Path("/no/such/file"))
    monkeypatch.setitem(sys.modules, "resource", None)
    assert np.isnan(child.read_peak_bytes())


def test_a_process_that_fails_says_why():
    task = {"implementation": "numpy", "workload": "nonsense", "threads": 1, "seed": 0}
    task |= {"cores": [], "dataset": "digits", "folder": None, "epochs": 1}
    assert "must be sizes/batch" in epochs.run_in_process(task, 60)["failure"]


def test_a_process_imports_what_this_one_does_whatever_is_in_the_working_folder(
    tmp_path, monkeypatch
):
    (tmp_path / "fastmlp").mkdir()
    for name in ("fastmlp/__init__", "random", "json"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('of the working folder')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    task = {"blas": True, "cores": [], "threads": 1}
    assert "failure" not in processes.run_in_process(task, 60)
    code = "import json, fastmlp; print(json.dumps({'file': fastmlp.__file__}))"
    monkeypatch.setattr(processes, "COMMAND", (*processes.COMMAND[:-2], "-c", code))
    assert processes.run_in_process(task, 60)["file"] == fastmlp.__file__


def test_an_unknown_implementation_is_refused():
    with pytest.raises(ArgumentError, match=r"implementation must be a known one; got 'nunpy'"):
        peers.implementation("nunpy")


def test_every_installed_peer_has_its_class():
    for name, own in peers.IMPLEMENTATIONS.items():
        if peers.is_installed(name):
            module = importlib.import_module(f"fastmlp.bench.peers.{own.module}")
            assert {"epoch", "read"} <= set(dir(module.Peer))


def test_time_to_a_target(data):
    run = measure_accuracy(["fastmlp", "numpy"], target=0.5, seeds=2, dataset=data)
    assert [each["seed"] for each in run["runs"]] == [0, 0, 1, 1]
    assert all(each["reached"] and each["accuracy"] >= 0.5 for each in run["runs"])
    assert all(sum(each["epoch_seconds"]) < each["process_seconds"] for each in run["runs"])


def test_missing_data_are_told_before_anything_is_measured(tmp_path):
    said = []
    with pytest.raises(DataUnavailableError):
        measure_accuracy(["numpy"], folder=tmp_path, say=said.append)
    assert not said


def test_kernels_are_as_right_as_numpys_and_both_are_measured():
    kinds = ("forward", "delta", "update", "output", "exp")
    run = measure_kernels(kinds, (3,), (5, 40), rounds=1)
    assert len(run["rows"]) == len(list(grid(kinds, (3,), (5, 40)))) == 16
    for row in run["rows"]:
        assert row["fastmlp_error"] < 16, row
        assert row["numpy_error"] < 16, row
        assert row["ratio"] == row["numpy_seconds"] / row["fastmlp_seconds"] > 0


def test_limits_are_positive():
    limits = limits_of.measure_limits(2)
    team = [limits["meeting_seconds"], limits["region_seconds"]]
    values = [*limits["peak_flops"].values(), *(value for value in team if not np.isnan(value))]
    values += [speed[k] for speed in limits["bytes_per_second"].values() for k in ("one", "all")]
    assert 2 <= len(values) - 2 * len(limits_of.LEVELS) <= 4
    assert all(0 < value < np.inf for value in values)


@pytest.mark.parametrize(("threads", "came"), [(1, 1), (2, 1)])
def test_threads_that_never_ran_together_have_no_barrier_and_no_region(monkeypatch, threads, came):
    monkeypatch.setattr(limits_of, "run", lambda *_: came)
    for name in ("measure_flops", "measure_bandwidth"):
        monkeypatch.setattr(limits_of, name, lambda *_: 1.0)
    limits = limits_of.measure_limits(threads)
    assert np.isnan([limits["meeting_seconds"], limits["region_seconds"]]).all()


def test_a_barrier_is_that_of_all_threads_or_none(monkeypatch):
    came = iter([1, 2, 2, 1])
    assert limits_of.measure_barrier(2) > 0 or np.isnan(limits_of.measure_barrier(2))
    monkeypatch.setattr(limits_of, "ROUNDS", 2)
    monkeypatch.setattr(limits_of, "run", lambda *_: next(came))
    times = iter([0.0, 5.0, 10.0, 12.0])
    monkeypatch.setattr(limits_of, "perf_counter", lambda: next(times))
    assert limits_of.measure_barrier(2) == 2.0 / limits_of.BARRIER_COUNT
    times = iter([0.0, 5.0, 10.0, 12.0])
    assert np.isnan(limits_of.measure_barrier(3))


def test_limits_count_what_all_threads_do(monkeypatch):
    calls = []

    def two_seconds(call, threads):
        call()
        calls.append(threads)
        return 2.0

    monkeypatch.setattr(limits_of, "time_together", two_seconds)
    prepare(np.dtype(np.float32))
    assert limits_of.measure_flops(3) == 3 * limits_of.PEAK_WORK / 2
    # 64 MiB of a and b once: two reads and a write of four bytes for eight bytes of both
    assert limits_of.measure_bandwidth(1 << 20, 2) == 2 * 64 * (12 / 8) * (1 << 20) / 2
    assert calls == [3, 2]
