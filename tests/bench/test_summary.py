"""Medians, pairs, shares and doubts, on invented runs with known results."""

import numpy as np
import pytest

from fastmlp.bench.compare import compare, conditions
from fastmlp.bench.summary import doubts, summarise, to_target
from fastmlp.errors import ArgumentError


def run(name, number, seconds, accuracy=0.9, **other):
    return {
        "implementation": name,
        "round": number,
        "epoch_seconds": [seconds * 2, seconds, seconds / 2],
        "first_epoch_seconds": 1.0,
        "setup_seconds": 2.0,
        "accuracy": accuracy,
        "peak_bytes": 1000,
    } | other


def workload(*runs):
    return {
        "name": "4-2/1",
        "samples": 100,
        "flops_per_sample": 40.0,
        "executed_flops_per_sample": 10.0,
        "runs": list(runs),
    }


def document(*workloads, load=0.0):
    environment = {"affinity": [0, 1], "load_average": load}
    return {"kind": "epochs", "environment": environment, "workloads": list(workloads)}


def test_medians_ratios_by_pair_and_shares_of_the_peak():
    runs = [run("fastmlp", 0, 1.0), run("numpy", 0, 4.0)]
    runs += [run("fastmlp", 1, 2.0), run("numpy", 1, 4.0), run("fastmlp", 2, 4.0)]
    own, numpy = summarise(workload(*runs), peak_flops=8000.0)
    assert (own.seconds, own.low, own.high) == (2.0, 1.0, 4.0)
    assert (numpy.ratio, numpy.ratio_low, numpy.ratio_high) == (3.0, 2.0, 4.0)
    assert own.samples_per_second == 50
    assert own.peak_share == pytest.approx(40 * 50 / 8000)
    assert own.nonzero_share == pytest.approx(10 * 50 / 8000)
    assert numpy.nonzero_share == numpy.peak_share
    (row,) = summarise(workload(run("cpp", 0, 1.0)), 8000.0)
    assert np.isnan(row.nonzero_share)


def test_what_learnt_something_else_is_not_comparable():
    runs = [run("fastmlp", 0, 1.0, 0.90), run("numpy", 0, 1.0, 0.91), run("jax", 0, 1.0, 0.89)]
    rows = {row.name: row for row in summarise(workload(*runs), 1.0)}
    assert rows["fastmlp"].comparable
    assert not rows["jax"].comparable


@pytest.mark.parametrize("yardstick", ["numpy", "lean"])
def test_a_doubt_names_whom_an_accuracy_is_compared_with(yardstick):
    failed = {"implementation": "fastmlp", "round": 0, "failure": "no memory"}
    runs = [run(yardstick, 0, 1.0, 0.91), run("jax", 0, 1.0, 0.89)]
    (said,) = doubts(document(workload(*runs)))
    assert "jax is not comparable" in said
    assert said.endswith(f"from that of {yardstick}")
    assert said in doubts(document(workload(failed, *runs)))


def test_a_failure_is_a_row_of_its_own():
    failed = {"implementation": "torch", "round": 0, "failure": "took more than 5 s"}
    rows = summarise(workload(run("fastmlp", 0, 1.0), failed), 1.0)
    assert rows[1].failure == "took more than 5 s"
    assert np.isnan(rows[1].seconds)


def test_a_busy_machine_is_told():
    steady = workload(run("fastmlp", 0, 1.0), run("fastmlp", 1, 1.1))
    assert doubts(document(steady)) == []
    assert "a load of 1.50 on 2 cores" in doubts(document(steady, load=1.5))[0]
    shaken = workload(run("numpy", 0, 1.0), run("numpy", 1, 1.5))
    assert "processes of numpy took 1 to 1.5 s" in doubts(document(shaken))[0]


def test_without_affinity_a_load_is_compared_with_all_cores():
    for load, count in ((1.0, 0), (9.0, 1)):
        busy = document(load=load)
        busy["environment"] |= {"affinity": [], "machine": {"cores": 8}}
        assert sum("on 8 cores" in line for line in doubts(busy)) == count == len(doubts(busy))


def test_only_changes_larger_than_the_noise_are_real():
    first = document(workload(run("numpy", 0, 1.0) | {"epoch_seconds": [1.0, 1.1, 0.9]}))
    near = document(workload(run("numpy", 0, 1.0) | {"epoch_seconds": [1.1, 1.1, 1.2]}))
    far = document(workload(run("numpy", 0, 1.0) | {"epoch_seconds": [1.5, 1.6, 1.55]}))
    assert not compare(first, near)[0].is_real
    slower = compare(first, far)[0]
    assert slower.is_real
    assert slower.change == pytest.approx(0.55)


def test_runs_of_two_kinds_are_not_compared():
    with pytest.raises(ArgumentError, match="same kind; got epochs and kernels"):
        compare(document(), {"kind": "kernels"})


@pytest.mark.parametrize("name", ["dataset", "target"])
def test_runs_of_other_work_are_not_compared(name):
    one, other = ({"settings": {name: value}} for value in (0.9, 0.98))
    with pytest.raises(ArgumentError, match=f"must have the same {name}; got 0.9 and 0.98"):
        compare(document() | one, document() | other)


@pytest.mark.parametrize("fact", ["samples", "crc32"])
def test_runs_on_other_data_are_not_compared(fact):
    works = [workload(run("numpy", 0, 1.0)) | {fact: number} for number in (5, 6)]
    data = [{"settings": {"data": {"name": "4-2/1", fact: number}}} for number in (5, 6)]
    for pair in (map(document, works), (document() | each for each in data)):
        with pytest.raises(ArgumentError, match=f"must have the same {fact} of 4-2/1; got 5 and 6"):
            compare(*pair)


def test_a_comparison_tells_what_else_differs():
    def run(threads, **facts):
        return {"settings": {"threads": threads}, "environment": facts}

    one = run(2, machine={"processor": "Abacus"}, versions={"numpy": "1", "numba": "1"})
    assert conditions(one, one | {"complete": True}) == []
    (line,) = conditions(one, run(1, machine={"processor": "Z80"}, versions={}))
    for said in ("threads 2 and 1", 'machine.processor "Abacus" and "Z80"', "; and 1 more"):
        assert said in line


def test_a_comparison_and_a_summary_have_the_same_medians():
    seconds = [[1.0, 1.0, 9.0], [3.0, 3.0, 9.0], [4.0, 9.0, 9.0]]
    runs = [
        run("numpy", number, 1.0, epoch_seconds=epochs) for number, epochs in enumerate(seconds)
    ]
    (row,) = summarise(workload(*runs), 1.0)
    (found,) = compare(*2 * [document(workload(*runs))])
    assert found.first == found.second == row.seconds == 3
    assert found.noise == 8 / 4


def test_runs_that_miss_their_target_are_not_compared():
    run = {"implementation": "fastmlp", "epoch_seconds": [1.0], "reached": False}
    document = {"kind": "accuracy", "runs": [run]}
    with pytest.raises(ArgumentError, match="something in common; got nothing"):
        compare(document, document)


def test_time_to_a_target_is_paired_by_seed():
    runs = [
        {"implementation": name, "seed": seed, "epoch_seconds": [seconds, seconds]}
        | {"accuracy": 0.98, "reached": seconds < 9, "process_seconds": 20.0}
        for name, seed, seconds in (
            ("fastmlp", 0, 1),
            ("jax", 0, 3),
            ("fastmlp", 1, 2),
            ("jax", 1, 9),
        )
    ]
    own, jax = to_target({"runs": runs})
    assert own["training"] == [2, 4]
    assert (jax["ratio"], jax["reached"], jax["seeds"]) == (3.0, 1, 2)
    assert (jax["training"], jax["process"]) == ([6], [20])
