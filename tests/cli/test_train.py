"""fastmlp train from end to end, on the NumPy backend and small data."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import SMALL, document, error, run

import fastmlp
import fastmlp.datasets
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
    assert "stopped after 1 epoch: time limit of 0 s" in result.stdout
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
    text = " ".join(run("train", "--help").stdout.split())
    assert "lion: learning_rate=0.0001, beta_1=0.9, beta_2=0.99, weight_decay=0" in text


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
    assert "stopped after 1 epoch: target accuracy 0.3 reached" in result.stdout
