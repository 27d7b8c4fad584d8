"""Errors and warnings name options; the error of an unknown option names the nearest one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line import SMALL, document, error, run

import fastmlp
from fastmlp.cli import main
from fastmlp.cli.wording import as_options
from fastmlp.training import History

TRAIN = main.commands["train"].params

TEXTS = {
    ("learning_rate must be finite; got inf. Pass learning_rate=0.5.", "learning_rate"): (
        "--learning-rate must be finite; got inf. Pass --learning-rate 0.5."
    ),
    ("seed must be whole; got x. Pass seed >= 0.", "seed"): (
        "--seed must be whole; got x. Pass --seed >= 0."
    ),
    ("hidden must be one. Pass hidden='relu'.", "hidden"): (
        "--activation must be one. Pass --activation relu."
    ),
    ("x must be y. Pass resume=True, or checkpoint=. The seed and the cost stay.", "x"): (
        "x must be y. Pass --resume, or --checkpoint. The seed and the cost stay."
    ),
    ("split images must be finite; got NaN.", "split images"): (
        "The inputs of --dataset must be finite; got NaN."
    ),
    ("batch_size=9 is too high (find_learning_rate searches).", ""): (
        "--batch-size 9 is too high (fastmlp find-learning-rate searches)."
    ),
    ("Use --early-stopping, network.batch_size or the_seed=1.", ""): (
        "Use --early-stopping, network.batch_size or the_seed=1."
    ),
}


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_arguments_become_options(number: int) -> None:
    (text, argument), wanted = list(TEXTS.items())[number]
    assert as_options(text, TRAIN, argument) == wanted


@pytest.mark.parametrize(
    ("given", "near"),
    [
        ("--lr", "--learning-rate"),
        ("--n-epochs", "--epochs"),
        ("--optimiser", "--optimizer"),
        ("--batchsize", "--batch-size"),
        ("--validation-split", "--validation"),
        ("--random-state", "--seed"),
        ("--loss", "--cost"),
    ],
)
def test_an_unknown_option_is_told_the_near_one(given: str, near: str) -> None:
    assert error("train", given, "1", status=2).endswith(f"{given}. Did you mean {near}?")


def test_errors_name_options(data: Path) -> None:
    small = ("train", *SMALL, "--dataset", data)
    for options, said in (
        (("--learning-rate", "nan"), "--learning-rate must be a number"),
        (("--nesterov",), "--nesterov needs a momentum"),
        (("--every", "2"), "Pass --checkpoint."),
        (("--target", "95"), "--target must be at most 1"),
        (("--optimizer-setting", "a=1"), "--optimizer-setting must be settings of sgd"),
        (
            ("--optimizer", "adam", "--optimizer-setting", "learning_rate=1"),
            "must be settings of adam; got 'learning_rate'. It is an argument of its own.",
        ),
        (("--optimizer", "adam", "--momentum", "0.9"), "--momentum is no setting of adam"),
        (("--schedule", "step:2"), "--schedule needs settings such as factor=0.5 behind"),
        (
            ("--schedule", "plateau:patience=-1"),
            "--schedule needs other settings; got 'plateau:patience=-1'. patience must be a whole "
            "number of at least 1; got -1. Pass patience >= 1.",
        ),
        (("--data-folder", "nowhere"), "--data-folder is for"),
        (("--model", "run.csv", "--log", "run.csv"), "--log must not be the file of the model"),
    ):
        assert said in run(*small, *options, status=1).stderr, options
    for options, said in (
        (("bench", "--against", "foo"), "--against must be a known one"),
        (("verify", "--kernel", "foo"), "--kernel must be one that is checked"),
        (("bench", "784-10/8", "--threads", "9999"), "--threads must be at most"),
    ):
        assert said in run(*options, status=1).stderr, options
    for limit in ("nan", "0", "-5"):
        assert "Invalid value for '--limit'" in error("bench", "--limit", limit, status=2)


def test_a_run_that_learns_nothing_says_so_and_fails_with_strict(data: Path) -> None:
    small = ("train", *SMALL, "--dataset", data)
    low = ("--learning-rate", "1e-7")
    result = run(*small, *low)
    (line,) = result.stderr.splitlines()
    assert line.startswith("Warning: The network has not learnt: its training accuracy")
    assert "--learning-rate 1e-07 may be too low: fastmlp find-learning-rate searches" in line
    assert "model saved to" in result.stdout
    run(*small, *low, "--strict", status=3)
    run(*small, "--strict")
    (text,) = document(*small, *low)["history"]["warnings"]
    assert "learning_rate=1e-07" in text


@pytest.mark.filterwarnings("default")
def test_a_warning_is_one_line_without_code(data: Path) -> None:
    states = ("train", *SMALL, "--dataset", data, "--checkpoint", "states")
    run(*states)
    max(Path("states").iterdir()).write_bytes(b"nothing")
    result = run(*states, "--resume")
    lines = [line for line in result.stderr.splitlines() if "damaged" in line]
    assert [line.startswith("Warning: ") for line in lines] == [True]
    assert "history =" not in result.stderr


def test_targets_that_are_all_equal_are_named_as_they_are() -> None:
    rows = "".join(f"{n % 7},{n % 5},3.5\n" for n in range(60))
    Path("same.csv").write_text("a,b,y\n" + rows)
    numbers = ("--task", "regression", "--target-column", "y", "--backend", "numpy")
    said = run("train", "--dataset", "same.csv", "--epochs", "1", *numbers).stderr
    assert "All targets are equal, so there is nothing to learn" in said
    answers = run("predict", "same.safetensors", "same.csv", "--output", "-", "--backend", "numpy")
    assert np.abs(np.array(answers.stdout.split()[1:], float) - 3.5).max() < 2


def test_a_saved_model_is_trained_further(data: Path, model: Path) -> None:
    further = ("--epochs", "1", "--learning-rate", "0.01", "--backend", "numpy", "--dataset", data)
    found = document("train", "--from", model, "--model", "new.safetensors", *further)
    network = fastmlp.Network.load(model)
    settings = {"epochs": 1, "learning_rate": 0.01, "schedule": "linear", "backend": "numpy"}
    history = fastmlp.train(network, fastmlp.load_dataset(data), **settings)
    assert found["history"]["train_cost"] == history.train_cost
    for name, more in (("--sizes", "784,10"), ("--activation", "tanh"), ("--dtype", "float64")):
        said = error("train", "--from", model, *further, name, more, status=2)
        assert said.endswith(f"--from names a whole network: leave out {name}")


def test_a_rehearsal_saves_nothing(data: Path) -> None:
    small = ("train", *SMALL, "--dataset", data, "--checkpoint", "states", "--early-stopping", "2")
    lines = run(*small, "--validation", "0.1", "--rehearse").stdout.splitlines()
    assert "steps with mean cost" in lines[-2]
    assert "an epoch will take about" in lines[-1]
    assert not [*Path().glob("*.safetensors"), *Path().glob("states")]
    assert document(*small, "--validation", "0.1", "--rehearse")["steps"] > 10
    wrong = ("train", *SMALL, "--dataset", data, "--momentum", "2", "--rehearse")
    assert "--momentum must be" in run(*wrong, status=1).stderr


def test_a_resumed_run_can_have_more_epochs(data: Path) -> None:
    small = ("train", *SMALL, "--dataset", data, "--checkpoint", "states")
    run(*small, "--schedule", "constant", "--epochs", "2")
    more = ("--resume", "--epochs", "4")
    history = History(**document(*small, "--schedule", "constant", *more)["history"])
    assert (history.resumed_epoch, len(history)) == (2, 4)
    said = run(*small, "--schedule", "constant", "--resume", "--epochs", "3", status=1).stderr
    assert "--resume needs the same epochs as before, 4" in said
    assert "constant, halving or plateau" in said


def test_errors_of_settings_do_not_name_options_that_were_not_given(data: Path) -> None:
    small = ("train", *SMALL, "--dataset", data)
    for monitor, rule in (
        ("accuracy", "needs validation data, to compute 'accuracy', for example; got --validation"),
        ("r2", "must name a cost or a metric of the task 'classification'; got 'r2'"),
    ):
        said = run(*small, "--schedule", f"plateau:monitor={monitor}", status=1).stderr
        assert f"Error: the schedule's monitor {rule}" in said
    stopping = ("--validation", "0.2", "--checkpoint", "states", "--early-stopping")
    run(*small, *stopping, "3")
    said = run(*small, *stopping, "2", "--resume", status=1).stderr
    assert "--resume needs the same --early-stopping as before, EarlyStopping(patience=3, " in said
    assert "got EarlyStopping(patience=2, restore_best=True)." in said


def test_each_epoch_is_printed_when_it_ends(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fastmlp.cli.screen import Screen

    printed: list[str] = []
    monkeypatch.setattr(Screen, "row", lambda self, line, style=None: printed.append(line))
    seen: list[int] = []

    class Log:
        def __init__(self, path: Path) -> None:
            pass

        def on_epoch_end(self, progress: object) -> None:
            seen.append(len(printed))

    monkeypatch.setitem(fastmlp.callbacks.LOGS, ".csv", Log)
    run("train", *SMALL, "--dataset", data, "--log", "log.csv")
    assert np.diff(seen).tolist() == [1, 1]
    assert printed[seen[0] - 1].split()[:2] == ["some", "1"]


def test_an_option_without_text_is_refused() -> None:
    assert "Invalid value for '--dataset': it is an empty text" in error(
        "train", "--dataset", "", status=2
    )
