"""Benchmark documents as tables, pages, charts, and the README's results."""

import json
import re

import pytest
from click.testing import CliRunner

from fastmlp.bench.compare import compare
from fastmlp.bench.peers import TITLES
from fastmlp.bench.summary import doubts, summarise, to_target
from fastmlp.cli import main
from fastmlp.errors import ArgumentError
from fastmlp.report import barriers_tables, bench, page, readme
from fastmlp.report.charts import epochs_chart, roofline_chart, to_png, to_svg
from fastmlp.report.page import plain

LIMITS = {
    "threads": 2,
    "peak_flops": {"one": 1e11, "all": 2e11},
    "bytes_per_second": {"L1": {"one": 2e11, "all": 4e11}, "memory": {"one": 2e10, "all": 3e10}},
    "meeting_seconds": 2e-7,
    "region_seconds": 3e-5,
}
ENVIRONMENT = {
    "time": "2026-01-02T03:04:05Z",
    "machine": {"processor": "Abacus <9>", "vector_bits": 512},
    "affinity": [0, 1],
    "load_average": 0.1,
    "versions": {"numpy": "2.0", "python": "3.12", "torch": "2.9"},
}


def run(name, number, seconds, **other):
    measured = {"epoch_seconds": [seconds], "first_epoch_seconds": 1.0, "setup_seconds": 2.0}
    return {"implementation": name, "round": number, "accuracy": 0.96, "peak_bytes": 2**28} | (
        measured | other
    )


@pytest.fixture
def epochs():
    runs = [run("fastmlp", 0, 0.06), run("numpy", 0, 0.3), run("torch", 0, 0.5, accuracy=0.9)]
    runs += [{"implementation": "sklearn", "round": 0, "failure": "took more than 9 s"}]
    workload = {"name": "784-128-10/64", "samples": 60_000, "runs": runs}
    workload |= {"flops_per_sample": 4e5, "executed_flops_per_sample": 1e5}
    settings = {"rounds": 1, "epochs": 1, "threads": 2}
    document = {"kind": "epochs", "environment": ENVIRONMENT, "limits": LIMITS}
    return document | {"settings": settings, "absent": ["jax"], "workloads": [workload]}


@pytest.fixture
def kernels():
    rows = [
        {"kernel": kernel, "batch": 8, "inputs": 16, "outputs": 32, "flops": 8192.0}
        | {"bytes": 4000.0, "fastmlp_error": 1.5, "numpy_error": 1.0, "ratio": ratio}
        | {"fastmlp_seconds": 1e-6, "numpy_seconds": 1e-6 * ratio}
        for kernel, ratio in (("forward", 4.0), ("delta", 0.5), ("update", 2.0))
    ]
    return {"kind": "kernels", "environment": ENVIRONMENT, "limits": LIMITS, "rows": rows}


def rows_of(document):
    return [(each["name"], summarise(each, 2e11)) for each in document["workloads"]]


def test_a_workloads_tables_name_all_and_fit_80_columns(epochs):
    text = "\n".join(plain(t) for t in bench.epochs_tables("w", rows_of(epochs)[0][1]))
    assert max(map(len, text.splitlines())) <= 80
    assert re.search(r"numpy +0\.300 .*5\.00 ", text)
    assert "sklearn failed: took more than 9 s" in " ".join(doubts(epochs))
    assert "90.00 % !" in text
    assert "torch is not comparable" in " ".join(doubts(epochs))


def test_memory_that_is_not_known_is_left_out(epochs):
    for one in epochs["workloads"][0]["runs"]:
        one["peak_bytes"] = None  # what JSON has for NaN
    text = plain(bench.epochs_tables("w", rows_of(epochs)[0][1])[1])
    assert "MiB" in text
    assert "nan" not in text


def test_barriers_stand_beside_the_times_and_near_rounds_apart_from_far_ones(epochs):
    workload = epochs["workloads"][0]
    runs = []
    for number, (barrier, own) in enumerate([(5e-8, 0.06), (6e-8, 0.05), (1.8e-7, 0.1)]):
        runs.append(run("fastmlp", number, own, barrier_seconds=[barrier, 1.1 * barrier]))
        runs.append(run("numpy", number, 0.3, barrier_seconds=[]))
    workload["runs"] = runs[:4]
    times = plain(bench.epochs_tables("w", rows_of(epochs)[0][1])[0])
    assert times.startswith("w, barrier 0.05 to 0.07 us")
    assert not barriers_tables(workload)
    workload["runs"] = [*runs, run("numpy", 3, 9.0)]  # fastmlp failed in that round
    (text,) = map(plain, barriers_tables(workload))
    assert "barrier changed, 0.05 to 0.20 us: 2 near (below 0.12 us), 1 far" in text
    assert re.search(r"numpy +0\.300 +5\.50 +0\.300 +3\.00", text)
    workload["runs"] = [*runs[4:], run("fastmlp", 3, 0.2, barrier_seconds=[4e-7])]
    (text,) = map(plain, barriers_tables(workload))
    assert "barrier changed, 0.18 to 0.40 us: 2 far" in text
    assert "near" not in text
    line = bench.epochs_line("w", rows_of(epochs)[0][1])
    assert line == "w: fastmlp 0.150 s an epoch, numpy 3.00 x, barrier 0.18 to 0.40 us"


def test_the_kernels_tables_tell_where_numpy_wins(kernels):
    means, wins = (plain(t) for t in bench.kernels_tables(kernels))
    assert re.search(r"all +1\.59", means)
    assert re.search(r"delta +8 +16 +32", wins)
    assert "forward" not in wins
    assert "forward" in plain(bench.kernels_tables(kernels, every=True)[1])


def test_the_limits_are_told():
    text = plain(bench.limits_table(LIMITS))
    assert re.search(r"multiply-adds +100 GFLOP/s +200 GFLOP/s", text)
    assert "0.20 us" in text
    assert "30 us" in text


@pytest.mark.parametrize("value", [float("nan"), None, 0.0])
def test_no_barrier_is_shown_where_none_was_measured(value):
    lacks = LIMITS | {"threads": 1, "meeting_seconds": value, "region_seconds": value}
    text = plain(bench.limits_table(lacks))
    assert " us" not in text
    assert "1 thread\n" in text


def test_the_page_stands_alone(epochs, kernels):
    tables = bench.epochs_tables("w", rows_of(epochs)[0][1])
    text = page(epochs, tables, ["a <doubt>"], rows_of(epochs))
    assert text.count("<svg") == 1
    assert "Abacus &lt;9&gt;" in text
    assert "a &lt;doubt&gt;" in text
    assert "not installed, so not measured: jax" in text
    loads = re.findall(r'(?:src|href)="(?!#)([^"]*)"|url\((?!#)', text)
    assert not loads
    assert "<svg" in page(kernels, bench.kernels_tables(kernels))


def test_charts_are_drawn(epochs, kernels):
    drawn = to_svg(epochs_chart(*rows_of(epochs)[0]))
    assert drawn.startswith("<svg")
    assert "5.0 x as long" in drawn
    epochs["workloads"][0]["runs"][0]["failure"] = "no memory"
    assert "as long" not in to_svg(epochs_chart(*rows_of(epochs)[0]))
    assert to_png(roofline_chart(kernels))[:4] == b"\x89PNG"


def test_the_readmes_table_stands_between_its_markers(epochs):
    runs = [
        {"implementation": name, "seed": 0, "epoch_seconds": [seconds], "accuracy": 0.98}
        | {"reached": True, "process_seconds": 2.0}
        for name, seconds in (("fastmlp", 0.4), ("torch", 4.0))
    ]
    epochs["workloads"][0]["runs"][0]["barrier_seconds"] = [7e-8, 8e-8]
    accuracy = {"settings": {"target": 0.98}, "runs": runs}
    table = readme.results_table(epochs, rows_of(epochs), accuracy, to_target(accuracy))
    assert "| 784-128-10, batch 64 | **0.0600 s** | 5.00 x (5.00 to 5.00)" in table
    assert "8.33 x (8.33 to 8.33), not comparable" in table
    assert "over 9 s" in table
    assert "over 9 s |" in table
    assert "dense random numbers. " in table
    full = [("4-3/100/full", rows_of(epochs)[0][1])]
    table = readme.results_table(epochs, full, accuracy, to_target(accuracy))
    assert "dense random numbers; of full data, those of a minibatch. " in table
    assert "| 0.07 to 0.08 |" in table
    cells = table.partition("| **0.400 s** |")[2].split("|")[: len(TITLES)]
    assert {name: cell.strip() for name, cell in zip(TITLES, cells, strict=True)} == {
        name: "10.0 x" if name == "torch" else "" for name in TITLES
    }
    epochs["workloads"][0]["name"] = "28-300-300-300-1/100/dense/tanh/binary/momentum"
    table = readme.results_table(epochs, rows_of(epochs), accuracy, to_target(accuracy))
    assert "| 28-3x300-1, batch 100, dense, tanh, binary, momentum | **0.0600 s**" in table
    text = readme.with_results(f"a\n{readme.BEGIN}old\n{readme.END}b\n", table)
    assert text == f"a\n{readme.BEGIN}{table}{readme.END}b\n"
    with pytest.raises(ArgumentError, match="readme must contain the lines"):
        readme.with_results("nothing", table)


def test_what_never_reached_its_target_has_no_time(epochs):
    runs = [
        {"implementation": name, "seed": seed, "epoch_seconds": [seed + 1.0], "accuracy": 0.98}
        | {"reached": name == "fastmlp" and seed == 0, "process_seconds": 2.0}
        for name in ("fastmlp", "torch")
        for seed in (0, 1)
    ]
    accuracy = {"settings": {"target": 0.9996}, "runs": runs}
    text = plain(bench.accuracy_table(accuracy, to_target(accuracy)))
    assert text.startswith("to 99.96 % test accuracy")
    assert re.search(r"fastmlp +1 of 2 +98.00 % +1.00 +1.00 +2.00\n", text)
    assert re.search(r"torch +0 of 2 +98.00 %$", text)
    table = readme.results_table(epochs, rows_of(epochs), accuracy, to_target(accuracy))
    row = next(line for line in table.splitlines() if "mean of 1 of 2 seeds" in line)
    assert row.startswith("| 99.96% test accuracy")
    assert (row.count("**1.00 s**"), row.count(" x ")) == (1, 0)
    runs[0]["reached"] = False
    assert "mean of 0 of 2 seeds |  |" in readme.results_table(
        epochs, rows_of(epochs), accuracy, to_target(accuracy)
    )


def test_two_saved_runs_are_compared_on_the_command_line(epochs, tmp_path):
    paths = [tmp_path / name for name in ("first.json", "second.json")]
    for workload in epochs["workloads"]:
        for run in workload["runs"]:
            run["epoch_seconds"] = 2 * run.get("epoch_seconds", [])
    paths[0].write_text(json.dumps(epochs))
    epochs["workloads"][0]["runs"][0]["epoch_seconds"] = [0.12, 0.12]
    paths[1].write_text(json.dumps(epochs))
    done = CliRunner().invoke(main, ["bench", "compare", *map(str, paths)])
    assert done.exit_code == 0, done.output
    assert re.search(r"784-128-10/64 fastmlp +0\.0600 +0\.120 +\+100\.0% .*slower", done.output)
    assert "within the noise" in done.output
    assert "differ" not in done.output
    paths[1].write_text(json.dumps(epochs | {"settings": {"threads": 1}}))
    done = CliRunner().invoke(main, ["bench", "compare", *map(str, paths)])
    assert "the runs differ not only in their times: threads 2 and 1" in done.output
    for workload in epochs["workloads"]:
        for run in workload["runs"]:
            run["epoch_seconds"] = run.get("epoch_seconds", [])[:1]
    paths[1].write_text(json.dumps(epochs))
    done = CliRunner().invoke(main, ["bench", "compare", *map(str, paths)])
    assert "unknown" in done.output
    assert "slower" not in done.output
    for workload in epochs["workloads"]:
        workload["name"] = "784-5-10/64"
    paths[1].write_text(json.dumps(epochs))
    done = CliRunner().invoke(main, ["bench", "compare", *map(str, paths)])
    assert (done.exit_code, "something in common" in done.output) == (1, True)
    paths[1].write_text("{}")
    done = CliRunner().invoke(main, ["bench", "compare", *map(str, paths)])
    assert done.exit_code == 1
    assert "is not a run that fastmlp bench saved" in done.output


def test_differences_of_the_same_run_are_noise(kernels):
    for row in kernels["rows"]:
        row |= {"fastmlp_samples": [1e-6, 1.1e-6], "numpy_samples": [2e-6]}
    assert not [one for one in compare(kernels, kernels) if one.is_real]
