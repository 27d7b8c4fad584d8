"""All commands but train, from end to end, on the NumPy backend and small data."""

from __future__ import annotations

import atexit
import gc
import gzip
import os
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from command_line import document, error, run
from PIL import Image

import fastmlp
import fastmlp.datasets
from fastmlp.__main__ import main as process
from fastmlp.cli import main
from fastmlp.datasets import Dataset
from fastmlp.datasets.idx import header


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


def test_a_process_looks_rarely_for_garbage_and_not_at_its_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rarely, at_end = [], []
    monkeypatch.setattr(gc, "set_threshold", rarely.append)
    monkeypatch.setattr(atexit, "register", at_end.append)
    monkeypatch.setattr(sys, "argv", ["a path", "--version"])
    with pytest.raises(SystemExit, match="0"):
        process()
    assert rarely[0] >= 100 * gc.get_threshold()[0]
    assert at_end == [gc.freeze]
    assert capsys.readouterr().out.startswith("fastmlp, version")


@pytest.mark.parametrize("command", sorted(main.commands))
def test_every_command_has_help_and_every_option_a_text(command: str) -> None:
    assert run(command, "--help").stdout.startswith("Usage: ")
    for parameter in main.commands[command].params:
        assert isinstance(parameter, click.Argument) or getattr(parameter, "help", None)


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


def test_evaluate_finds_the_classes_of_a_network_by_their_names(
    data: Path, digits: Dataset
) -> None:
    network = fastmlp.Network((784, 12, 10))
    names = digits.train.labels.astype(str)
    fastmlp.train(network, (digits.train.images, names), epochs=1, backend="numpy")
    network.save("named.safetensors")
    arguments = ("evaluate", "named.safetensors", "--dataset", data, "--backend", "numpy")
    found = document(*arguments)
    wanted = network.accuracy(digits.test.images, digits.test.labels.astype(str), "numpy")
    assert found["accuracy"] == wanted > 0.5
    assert np.trace(found["confusion_matrix"]) == round(wanted * len(digits.test))
    network.classes = np.char.add("c", network.classes)
    network.save("named.safetensors")
    said = run(*arguments, status=1).stderr
    assert "must be of the classes of the training data, 'c0'" in said


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


def test_a_wrong_row_counts_from_the_first_of_the_file(model: Path) -> None:
    rows = np.zeros((5, 784))
    rows[3, 7] = np.nan
    np.save("rows.npy", rows)
    for how in (("--index", "3"), ("--index", "2", "--count", "2"), ("--output", "-")):
        said = error("predict", model, "rows.npy", *how)
        assert "the first of them row 3, column 7. Remove or fill" in said
        assert said.endswith("or train with --impute median.")


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
    assert np.mean(np.equal(*answers)) >= 0.8
    assert np.mean(np.equal(answers[0], digits.test.labels[:20])) >= 0.6


def test_predict_says_why_an_answer_is_doubtful(model: Path) -> None:
    y, x = np.indices((77, 77))
    grid = (y % 24 < 5) | (x % 24 < 5)
    Image.fromarray(np.pad(~grid, 30, constant_values=True)).save("grid.png")
    reasons = document("predict", model, "grid.png")["predictions"][0]["doubts"]
    assert any("holes" in reason for reason in reasons)
    assert "doubtful: its ink has" in run("predict", model, "grid.png").stdout


def test_a_terminal_without_unicode_gets_plain_characters(model: Path, digits: Dataset) -> None:
    np.save("one.npy", digits.test.images[0])
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "fastmlp", "predict", str(model), "one.npy"]
    out = subprocess.run(command, capture_output=True, env=environment, check=True).stdout
    assert out.isascii()
    assert out.count(b"#") > 30


def test_find_learning_rate_shows_each_probe(data: Path) -> None:
    arguments = ("find-learning-rate", "--dataset", data, "--backend", "numpy", "--start", "64")
    arguments += ("--samples", "300", "--hidden-layers", "16", "--mode", "halving")
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


def test_find_learning_rate_shows_the_curve_and_names_the_rate(data: Path) -> None:
    arguments = ("find-learning-rate", "--dataset", data, "--backend", "numpy")
    found = document(*arguments)
    probes, rate = found["probes"], found["learning_rate"]
    assert found["settings"]["mode"] == "range"
    assert probes[0]["rate"] < rate < probes[-1]["rate"]
    assert min(p["cost_after"] for p in probes if p["cost_after"]) < 0.7 * np.log(10)
    lines = run(*arguments).stdout.splitlines()
    start = next(n for n, line in enumerate(lines) if line.split() == ["rate", "cost"])
    rows = [line.split() for line in lines[start + 1 : start + 1 + -(-len(probes) // 3)]]
    assert [float(row[0]) for row in rows] == pytest.approx(
        [probe["rate"] for probe in probes[::3]], rel=0.01
    )
    (marked,) = (row for row in rows if "<-" in row)
    assert float(marked[0]) == pytest.approx(rate, rel=0.15)
    assert float(marked[-1]) == rate
    assert max(map(len, lines)) <= 80
    assert f"learning rate {rate:g}; fastmlp train --learning-rate {rate:g}" in lines[-1]


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


def test_warmup_compiles_ahead() -> None:
    found = document("warmup")
    assert found["dtype"] == "float32"
    assert found["compile_seconds"] >= 0
    assert "kernels for float32 are ready" in run("warmup").output
