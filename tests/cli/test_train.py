"""fastmlp train from end to end, on the NumPy backend and small data."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from command_line import SMALL, document, error, run

import fastmlp
import fastmlp.datasets
from fastmlp.cli import main
from fastmlp.datasets import Dataset


def test_train_prints_a_table_and_saves_a_model_after_the_data_set(data: Path) -> None:
    result = run("train", *SMALL, "--dataset", data)
    assert result.stderr == ""
    assert "\x1b" not in result.stdout
    lines = [line for line in result.stdout.splitlines() if line.strip()]
    (heading,) = (line for line in lines if not line.startswith("some"))
    assert heading.split() == ["data", "set", "epoch", "cost", "accuracy", "rate", "samples/s"]
    assert [line.split()[1] for line in lines[4:8]] == ["1", "2", "3", "test"]
    assert "784-24-10" in result.stdout
    assert lines[-1] == "some: model saved to some.safetensors"
    assert fastmlp.Network.load("some.safetensors").sizes == (784, 24, 10)


def test_train_as_json_is_one_document_that_agrees_with_the_saved_model(
    data: Path, digits: Dataset
) -> None:
    found = document("train", *SMALL, "--dataset", data, "--model", "m.safetensors", "--seed", "5")
    assert set(found) == {
        *("dataset", "source", "network", "settings", "history", "test_accuracy", "test_cost"),
        *("train_seconds", "compile_seconds", "model", "test_metrics"),
    }
    assert (found["dataset"], found["model"]) == ("some", "m.safetensors")
    assert found["network"]["sizes"] == [784, 24, 10]
    assert found["settings"]["learning_rate"] == 0.5
    assert found["settings"]["schedule"] == "linear"
    assert len(found["history"]["train_cost"]) == 3
    assert found["train_seconds"] == sum(found["history"]["epoch_seconds"])
    assert found["compile_seconds"] == 0
    network = fastmlp.Network.load("m.safetensors")
    again = network.evaluate(digits.test.images, digits.test.labels, "numpy")
    assert found["test_accuracy"] == again.accuracy > 0.6
    assert found["test_cost"] == again.cost


def test_options_reach_the_training(data: Path) -> None:
    options = "--sizes 784,9,7,10 --activation tanh --output sigmoid --cost squared_error"
    options += " --epochs 2 --batch-size 50 --learning-rate 0.1 --momentum 0.9"
    options += " --schedule plateau:patience=2"
    options += " --nesterov --weight-decay 0.001 --validation 0.2 --early-stopping 3"
    options += " --warmup 0.25 --augment shift=1,elastic=8:3 --max-seconds 600 --log log.jsonl"
    options += " --target-accuracy 0.999 --seed 3 --threads 1 --dtype float64"
    options += " --average ema --rate-factors 1,0.5,1 --bias-rate-factor 2"
    options += " --dropout 0.1 --class-weight balanced --clip-value 2 --l1 0.001"
    options += " --input-dropout 0.05 --clip-norm 3 --scaling pixels --impute median"
    found = document("train", "--backend", "numpy", "--dataset", data, *options.split())
    assert found["network"] == {
        "sizes": [784, 9, 7, 10],
        "hidden": ["tanh", "tanh"],
        "output": "sigmoid",
        "cost": "squared_error",
        "dtype": "float64",
        "parameters": 7215,
    }
    assert found["settings"] == {
        "epochs": 2,
        "batch_size": 50,
        "learning_rate": 0.1,
        "schedule": "plateau:patience=2",
        "optimizer": "nesterov",
        "optimizer_settings": {
            "momentum": 0.9,
            "weight_decay": 0.001,
            "l1": 0.001,
            "clip_value": 2.0,
            "clip_norm": 3.0,
        },
        "momentum": 0.9,
        "nesterov": True,
        "weight_decay": 0.001,
        "early_stopping": 3,
        "target": None,
        "target_accuracy": 0.999,
        "monitor": "cost",
        "seed": 3,
        "threads": 1,
        "backend": "numpy",
        "validation": 0.2,
        "checkpoint": None,
        "every": 1,
        "resume": False,
        "warmup": 0.25,
        "max_seconds": 600,
        "augment": {"shift": 1, "rotation": 0.0, "scale": 0.0, "elastic": [8, 3]},
        "dropout": 0.1,
        "input_dropout": 0.05,
        "class_weight": "balanced",
        "average": "ema",
        "rate_factors": [1, 0.5, 1],
        "bias_rate_factor": 2,
        "label_smoothing": 0.0,
        "clip_value": 2.0,
        "clip_norm": 3.0,
        "l1": 0.001,
        "scaling": "pixels",
        "impute": "median",
        "log": "log.jsonl",
    }
    network = fastmlp.Network(
        (784, 9, 7, 10), "tanh", "sigmoid", "squared_error", seed=3, dtype="float64"
    )
    history = fastmlp.train(
        network,
        fastmlp.load_dataset(data),
        epochs=2,
        batch_size=50,
        learning_rate=0.1,
        schedule="plateau:patience=2",
        rate_factors=[1, 0.5, 1],
        bias_rate_factor=2,
        average="ema",
        warmup=0.25,
        momentum=0.9,
        nesterov=True,
        weight_decay=0.001,
        dropout=0.1,
        input_dropout=0.05,
        class_weight="balanced",
        clip_value=2,
        clip_norm=3,
        l1=0.001,
        validation=0.2,
        seed=3,
        backend="numpy",
        augment=fastmlp.Augmentation(shift=1, elastic=(8, 3)),
    )
    assert found["history"]["train_cost"] == history.train_cost
    assert found["history"]["validation_cost"] == history.validation_cost


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_time_limit_ends_the_run_and_the_log_has_its_epochs(data: Path, suffix: str) -> None:
    options = ("--max-seconds", "0", "--log", f"log{suffix}", "--dataset", data)
    result = run("train", *SMALL, *options)
    assert "stopped after 1 epochs: time limit of 0 s" in result.stdout
    assert Path("some.safetensors").exists()
    lines = Path(f"log{suffix}").read_text().splitlines()
    assert len(lines) == (2 if suffix == ".csv" else 1)
    assert "train_cost" in lines[0]


def test_a_log_that_fails_costs_nothing_but_the_rest_of_the_run(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, line: bytes) -> None:
        if line.startswith(b"2,"):
            raise fastmlp.UnwritableError(f"{path} cannot be written")

    monkeypatch.setattr("fastmlp.training.callbacks.append_whole", full)
    result = run("train", *SMALL, "--log", "log.csv", "--dataset", data, status=1)
    assert "log.csv cannot be written" in result.stderr
    assert "model saved to some.safetensors" in result.stdout


def test_the_optimizer_and_its_settings_reach_the_training(data: Path) -> None:
    small = ("train", *SMALL, "--dataset", data)
    own = ("--optimizer-setting", "beta_1=0.8", "--optimizer-setting", "weight_decay=0.1")
    found = document(*small, "--optimizer", "adam", *own)
    settings = found["settings"]
    assert (settings["optimizer"], settings["learning_rate"]) == ("adam", 0.001)
    wanted = {"beta_1": 0.8, "beta_2": 0.999, "epsilon": 1e-8, "weight_decay": 0.1}
    assert settings["optimizer_settings"] == wanted
    costs = found["history"]["train_cost"]
    assert costs != document(*small, "--optimizer", "adam")["history"]["train_cost"]
    assert (
        "Did you mean beta_1?"
        in run(*small, "--optimizer", "adam", "--optimizer-setting", "beta1=0.8", status=1).stderr
    )
    assert "beta_1=0.8" in error(*small, "--optimizer-setting", "beta_1", status=2)
    assert "nadam" in error(*small, "--optimizer", "adan", status=2)
    text = run("train", "--help").stdout
    assert "lion: learning_rate 0.0001, beta_1 0.9, beta_2 0.99, weight_decay 0" in text


def test_weights_of_classes_smoothing_and_limits_reach_the_training(data: Path) -> None:
    small = ("train", *SMALL, "--dataset", data)
    plain = document(*small)["history"]["train_cost"]
    options = {"class_weight": "balanced", "label_smoothing": 0.2, "clip_value": 0.01, "l1": 0.02}
    for name, value in options.items():
        found = document(*small, f"--{name.replace('_', '-')}", value)
        assert found["settings"][name] == value
        assert found["history"]["train_cost"] != plain
    assert "balanced" in error(*small, "--class-weight", "even", status=2)


def test_no_hidden_layer_and_a_target(data: Path) -> None:
    few = ("--hidden-layers", "", "--target-accuracy", "0.3", "--backend", "numpy")
    result = run("train", *few, "--dataset", data)
    assert "784-10," in result.stdout
    assert "stopped after 1 epochs: target accuracy 0.3 reached" in result.stdout


def test_without_mnist_one_line_says_why_and_all_others_name_digits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, digits: Dataset
) -> None:
    monkeypatch.setattr(fastmlp.datasets, "generate_digits", lambda: digits)
    result = run("train", *SMALL, "--no-download")
    first, *rest = [line for line in result.stdout.splitlines() if line.strip()]
    assert first.startswith("No MNIST, so digits are used instead: ")
    assert f"found none of them in {tmp_path / 'cache' / 'mnist'}" in first
    assert all(line.startswith(("digits", "data set ")) for line in rest)
    assert sum(line.startswith("data set ") for line in rest) == 1
    assert Path("digits.safetensors").exists()
    assert document("train", *SMALL, "--no-download")["dataset"] == "digits"
    assert "No MNIST" in run("train", *SMALL, "--no-download", "--json").stderr


def test_mnist_asked_for_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    for asked in (("--dataset", "mnist"), ("--data-folder", tmp_path)):
        said = error("train", *SMALL, "--no-download", *asked)
        assert "mnist: expected train-images" in said
        assert "set FASTMLP_DATA" in said
    assert not list(tmp_path.glob("*.safetensors"))


def test_usage_errors_have_status_2(data: Path) -> None:
    small = ("train", "--backend", "numpy", "--dataset", data)
    assert "--validation" in error(*small, "--early-stopping", "2", status=2)
    assert "784,x" in error(*small, "--sizes", "784,x", status=2)
    assert "leaky_relu" in error(*small, "--activation", "swish", status=2)
    assert "halving" in error(*small, "--schedule", "sometimes", status=2)
    assert "0" in error(*small, "--epochs", "0", status=2)
    assert ".csv or .jsonl" in error(*small, "--log", "log.txt", status=2)
    both = error(*small, "--sizes", "784-9-10", "--hidden-layers", "9", status=2)
    assert "--hidden-layers" in both


def test_errors_are_one_line_and_come_before_the_training(data: Path, tmp_path: Path) -> None:
    small = ("train", "--backend", "numpy", "--dataset", data)
    assert "model must be" in run(*small, "--model", tmp_path / "no" / "m", status=1).stderr
    assert "model must be" in run(*small, "--model", tmp_path, status=1).stderr
    assert "momentum must be below 1" in run(*small, "--momentum", "1.5", status=1).stderr
    assert "warmup must not be" in run(*small, "--warmup", "99", status=1).stderr
    assert "log must be" in run(*small, "--log", tmp_path / "no" / "m.csv", status=1).stderr
    assert "validation must leave" in run(*small, "--validation", "1", status=1).stderr
    assert "must have 9 values" in run(*small, "--sizes", "9,10", status=1).stderr
    assert "--dataset must be one of" in error("train", "--dataset", "mnits")
    assert "found no such file" in error("evaluate", tmp_path / "none")


def test_a_diverging_run_is_an_error_and_keeps_the_older_model(data: Path) -> None:
    Path("some.safetensors").write_text("older")
    said = run("train", *SMALL, "--dataset", data, "--learning-rate", "1e38", status=1).stderr
    assert "diverged" in said
    assert Path("some.safetensors").read_text() == "older"


@pytest.mark.parametrize("as_json", [False, True])
def test_ctrl_c_saves_the_model_so_far_and_exits_with_130(
    data: Path, digits: Dataset, as_json: bool
) -> None:
    command = [sys.executable, "-m", "fastmlp", "train", *SMALL[:4], "--dataset", str(data)]
    command += ["--epochs", "1000000", "--schedule", "constant", "--learning-rate", "0.1"]
    command += ["--checkpoint", "states", "--every", "20"]
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([*command, *["--json"] * as_json], **pipe) as process:  # type: ignore[call-overload]
        told = process.stderr if as_json else process.stdout
        assert any("784-24-10" in line for line in told)
        while not list(Path().glob("states/*.safetensors")):  # 20 epochs
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, rest = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in out + rest
    network = fastmlp.Network.load("some.safetensors")
    assert network.accuracy(digits.test.images, digits.test.labels, "numpy") > 0.6
    if as_json:
        found = json.loads(out)
        assert found["history"]["stopped"] == "interrupted"
        assert found["test_accuracy"] is None
    else:
        assert "interrupted" in out
        assert "model saved to some.safetensors" in out


def test_ctrl_c_before_anything_is_learnt_keeps_the_older_model(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    Path("some.safetensors").write_text("older")
    monkeypatch.setattr("fastmlp.training.loop.train", interrupt)
    result = run("train", *SMALL, "--dataset", data, status=130)
    assert "Interrupted." in result.stderr
    assert Path("some.safetensors").read_text() == "older"


def test_the_first_compilation_is_announced_and_timed_apart(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fastmlp import reference

    monkeypatch.setattr(reference, "is_compiled", lambda dtype: False)
    monkeypatch.setattr(reference, "prepare", lambda dtype: 12.34)
    lines = run("train", *SMALL, "--dataset", data).stdout.splitlines()
    at = lines.index("some: compiling the kernels, only this once: 10 to 30 seconds")
    assert lines[at + 1] == "some: compiled in 12.3 s"
    assert "some: kernels ready in 12.3 s, which is not counted above" in lines
    found = document("train", *SMALL, "--dataset", data)
    assert found["compile_seconds"] == 12.34
    assert found["train_seconds"] == sum(found["history"]["epoch_seconds"])


def test_parameters_that_are_not_finite_are_refused(model: Path) -> None:
    network = fastmlp.Network.load(model)
    network.weights[0][...] = np.nan
    with pytest.raises(fastmlp.ArgumentError, match="weights"):
        network.save("broken.safetensors")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("shfit=2", "Did you mean shift?"),
        ("shift", "is not a list of settings"),
        ("rotation=200", "rotation must be at most 180"),
        ("elastic=34", "elastic must be (alpha, sigma)"),
    ],
)
def test_a_wrong_augmentation_is_refused(text: str, said: str) -> None:
    done = CliRunner().invoke(main, ["train", "--augment", text])
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())
