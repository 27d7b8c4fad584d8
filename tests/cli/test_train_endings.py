"""fastmlp train that is refused, interrupted, or has to do without its data."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from command_line import SMALL, document, error, run

import fastmlp
import fastmlp.datasets
from fastmlp.cli import main
from fastmlp.datasets import Dataset
from fastmlp.system import interrupts
from fastmlp.training import callbacks


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


@pytest.mark.parametrize(
    "option", [("--task", "regression"), ("--target-column", "3"), ("--image-size", "20")]
)
def test_an_option_that_mnist_has_not_is_an_error(option: tuple[str, str]) -> None:
    assert "is for data of one's own" in run("train", *SMALL, *option, status=1).stderr
    assert not [*Path().glob("*.safetensors")]


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
    assert "validation must leave" in run(*small, "--validation", "0.9999", status=1).stderr
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


@pytest.mark.parametrize("number", [errno.EPIPE, errno.ENOSPC])
@pytest.mark.parametrize("is_terminal", [False, True])
def test_an_output_that_is_closed_ends_the_run_which_keeps_its_model(
    data: Path,
    digits: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: int,
    is_terminal: bool,
) -> None:
    class Closing(io.StringIO):
        closes = False

        def isatty(self) -> bool:
            return is_terminal

        def write(self, text: str) -> int:
            self.closes = self.closes or "accuracy" in text
            if self.closes:
                raise OSError(number, os.strerror(number))
            return super().write(text)

    monkeypatch.setattr(sys, "stdout", Closing())
    with pytest.raises(SystemExit) as ended:
        main(["train", *SMALL, "--dataset", str(data)])
    assert ended.value.code == 1
    said = f"Error: standard output cannot be written: {os.strerror(number)}. The run ended there."
    assert capsys.readouterr().err.startswith(said) or is_terminal  # which is the output of both
    network = fastmlp.Network.load("some.safetensors")
    assert network.accuracy(digits.test.images, digits.test.labels, "numpy") > 0.3


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
    at = lines.index("some: compiling the kernels, only this once: 10 to 40 seconds")
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


@pytest.fixture
def _handled() -> Iterator[None]:
    """Ignore no signal, as what runs the tests may do: nohup, for example."""
    before = {n: signal.signal(n, signal.SIG_DFL) for n in interrupts.ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, *interrupts.ENDING])
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.usefixtures("_handled")
def test_a_signal_waits_until_the_model_is_saved(
    data: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, first: bool
) -> None:
    save, append = fastmlp.Network.save, callbacks.append_whole

    def interrupted(network: fastmlp.Network, path: Path) -> None:
        signal.raise_signal(number)
        save(network, path)

    def ended(path: Path, line: bytes) -> None:
        append(path, line)
        signal.raise_signal(number)

    monkeypatch.setattr(fastmlp.Network, "save", interrupted)
    if first:  # another one has ended the training
        monkeypatch.setattr(callbacks, "append_whole", ended)
    status = 130 if number == signal.SIGINT else 143
    run("train", *SMALL, "--dataset", data, "--log", "log.csv", status=status)
    assert fastmlp.Network.load("some.safetensors").sizes == (784, 24, 10)
    assert len(Path("log.csv").read_text().splitlines()) == (2 if first else 4)
