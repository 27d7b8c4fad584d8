"""Data of one's own on the command line: trained, tested and predicted by the same columns."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from command_line import document, error, run
from PIL import Image

import fastmlp
from fastmlp.cli import main, own_data
from fastmlp.datasets import Dataset, Split

NUMPY = ("--backend", "numpy")
KINDS = ("iris", "lily", "rose")
QUICK = ("--optimizer", "adam", "--learning-rate", "0.02", "--epochs", "12", *NUMPY)


def write(path: Path, header: str, rows: list[list[Any]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header.split(","), *rows])
    return path


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Flowers, whose kind depends on the size and the colour, a text."""
    rng = np.random.default_rng(2)
    rows = []
    for n in range(150):
        size, colour = rng.uniform(-1, 1), ("red", "blue")[n % 2]
        rows.append([f"{size:.3f}", colour, "lily" if size > 0 else ("rose", "iris")[n % 2]])
    folder = tmp_path_factory.mktemp("own")
    return write(folder / "flowers.csv", "size,colour,species", rows)


@pytest.fixture(scope="module")
def flowers(table: Path) -> Path:
    path = table.with_suffix(".safetensors")
    command = ["train", f"--dataset={table}", f"--model={path}", *QUICK]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert max(len(line.rstrip()) for line in lines if "saved" not in line and "/" not in line) < 81
    for said in (
        "flowers: 120 training and 30 test rows of 2 columns, which give 3 numbers",
        "flowers: to predict: column species, 3 classes",
        "flowers: no test part: 20 % of the rows test, drawn by seed 0",
    ):
        assert said in lines
    assert "flowers: 3-128-3, relu, softmax, cross_entropy" in result.stdout
    return path


def test_the_columns_of_a_saved_model_cannot_be_chosen_anew(flowers: Path, table: Path) -> None:
    further = ("train", "--from", flowers, "--dataset", table, "--epochs", "1", *NUMPY)
    for option in (("--drop-column", "colour"), ("--task", "regression")):
        assert f"{option[0]} " in error(*further, *option)


def test_a_model_is_tested_on_the_rows_that_did_not_train(flowers: Path, table: Path) -> None:
    found = document("evaluate", flowers, "--dataset", table, *NUMPY)
    assert found["images"] == 30
    assert found["accuracy"] > 0.85
    assert found["classes"] == ["iris", "lily", "rose"]
    assert document("evaluate", flowers, "--dataset", table, "--whole", *NUMPY)["images"] == 150
    assert "Pass --dataset and its path" in error("evaluate", flowers)


def test_another_table_is_tested_by_the_names_of_its_classes(flowers: Path) -> None:
    rows = [["lily", "red", x / 100] for x in range(20, 40)]
    rows += [["rose", "red", -x / 100] for x in range(20, 40)]
    path = write(Path("new.csv"), "species,colour,size", rows)
    found = document("evaluate", flowers, "--dataset", path, *NUMPY)
    matrix = np.array(found["confusion_matrix"])
    assert matrix.sum(axis=1).tolist() == [0, 20, 20]
    assert found["accuracy"] > 0.9
    write(path, "species,colour,size", [["fern", "red", 1], ["rose", "red", 2]] * 5)
    assert "got 'fern'" in run("evaluate", flowers, "--dataset", path, status=1).stderr


def test_a_table_is_predicted_by_the_names_of_its_columns(flowers: Path) -> None:
    write(Path("new.csv"), "more,colour,size", [["x", "red", 0.9], ["y", "blue", -0.9]])
    assert run("predict", flowers, "new.csv").stdout.splitlines() == ["prediction", "lily", "iris"]
    said = run("predict", flowers, "new.csv", "--output", "answers.csv", "--probabilities").stdout
    assert said == "2 answers written to answers.csv\n"
    with Path("answers.csv").open() as file:
        answers = list(csv.DictReader(file))
    assert [answer["prediction"] for answer in answers] == ["lily", "iris"]
    shares = [
        [float(one[f"probability of {n}"]) for n in ("iris", "lily", "rose")] for one in answers
    ]
    network = fastmlp.Network.load(flowers)
    x = fastmlp.datasets.read_inputs(Path("new.csv"), network.columns)
    np.testing.assert_allclose(shares, network.predict_proba(x, "numpy"), rtol=1e-5)
    found = document("predict", flowers, "new.csv", "--index", 1)
    assert found["predictions"] == [{"index": 1, "prediction": "iris"}]


def test_answers_are_whole_lines_on_a_narrow_terminal(
    flowers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(Path("new.csv"), "colour,size", [["red", 0.9], ["blue", -0.9]])
    for name, value in {"FORCE_COLOR": "1", "COLUMNS": "12"}.items():
        monkeypatch.setenv(name, value)
    lines = run("predict", flowers, "new.csv", "--probabilities").stdout.splitlines()
    assert lines[0] == "prediction," + ",".join(f"probability of {n}" for n in KINDS)
    assert [len(line.split(",")) for line in lines] == [4] * 3


def test_sets_of_labels_are_answers_beside_the_largest_output() -> None:
    x = np.random.default_rng(0).normal(size=(60, 4))
    network = fastmlp.Network(4, 8, 3, output="sigmoid")
    network.class_names = KINDS
    settings = {"epochs": 30, "optimizer": "adam", "learning_rate": 0.05, "backend": "numpy"}
    fastmlp.train(network, x, x[:, :3] > 0, **settings)  # type: ignore[arg-type]
    network.save("sets.safetensors")
    np.save("new.npy", x[:9])
    np.savez("new.npz", X=x[:9])
    sets = [[KINDS[n] for n in np.flatnonzero(row)] for row in network.predict(x[:9], "numpy")]
    assert len({len(labels) for labels in sets}) > 2
    rows = document("predict", "sets.safetensors", "new.npz")["predictions"]
    largest = [KINDS[n] for n in network.predict_proba(x[:9], "numpy").argmax(axis=1)]
    assert [(row["prediction"], row["labels"]) for row in rows] == [
        *zip(largest, sets, strict=True)
    ]
    lines = run("predict", "sets.safetensors", "new.npz").stdout.splitlines()
    assert lines[1:] == [f"{n},{';'.join(s)}" for n, s in zip(largest, sets, strict=True)]
    (one,) = document("predict", "sets.safetensors", "new.npy")["predictions"]
    assert (one["class"], one["labels"]) == (largest[0], sets[0])
    assert (
        f"image 0: {', '.join(sets[0]) or 'no label'}"
        in run("predict", "sets.safetensors", "new.npy").stdout
    )
    # classes of a table are compared with the largest output
    np.savez("known.npz", X=x, y=np.array(KINDS)[x[:, :3].argmax(axis=1)])
    found = document("evaluate", "sets.safetensors", "--dataset", "known.npz", *NUMPY)
    assert found["accuracy"] > 0.5


def test_answers_for_images_are_written_too(model: Path, digits: Dataset) -> None:
    np.save("new.npy", digits.test.images[:3].reshape(3, 28, 28))
    run("predict", model, "new.npy", "--output", "answers.csv", "--probabilities")
    assert len(Path("answers.csv").read_text().splitlines()) == 4


def test_new_texts_are_refused_or_ignored(flowers: Path) -> None:
    write(Path("new.csv"), "colour,size", [["green", 0.9]])
    assert "--unknown ignore" in error("predict", flowers, "new.csv")
    assert run("predict", flowers, "new.csv", "--unknown", "ignore").stdout.endswith("lily\n")
    rows = [[colour, n / 9, "lily"] for n in range(1, 9) for colour in ("red", "green")]
    write(Path("known.csv"), "colour,size,species", rows)
    for command in (("evaluate", flowers), ("train", "--epochs", "1", "--from", flowers)):
        known = (*command, "--dataset", "known.csv", *NUMPY)
        assert "--unknown ignore" in error(*known)
        run(*known, "--unknown", "ignore")


def test_what_is_read_is_not_overwritten(flowers: Path, table: Path) -> None:
    kept = flowers.read_bytes(), table.read_bytes()
    new = write(table.with_name("own.csv"), "colour,size", [["red", 0.5]])
    for path in (flowers, new):
        said = error("predict", flowers, new, "--output", path, *NUMPY)
        assert said.startswith("Error: --output must not be what the command reads; got")
    again = table.parent / "." / table.name
    for option in ("--model", "--log"):
        said = error("train", "--dataset", table, option, again, *QUICK)
        assert said.startswith(f"Error: {option} must not be what the command reads; got")
    assert (flowers.read_bytes(), table.read_bytes()) == kept
    printed = run("predict", flowers, new, *NUMPY).stdout
    assert run("predict", flowers, new, "--output", "-", *NUMPY).stdout == printed


def test_errors_of_tables_name_options_once() -> None:
    path = write(Path("holes.csv"), "a,b,y", [["", n, n % 2] for n in range(9)] + [[1, 1, 1]])
    assert error("train", "--dataset", path).endswith("Fill them, or train with --impute median.")
    path = write(Path("names.csv"), "a,b,y", [[f"n{n}", n, n % 2] for n in range(99)])
    assert error("train", "--dataset", path).endswith("with --drop-column, or write numbers.")


def test_a_regression_predicts_in_units_of_the_target() -> None:
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, (200, 2))
    rows = np.column_stack([x, 50_000 + 10_000 * x[:, 0] - 7000 * x[:, 1] ** 2]).tolist()
    path = write(Path("prices.csv"), "a,b,price", rows)
    said = run("train", "--dataset", path, *QUICK).stdout
    assert "to predict: column price, by regression" in said
    assert "2-128-1, relu, identity, squared_error" in said
    found = document("evaluate", "prices.safetensors", "--dataset", path, *NUMPY)
    assert found["metrics"]["r2"] > 0.95
    assert found["metrics"]["mean_absolute_error"] < 1500
    lines = run("predict", "prices.safetensors", path).stdout.splitlines()
    assert lines[0] == "prediction"
    errors = np.array(lines[1:], float) - np.array(rows)[:, 2]
    assert np.abs(errors).mean() < 1500
    said = error("predict", "prices.safetensors", path, "--probabilities")
    assert "needs a network with probabilities" in said


def test_a_model_of_a_table_is_trained_further_on_another_one(flowers: Path) -> None:
    rows = [["lily", "red", x / 100] for x in range(20, 60)]
    rows += [["rose", "red", -x / 100] for x in range(20, 60)]
    path = write(Path("new.csv"), "species,colour,size", rows)
    further = ("train", "--from", flowers, "--model", "more.safetensors", *QUICK)
    said = run(*further, "--dataset", path).stdout
    assert "new: 64 training and 16 test rows" in said
    assert float(said.rpartition("test accuracy ")[2].split()[0]) > 90
    network = fastmlp.Network.load("more.safetensors")
    assert network.class_names == ("iris", "lily", "rose")
    write(path, "species,colour,size", [["fern", "red", 1], ["rose", "red", 2]] * 5)
    assert "got 'fern'" in run(*further, "--dataset", path, status=1).stderr


def test_a_model_of_named_classes_is_trained_further() -> None:
    x = np.linspace(-1, 1, 60)
    names = np.where(x > 0, "up", "down")
    network = fastmlp.Network(1, 4, 2)
    fastmlp.train(network, x[:, None], names, epochs=1, backend="numpy")
    network.save("signs.safetensors")
    np.savez("signs.npz", X=x[:, None], y=names)
    found = document("train", "--from", "signs.safetensors", "--dataset", "signs.npz", *QUICK)
    assert found["test_accuracy"] > 0.9


def test_a_regression_is_rehearsed_and_trained_further_from_where_it_was() -> None:
    x = np.random.default_rng(1).uniform(-1, 1, (200, 1))
    rows = np.column_stack([x, 5e5 + 1e5 * x]).tolist()
    path = write(Path("prices.csv"), "a,price", rows)
    run("train", "--dataset", path, *QUICK)
    once = ("train", "--dataset", path, "--epochs", 1, *NUMPY, "--learning-rate", "1e-4")
    found = document(*once, "--from", "prices.safetensors")
    assert found["history"]["train_cost"][0] < 0.1
    assert document(*once, "--rehearse")["cost"] < 10


def test_pictures_are_predicted_as_they_were_trained() -> None:
    for kind, shade in (("day", 220), ("night", 30)):
        Path("own", kind).mkdir(parents=True)
        for n in range(6):
            Image.new("RGB", (12, 8), (shade + n, shade, n)).save(f"own/{kind}/{n}.png")
    said = run("train", "--dataset", "own", "--image-size", "6x4", *QUICK).stdout
    assert "own: 10 training and 2 test images of 6 x 4 in colour" in said
    lines = run("predict", "own.safetensors", "own").stdout.splitlines()
    assert lines[:2] == ["file,prediction", "day/0.png,day"]
    assert lines[-1] == "night/5.png,night"
    assert run("predict", "own.safetensors", "own/day/3.png").stdout.splitlines()[1] == "3.png,day"
    assert document("evaluate", "own.safetensors", "--dataset", "own", *NUMPY)["accuracy"] == 1
    Path("empty").mkdir()
    assert "expected pictures; found none" in error("predict", "own.safetensors", "empty")
    write(Path("new.csv"), "a,y", [[n, n % 2] for n in range(20)])
    said = "The data must be pictures, as those that the network was trained on; got a table."
    assert said in error("predict", "own.safetensors", "new.csv")
    assert said in error("evaluate", "own.safetensors", "--dataset", "new.csv", *NUMPY)
    run("train", "--dataset", "new.csv", *QUICK)
    assert "must be a table" in error("predict", "new.safetensors", "own/day/3.png")
    assert "must be a table" in error("evaluate", "new.safetensors", "--dataset", "own", *NUMPY)


def test_arrays_of_a_model_without_columns(model: Path, data: Path, digits: Dataset) -> None:
    lines = run("predict", model, data).stdout.splitlines()
    assert lines[1:] == [
        str(n) for n in fastmlp.Network.load(model).predict(digits.test.images, "numpy")
    ]
    write(Path("new.csv"), "a,b", [[1, 2]])
    assert "must be an image or arrays, as those" in error("predict", model, "new.csv")


def test_a_model_of_pixels_in_a_table_is_tested_on_arrays(digits: Dataset, data: Path) -> None:
    header = ",".join(["label", *(f"pixel{n}" for n in range(784))])
    rows = [[y, *x] for x, y in zip(digits.train.images[:300], digits.train.labels, strict=False)]
    path = write(Path("train.csv"), header, rows)
    said = run("train", "--dataset", path, "--model", "own.safetensors", *QUICK).stdout
    assert "train: 240 training and 60 test images of 28 x 28" in said
    assert document("evaluate", "own.safetensors", "--dataset", data, *NUMPY)["accuracy"] > 0.6


def test_the_defaults_suit_the_data() -> None:
    def chosen(
        n: int, labels: Any, columns: Any = None, dtype: str = "float32", **given: Any
    ) -> Any:
        split = Split(np.zeros((n, 4), dtype), np.resize(labels, n))
        data = Dataset("x", split, split, (), (2, 2), "", columns)
        names = ("output", "cost", "batch_size", "epochs", "optimizer", "momentum", "nesterov")
        return own_data.complete({**dict.fromkeys(names), **given}, data)

    images = chosen(60_000, [0, 1])
    assert (images["batch_size"], images["epochs"], images["optimizer"]) == (32, 6, "sgd")
    assert (images["output"], images["cost"]) == ("softmax", "cross_entropy")
    table = chosen(120, [0, 1], {"inputs": []})
    assert (table["batch_size"], table["epochs"], table["optimizer"]) == (4, 100, "adam")
    assert chosen(120, [0, 1], {"inputs": []}, momentum=0.9)["optimizer"] == "sgd"
    numbers = chosen(1000, [0.5], batch_size=500, epochs=2)
    assert (numbers["output"], numbers["cost"]) == ("identity", "squared_error")
    assert (numbers["batch_size"], numbers["epochs"], numbers["optimizer"]) == (500, 2, "adam")
