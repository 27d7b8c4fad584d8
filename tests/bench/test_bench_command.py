"""`fastmlp bench`: its exit status, what it checks before it measures, and what it removes."""

import json
import os
import re
import sys

import pytest

from fastmlp.bench import environment, processes
from fastmlp.bench.processes import KERNEL_VARIABLES
from fastmlp.bench.workload import WORDS

VARIABLES = [name for names in KERNEL_VARIABLES.values() for name in names]


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("fail", "numpy failed: numpy is out of order"),
        ("killed", "numpy failed: ended by SIGKILL; not enough memory, perhaps"),
        ("garbage", "numpy failed: printed no result"),
        ("silent", "numpy failed: printed no result"),
    ],
)
def test_a_comparison_that_failed_is_named_and_is_exit_status_1(fake, how, why):
    fake.behave(numpy=how)
    arguments = fake.epochs("--save", fake.saved)
    said = fake.run(*arguments, status=1).output
    assert said.count(why) == 2  # once for each workload
    assert "16-4-3/8: fastmlp 0.100 s an epoch, numpy failed" in said
    assert fake.document()["complete"]
    document = json.loads(fake.run(*arguments, "--json", status=1).stdout)
    assert sum(why in doubt for doubt in document["doubts"]) == 2


def test_fastmlp_itself_and_what_takes_too_long_are_failures_too(fake):
    fake.behave(fastmlp="fail")
    assert "fastmlp failed" in fake.run(*fake.epochs(), status=1).output
    fake.behave(numpy="hang")
    said = fake.run(*fake.epochs("--limit", "0.7"), status=1).output
    assert "numpy failed: took more than 0.7 s" in said


def test_what_is_named_and_not_installed_is_a_failure_and_what_is_not_named_is_none(
    fake, monkeypatch
):
    from fastmlp.cli import bench_commands

    said = fake.run(*fake.epochs("--against", "numpy,missing"), status=1).output
    assert "not installed, so not measured: missing" in said
    monkeypatch.setattr(bench_commands, "PEERS", ("numpy", "missing"))
    arguments = [*fake.names, *fake.data, "--rounds", "1"]
    assert "not installed, so not measured: missing" in fake.run(*arguments).output


def test_what_a_peer_cannot_train_is_named_with_the_reason_and_is_no_failure(fake):
    names, short = ["16-4-3/8/adam", "16-4-3/8/gelu"], ("--rounds", "1", "--against", "numpy,lean")
    out = fake.run(*names, *fake.data, *short, "--save", fake.saved).output
    assert "16-4-3/8/gelu: lean is absent: it is not written for gelu" in out
    assert "16-4-3/8/gelu: fastmlp 0.100 s an epoch, numpy 4.00 x" in out
    assert [work["absent"] for work in fake.document()["workloads"]] == [
        {},
        {"lean": "it is not written for gelu"},
    ]
    ran = [(task["workload"], task["implementation"]) for task in fake.done()]
    assert ran == [(names[0], peer) for peer in ("fastmlp", "numpy", "lean")] + [
        (names[1], peer) for peer in ("fastmlp", "numpy")
    ]


def test_a_regression_is_compared_by_r2(fake):
    out = fake.run("4-3-2/8/dense/regression", "--rounds", "1", "--against", "numpy").output
    assert re.search(r"low to high +R2\n", out)
    assert "accuracy" not in out


def test_the_help_lists_the_words_of_workloads(fake):
    said = " ".join(fake.run("epochs", "--help").output.split())
    assert all(word in said for words in WORDS.values() for word in words)


def test_quick_measures_what_is_named_with_it(fake):
    fake.run(*fake.names, *fake.data, "--quick", "--rounds", "1", "--against", "")
    assert [task["implementation"] for task in fake.done()] == ["fastmlp"] * 2
    fake.behave()
    fake.run(fake.names[0], *fake.data, "--quick")
    assert [task["epochs"] for task in fake.done()] == [2] * 4


@pytest.mark.parametrize("command", ["epochs", "kernels", "accuracy", "scaling"])
def test_the_exit_status_is_in_the_help(fake, command):
    said = " ".join(fake.run(command, "--help").output.split())
    assert "0 if every comparison" in " ".join(fake.run("--help").output.split())
    assert "Exit status: 0 if every comparison" in said
    assert "130 after Ctrl-C and 143 after SIGTERM" in said


@pytest.mark.parametrize("option", ["--save", "--html", "--roofline"])
def test_places_are_checked_before_anything_is_measured(fake, option, monkeypatch):
    command = ["kernels"] if option == "--roofline" else fake.epochs()
    os.mkfifo("pipe")
    for place in ("none/run", ".", "some.npz/run", "pipe", "/dev/null"):
        said = fake.run(*command, option, place, status=1).output
        assert f"{option[2:]} must be a file that can be written; got {place}: " in said
        assert f"Name another file with {option}." in said.replace("\n", " ")
    if option != "--save":
        monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
        said = fake.run(*command, option, "some", status=1).output
        assert "fastmlp[plot]" in said
        same = fake.run(*command, option, "some", "--save", "./some", status=1).output
        assert "must name different files" in same
    assert not fake.done()


def test_every_workload_is_checked_before_the_first_is_measured(fake):
    said = fake.run(*fake.epochs("15-4-3/8"), status=1).output
    assert "workload must have 16 inputs and 3 outputs" in said
    assert "two outputs or more" in fake.run("16-1/8", *fake.data, status=1).output
    assert not fake.done()


def test_variables_that_choose_kernels_reach_no_process_and_are_named(fake, monkeypatch):
    for name in VARIABLES:
        monkeypatch.setenv(name, "x1")
    for name in ("OMP_PROC_BIND", "FASTMLP_VECTOR_BYTES", "NUMBA_OPT"):
        monkeypatch.setenv(name, "2")
    out = fake.run(
        *fake.epochs("--save", fake.saved, "--html", "run.html", "--threads", "1")
    ).output
    tasks = [json.loads(line) for line in fake.log.read_text().splitlines()]
    assert len(tasks) == 8
    for task in tasks:
        assert not task["environment"].keys() & set(VARIABLES)
        assert task["environment"]["OMP_PROC_BIND"] == "2"
        assert task["environment"]["OMP_NUM_THREADS"] == "1"
    assert os.environ["OPENBLAS_CORETYPE"] == "x1"
    assert fake.document()["environment"]["removed_variables"] == dict.fromkeys(VARIABLES, "x1")
    page = (fake.folder / "run.html").read_text()
    for text in (out, page):
        assert (
            "not passed to the processes, because it selects kernels: OPENBLAS_CORETYPE=x1" in text
        )
        assert "NumPy multiplies with someblas 1.2, kernels for Abacus" in text
    said = fake.run(*fake.epochs("--save", fake.saved, "--resume", "--threads", "1")).output
    assert "OPENBLAS_CORETYPE" in said


def test_variables_that_old_programs_need_are_removed():
    old = {"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "MKL_DEBUG_CPU_TYPE", "ATEN_CPU_CAPABILITY"}
    old |= {"XLA_FLAGS", "DNNL_MAX_CPU_ISA", "ONEDNN_MAX_CPU_ISA", "TF_ENABLE_ONEDNN_OPTS"}
    assert old <= set(VARIABLES)


def test_the_kernels_of_blas_are_those_that_it_chooses_itself(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    plain = environment.environment()
    assert plain["removed_variables"] == {}
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Prescott")
    chosen = environment.environment()
    assert chosen["removed_variables"] == {"OPENBLAS_CORETYPE": "Prescott"}
    assert chosen["blas"] == plain["blas"]
    assert {"internal_api", "version", "architecture"} <= plain["blas"][0].keys()


def test_a_process_that_leaves_others_behind_with_its_pipes_is_ended(fake):
    fake.behave(numpy="hang")
    task = {"implementation": "numpy", "threads": 1, "cores": [], "epochs": 1}
    assert processes.run_in_process(task, 1.0) == {"failure": "took more than 1 s"}
