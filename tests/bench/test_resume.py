"""--resume measures what a saved run lacks, and refuses the run of another bench."""

import json

import numpy as np
import pytest

from fastmlp.bench.record import check_same
from fastmlp.errors import ArgumentError


@pytest.fixture
def half(fake):
    """The file of a run in which NumPy failed, and its text."""
    fake.behave(numpy="fail")
    fake.run(*fake.epochs("--save", fake.saved), status=1)
    fake.behave()
    return fake.saved.read_text()


def test_what_failed_is_measured_again_and_nothing_else(fake, half):
    fake.run(*fake.epochs("--save", fake.saved, "--resume", "--limit", "500"))
    turns = [(task["workload"], task["implementation"]) for task in fake.done()]
    assert turns == [(name, "numpy") for name in fake.names for _ in (0, 1)]
    document = fake.document()
    assert [len(each["runs"]) for each in document["workloads"]] == [4, 4]
    assert not any("failure" in run for each in document["workloads"] for run in each["runs"])
    assert document["settings"]["limit_seconds"] == 500


def test_a_file_that_is_not_there_yet_begins_anew(fake):
    fake.run(*fake.epochs("--save", fake.saved, "--resume"))
    assert len(fake.done()) == 8
    assert "resumed" not in fake.document()["environment"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (["--rounds", "3"], "settings.rounds 2 there and 3 here"),
        (["--epochs", "2"], "settings.epochs 1 there and 2 here"),
        (["--threads", "1"], "settings.threads"),
        (["--against", "numpy,missing"], "settings.absent"),
        (["--against", ""], "settings.implementations"),
        (["16-6-3/8"], "settings.workloads.16-6-3/8 missing there"),
        (["--dataset", "other.npz"], "settings.dataset"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_settings_are_refused_and_the_difference_is_named(
    fake, half, change, named, monkeypatch
):
    document = json.loads(half)
    document["settings"]["threads"] = 2
    monkeypatch.setattr("fastmlp.bench.limits.available_threads", lambda: 2)
    monkeypatch.setattr("fastmlp.bench.epochs.affinity", lambda: document["settings"]["cores"])
    fake.saved.write_text(json.dumps(document))
    (fake.folder / "other.npz").write_bytes((fake.folder / "some.npz").read_bytes())
    arguments = fake.epochs("--save", fake.saved, "--resume", *change)
    said = fake.run(*arguments, status=1).output
    assert "resume must continue a run of the same bench" in said
    assert named in said
    assert "--save another file" in said
    assert not fake.done()
    assert json.loads(fake.saved.read_text()) == document


def test_another_machine_and_other_versions_are_refused(half):
    document = json.loads(half)
    check_same(document, json.loads(half))
    for path in ("machine.processor", "versions.numpy", "machine.vector_bits", "commit", "blas"):
        first, _, rest = path.partition(".")
        other = json.loads(half)
        place = other["environment"][first] if rest else other["environment"]
        place[rest or first] = "another"
        with pytest.raises(ArgumentError, match=f'{path} "another" there and .* here'):
            check_same(other, document)


def test_the_same_name_for_other_data_is_refused(fake, half):
    arrays = dict(np.load(fake.folder / "some.npz"))
    arrays["y_test"][0] ^= 1
    np.savez(fake.folder / "some.npz", **arrays)
    said = fake.run(*fake.epochs("--save", fake.saved, "--resume"), status=1).output
    assert "settings.workloads.16-4-3/8.crc32" in said


@pytest.mark.parametrize(
    "text", ["", "nonsense", "[]", '{"kind": "epochs"}', '{"kind": "x", "environment": {}}', "\x00"]
)
def test_what_is_no_run_of_this_bench_is_refused(fake, text):
    fake.saved.write_text(text)
    said = fake.run(*fake.epochs("--save", fake.saved, "--resume"), status=1).output
    assert "Error: " in said
    assert not fake.done()
    assert fake.saved.read_text() == text


def test_without_a_file_to_go_on_from_it_is_refused(fake):
    for command in ([], ["kernels"], ["accuracy"]):
        assert "--resume needs --save" in fake.run(*command, "--resume", status=2).output


def test_the_grid_of_kernels_goes_on(fake):
    arguments = ["kernels", "--save", fake.saved, "--threads", "1"]
    fake.behave(numpy="fail")
    fake.run(*arguments, status=1)
    assert [each["side"] for each in fake.document()["passes"]] == ["fastmlp", "numpy"] * 2
    assert not fake.document()["rows"]
    fake.behave()
    said = fake.run(*arguments, "--resume").output
    assert [task["side"] for task in fake.done()] == ["numpy", "numpy"]
    assert "numpy, round 2: took" in said
    document = fake.document()
    assert document["complete"]
    assert {row["ratio"] for row in document["rows"]} == {4.0}
    assert [len(document["rows"][0][f"{side}_samples"]) for side in ("fastmlp", "numpy")] == [2, 2]


def test_the_seeds_of_an_accuracy_go_on(fake, monkeypatch):
    monkeypatch.setattr("fastmlp.bench.accuracy.RECIPE", {"workload": "16-4-3/8", "epochs": 2})
    arguments = ["accuracy", *fake.data, "--seeds", "2", "--against", "numpy"]
    arguments += ["--save", fake.saved]
    fake.behave(numpy="fail")
    said = fake.run(*arguments, status=1).output
    assert "numpy, seed 1: failed" in said
    assert "numpy, seed 1, failed: numpy is out of order" in said
    fake.behave()
    said = fake.run(*arguments, "--resume").output
    assert "numpy, seed 0: 99.00 % after 0.800 s of training" in said
    assert [(task["implementation"], task["seed"]) for task in fake.done()] == [
        ("numpy", 0),
        ("numpy", 1),
    ]
    order = [(run["seed"], run["implementation"]) for run in fake.document()["runs"]]
    assert order == [(seed, name) for seed in (0, 1) for name in ("fastmlp", "numpy")]
