"""`fastmlp bench scaling`: its teams, their processes, and what it shows of them."""

import json
import re

import pytest

from fastmlp.bench import child, epochs, scaling
from fastmlp.bench.scaling import measure_scaling, summarise_teams, team_sizes
from fastmlp.errors import ArgumentError
from fastmlp.kernels.launch import available_threads


@pytest.fixture
def six(monkeypatch):
    """A machine of six cores."""
    monkeypatch.setattr("fastmlp.bench.limits.available_threads", lambda: 6)
    for module in (scaling, epochs):
        monkeypatch.setattr(module, "affinity", lambda: [1, 3, 5, 7, 9, 11])


def run(threads, number, seconds, **other):
    name = f"{threads} threads"
    facts = {"implementation": name, "threads": threads, "round": number}
    return facts | {"epoch_seconds": [seconds]} | other


def test_teams_are_powers_of_two_and_the_largest():
    assert [team_sizes(threads) for threads in (1, 2, 3, 4, 6)] == [
        [1],
        [1, 2],
        [1, 2, 3],
        [1, 2, 4],
        [1, 2, 4, 6],
    ]


def test_speed_up_and_efficiency_compare_processes_of_one_round():
    runs = [run(1, 0, 1.0), run(2, 0, 0.5, barrier_seconds=[1e-7]), run(4, 0, 0.5)]
    runs += [run(1, 1, 3.0), run(2, 1, 2.0, barrier_seconds=[2e-7])]
    runs += [{"implementation": "8 threads", "threads": 8, "round": 0, "failure": "no memory"}]
    one, two, four, eight = summarise_teams({"runs": runs})
    assert (one.speed_up, one.efficiency, one.barriers) == (1, 1, ())
    assert (two.seconds, two.speed_up, two.efficiency) == (1.25, 1.75, 0.875)
    assert two.barriers == (1e-7, 2e-7)
    assert (four.speed_up, four.efficiency) == (2, 0.5)
    assert eight.failure == "no memory"


@pytest.mark.usefixtures("six")
def test_each_team_has_its_processes_its_cores_and_a_fixed_size(fake, monkeypatch):
    monkeypatch.delenv("FASTMLP_FIXED_TEAM", raising=False)
    arguments = ["scaling", fake.names[0], *fake.data, "--rounds", "2", "--epochs", "1"]
    said = fake.run(*arguments, "--save", fake.saved).output
    tasks = fake.done()
    assert [task["threads"] for task in tasks] == [1, 2, 4, 6] * 2
    assert [task["cores"] for task in tasks[:3]] == [[1], [1, 3], [1, 3, 5, 7]]
    for task in tasks:
        assert task["implementation"] == "fastmlp"
        assert task["environment"]["FASTMLP_FIXED_TEAM"] == "1"
        assert task["environment"]["OMP_NUM_THREADS"] == str(task["threads"])
    assert "16-4-3/8: 1: 0.100 s an epoch, 2: 1.41 x as fast, 4: 2.00 x as fast" in said
    assert re.search(r"\n4 +0\.0500 +2\.00 +50% +0\.10", said)
    document = fake.document()
    assert document["kind"] == "scaling"
    assert document["complete"]
    fake.behave()
    shown = json.loads(fake.run(*arguments, "--save", fake.saved, "--resume", "--json").stdout)
    assert not fake.done()
    assert shown["workloads"] == document["workloads"]
    fake.run(fake.names[0], *fake.data, "--rounds", "1", "--against", "")
    assert all("FASTMLP_FIXED_TEAM" not in task["environment"] for task in fake.done())


@pytest.mark.usefixtures("six")
def test_a_team_that_fails_is_named(fake):
    fake.behave(fastmlp="fail")
    said = fake.run("scaling", fake.names[0], *fake.data, "--threads", "2", status=1).output
    assert "16-4-3/8: 1: failed, 2: failed" in said
    assert "16-4-3/8: 2 threads failed: fastmlp is out of order" in said


@pytest.mark.usefixtures("six")
def test_more_threads_than_cores_are_refused():
    with pytest.raises(ArgumentError, match="threads must be at most 6, the usable cores; got 7"):
        measure_scaling([], threads=7)


def test_a_fixed_team_has_the_size_of_the_task(monkeypatch):
    monkeypatch.setenv("FASTMLP_FIXED_TEAM", "1")
    threads = available_threads()
    task = {"implementation": "fastmlp", "workload": "16-3/8/dense", "threads": threads}
    task |= {"seed": 0, "dataset": "", "folder": None, "fixed_team": True}
    peer, _, _ = child.make_peer(task)
    assert peer.engine.team.next(1)[0] == threads
