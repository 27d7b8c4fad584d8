"""The command line from end to end, on the NumPy backend and small data."""

from __future__ import annotations

import gzip
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import fastmlp
import fastmlp.datasets
from fastmlp.cli import main
from fastmlp.cli.screen import Screen
from fastmlp.datasets import Dataset, generate_digits
from fastmlp.datasets.idx import header

SMALL = ("--backend", "numpy", "--hidden-layers", "24", "--epochs", "3")


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return generate_digits(train=1500, test=300)


@pytest.fixture(scope="module")
def data(digits: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits as an .npz file, "some.npz"."""
    path = tmp_path_factory.mktemp("data") / "some.npz"
    train, test = digits.train, digits.test
    arrays = {"x_train": train.images, "y_train": train.labels}
    np.savez(path, **arrays, x_test=test.images, y_test=test.labels)
    return path


@pytest.fixture(scope="module")
def model(data: Path) -> Path:
    """A network trained on them: 784-24-10."""
    path = data.parent / "some.safetensors"
    result = CliRunner().invoke(main, ["train", *SMALL, f"--dataset={data}", f"--model={path}"])
    assert result.exit_code == 0, result.output
    return path


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty folder, without the user's data and cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FASTMLP_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FASTMLP_DATA", raising=False)


def run(*arguments: object, status: int = 0) -> Result:
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == status, result.output
    return result


def document(*arguments: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*arguments, "--json").stdout)
    return found


def error(*arguments: object, status: int = 1) -> str:
    """Return the one line on standard error of a command that fails."""
    result = run(*arguments, status=status)
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert lines[-1].startswith("Error: ")
    assert "Traceback" not in result.stderr
    assert status == 2 or len(lines) == 1
    return lines[-1]


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from fastmlp.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'numba', 'numpy', 'rich', 'PIL', 'pooch', 'safetensors'} & set(sys.modules)\n"
        "print(sorted(heavy))"
    )
    command = [sys.executable, "-c", code]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "train" in out
    assert out.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", sorted(main.commands))
def test_every_command_has_help_and_every_option_a_text(command: str) -> None:
    assert run(command, "--help").stdout.startswith("Usage: ")
    for parameter in main.commands[command].params:
        assert isinstance(parameter, click.Argument) or getattr(parameter, "help", None)


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
        *("train_seconds", "compile_seconds", "model"),
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
    options += " --epochs 2 --batch-size 50 --learning-rate 0.1 --schedule halving --momentum 0.9"
    options += " --nesterov --weight-decay 0.001 --validation 0.2 --early-stopping 3"
    options += " --target-accuracy 0.999 --seed 3 --threads 1 --dtype float64"
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
        "schedule": "halving",
        "momentum": 0.9,
        "nesterov": True,
        "weight_decay": 0.001,
        "early_stopping": 3,
        "target_accuracy": 0.999,
        "seed": 3,
        "threads": 1,
        "backend": "numpy",
        "validation": 0.2,
        "checkpoint": None,
        "every": 1,
        "resume": False,
    }
    split = fastmlp.load_dataset(data).train
    order = np.random.default_rng(3).permutation(1500)
    fitted, judged = np.sort(order[300:]), np.sort(order[:300])
    network = fastmlp.Network(
        (784, 9, 7, 10), "tanh", "sigmoid", "squared_error", seed=3, dtype="float64"
    )
    history = fastmlp.train(
        network,
        (split.images[fitted], split.labels[fitted]),
        epochs=2,
        batch_size=50,
        learning_rate=0.1,
        schedule="halving",
        momentum=0.9,
        nesterov=True,
        weight_decay=0.001,
        validation=(split.images[judged], split.labels[judged]),
        seed=3,
        backend="numpy",
    )
    assert found["history"]["train_cost"] == history.train_cost
    assert found["history"]["validation_cost"] == history.validation_cost


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
    assert "leaky_relu" in error(*small, "--activation", "gelu", status=2)
    assert "halving" in error(*small, "--schedule", "sometimes", status=2)
    assert "0" in error(*small, "--epochs", "0", status=2)
    both = error(*small, "--sizes", "784-9-10", "--hidden-layers", "9", status=2)
    assert "--hidden-layers" in both


def test_errors_are_one_line_and_come_before_the_training(data: Path, tmp_path: Path) -> None:
    small = ("train", "--backend", "numpy", "--dataset", data)
    assert "model must be" in run(*small, "--model", tmp_path / "no" / "m", status=1).stderr
    assert "model must be" in run(*small, "--model", tmp_path, status=1).stderr
    assert "momentum must be below 1" in run(*small, "--momentum", "1.5", status=1).stderr
    assert "validation must leave" in run(*small, "--validation", "1", status=1).stderr
    assert "must have 9 values" in run(*small, "--sizes", "9,10", status=1).stderr
    assert "name must be one of" in error("train", "--dataset", "mnits")
    assert "found no such file" in error("evaluate", tmp_path / "none")


def test_a_diverging_run_is_an_error_and_keeps_the_older_model(data: Path) -> None:
    Path("some.safetensors").write_text("older")
    said = run("train", *SMALL, "--dataset", data, "--learning-rate", "1e38", status=1).stderr
    assert "diverged" in said
    assert Path("some.safetensors").read_text() == "older"


def test_evaluate_shows_what_the_library_computes(data: Path, model: Path, digits: Dataset) -> None:
    arguments = ("evaluate", model, "--dataset", data, "--backend", "numpy")
    found = document(*arguments)
    network = fastmlp.Network.load(model)
    labels = digits.test.labels
    answers = network.predict(digits.test.images, "numpy")
    assert found["accuracy"] == float((answers == labels).mean())
    assert found["cost"] == network.evaluate(digits.test.images, labels, "numpy").cost
    matrix = np.array(found["confusion_matrix"])
    assert matrix[3, 5] == int(((labels == 3) & (answers == 5)).sum())
    assert matrix.sum() == 300
    assert found["class_accuracy"][7] == float((answers[labels == 7] == 7).mean())
    lines = run(*arguments).stdout.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("label "))
    shown = [line.split() for line in lines[start + 1 : start + 11]]
    zeros_as_dots = [[str(n) if n else "." for n in row] for row in matrix]
    assert [row[3:] for row in shown] == zeros_as_dots
    assert f"{100 * found['accuracy']:.2f} %" in lines[-1]


def test_evaluate_takes_the_data_set_that_the_file_is_named_after(
    model: Path, monkeypatch: pytest.MonkeyPatch, digits: Dataset
) -> None:
    monkeypatch.setattr(fastmlp.datasets, "generate_digits", lambda: digits)
    Path("digits.safetensors").write_bytes(model.read_bytes())
    found = document("evaluate", "digits.safetensors", "--backend", "numpy", "--no-download")
    assert found["dataset"] == "digits"
    Path("mine.safetensors").write_bytes(model.read_bytes())
    said = error("evaluate", "mine.safetensors", "--backend", "numpy", "--no-download")
    assert "mnist" in said


def test_predict_reads_every_format_and_agrees_with_the_library(
    model: Path, digits: Dataset
) -> None:
    images = digits.test.images[:20].reshape(-1, 28, 28)
    wanted = fastmlp.Network.load(model).predict_proba(images[3].reshape(-1), "numpy")
    Path("many.gz").write_bytes(gzip.compress(header(images) + images.tobytes()))
    np.save("one.npy", images[3])
    Image.fromarray(images[3]).save("one.png")
    for name, index in (("many.gz", 3), ("one.npy", 0), ("one.png", 0)):
        found = document("predict", model, name, "--index", index)
        (prediction,) = found["predictions"]
        assert prediction["index"] == index
        assert prediction["answer"] == int(wanted.argmax())
        assert prediction["class"] == str(wanted.argmax())
        assert prediction["probabilities"] == pytest.approx(wanted.tolist(), abs=1e-6)


def test_predict_shows_the_image_beside_the_answer(model: Path, digits: Dataset) -> None:
    images = digits.test.images[:5].reshape(-1, 28, 28)
    np.save("five.npy", images)
    answers = fastmlp.Network.load(model).predict(digits.test.images[:5], "numpy")
    lines = run("predict", model, "five.npy", "--index", "1", "--count", "2").stdout.splitlines()
    text = "\n".join(lines)
    assert f"image 1: {answers[1]}" in text
    assert f"image 2: {answers[2]}" in text
    assert "image 3" not in text
    blocks = fastmlp.report.digit_blocks(images[1])
    assert [line[:28].ljust(28) for line in lines[1:15]] == blocks.split("\n")
    assert max(map(len, lines)) <= 80
    assert "must be below 5" in error("predict", model, "five.npy", "--index", "5")


def test_predict_recognises_digits_of_another_size_place_and_colour(
    model: Path, digits: Dataset
) -> None:
    images = digits.test.images[:20].reshape(-1, 28, 28)
    answers: list[list[int]] = [[], []]
    for image in images:
        for found, (size, top, left) in zip(answers, ((4, 10, 150), (9, 30, 20)), strict=True):
            canvas = np.full((300, 400), 240, np.uint8)
            drawn = np.kron(image, np.ones((size, size), np.uint8))[: 300 - top]
            canvas[top : top + len(drawn), left : left + len(drawn.T)] -= drawn // 2
            Image.fromarray(canvas).save("x.png")
            told = document("predict", model, "x.png")
            assert len(told["notes"]) == 2
            found.append(told["predictions"][0]["answer"])
    assert np.mean(np.equal(*answers)) >= 0.9
    assert np.mean(np.equal(answers[0], digits.test.labels[:20])) >= 0.6


def test_a_terminal_without_unicode_gets_plain_characters(model: Path, digits: Dataset) -> None:
    np.save("one.npy", digits.test.images[0])
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "fastmlp.cli", "predict", str(model), "one.npy"]
    out = subprocess.run(command, capture_output=True, env=environment, check=True).stdout
    assert out.isascii()
    assert out.count(b"#") > 30


def test_find_learning_rate_shows_each_probe(data: Path) -> None:
    arguments = ("find-learning-rate", "--dataset", data, "--backend", "numpy", "--start", "64")
    arguments += ("--samples", "300", "--hidden-layers", "16")
    found = document(*arguments)
    rates = [probe["rate"] for probe in found["probes"]]
    assert len(rates) > 1
    assert rates == [64 / 2**n for n in range(len(rates))]
    best = min(found["probes"], key=lambda probe: probe["cost_after"] or np.inf)
    assert found["learning_rate"] == best["rate"] != rates[0]
    assert best["cost_after"] < 0.9 * np.log(10)
    lines = [line for line in run(*arguments).stdout.splitlines() if ": rate " in line]
    assert len(lines) == len(rates)
    assert any(line.endswith("  falls") for line in lines)


def test_info_tells_facts_and_limits() -> None:
    found = document("info")
    assert found["threads"] >= 1
    assert found["vector_bits"] in (128, 256, 512)
    assert found["threading_layer"] in ("omp", "tbb", "workqueue")
    assert found["versions"]["fastmlp"] == fastmlp.__version__
    assert found["limits"][0] == {"name": "affinity mask", "allows": len(os.sched_getaffinity(0))}
    text = run("info").stdout
    for name in ("processor", "features", "vector", "OMP_THREAD_LIMIT", "cgroup", "cache"):
        assert name in text


@pytest.mark.parametrize("as_json", [False, True])
def test_ctrl_c_saves_the_model_so_far_and_exits_with_130(
    data: Path, digits: Dataset, as_json: bool
) -> None:
    command = [sys.executable, "-m", "fastmlp.cli", "train", *SMALL[:4], "--dataset", str(data)]
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
    monkeypatch.setattr("fastmlp.training.train", interrupt)
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
    at = lines.index("some: compiling the kernels, this once: 10 to 30 seconds")
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


def test_the_progress_line_is_drawn_on_a_terminal_alone(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    for as_json in (False, True):
        out, err = Terminal(), Terminal()
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        with Screen(as_json).line() as draw:
            draw("epoch 1 of many")
        assert ("epoch 1 of many" in out.getvalue()) is not as_json
        assert err.getvalue() == ""


def test_warmup_compiles_ahead() -> None:
    found = document("warmup")
    assert found["dtype"] == "float32"
    assert found["compile_seconds"] >= 0
    assert "kernels for float32 are ready" in run("warmup").output
