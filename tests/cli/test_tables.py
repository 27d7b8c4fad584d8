"""Tables that are hard to read right: evaluated and predicted as the network was trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line import document, run

import fastmlp

pytest.importorskip("pandas")
import pandas as pd

NUMPY = ("--backend", "numpy")


def frame(names: str, rows: int = 200) -> pd.DataFrame:
    """Return columns of random numbers, and y, which says whether `a` is positive."""
    rng = np.random.default_rng(0)
    found = pd.DataFrame({name: rng.normal(size=rows) for name in names})
    return found.assign(y=np.where(found["a"] > 0, "p", "q"))


def test_an_index_counts_the_rows_of_a_table(tmp_path: Path) -> None:
    data, model, file = frame("ab", 20), tmp_path / "m.safetensors", tmp_path / "t.csv"
    network = fastmlp.Network(2, 2)
    fastmlp.train(network, data[["a", "b"]], data["y"], epochs=1, backend="numpy")
    network.save(model)
    data[["a", "b"]].to_csv(file, index=False)
    said = run("predict", model, file, "--index", 20, *NUMPY, status=1).stderr
    assert "--index must be below 20, the number of samples in the file; got 20." in said
    assert "image" not in said.lower()


def test_a_model_of_a_numeric_frame_finds_the_columns_of_a_file_by_name(tmp_path: Path) -> None:
    data, model = frame("abc"), tmp_path / "m.safetensors"
    network = fastmlp.Network(3, 8, 2)
    fastmlp.train(network, data[["a", "b", "c"]], data["y"], epochs=20, backend="numpy")
    network.save(model)
    data[["c", "y", "b", "a"]].to_csv(tmp_path / "t.csv", index=False)
    data.rename(columns={"a": "d"}).to_csv(tmp_path / "u.csv", index=False)
    found = document("evaluate", model, "--dataset", tmp_path / "t.csv", "--whole", *NUMPY)
    wanted = network.accuracy(data[["a", "b", "c"]], data["y"], "numpy")
    assert found["accuracy"] == wanted > 0.9
    said = run("evaluate", model, "--dataset", tmp_path / "u.csv", *NUMPY, status=1).stderr
    assert "u.csv: expected also the columns 'a'; found 'd', 'b', 'c', 'y'" in said
    answers = document("predict", model, tmp_path / "t.csv", *NUMPY)["predictions"]
    assert [one["prediction"] for one in answers] == network.predict(data[["a", "b", "c"]]).tolist()


def test_a_data_set_in_the_home_folder_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, model = frame("a"), tmp_path / "m.safetensors"
    data["b"] = ["u", "v", "w", "v"] * 50
    network = fastmlp.Network(4, 8, 2)
    fastmlp.train(network, data[["a", "b"]], data["y"], epochs=20, backend="numpy")
    network.save(model)
    data[data["b"] == "w"].to_csv(tmp_path / "t.csv", index=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    of_run = "--epochs", 1, "--model", tmp_path / "n.safetensors", *NUMPY
    first, second = (
        document("train", "--from", model, f"--dataset={name}", *of_run)["history"]["train_cost"]
        for name in (tmp_path / "t.csv", "~/t.csv")
    )
    assert first == second


@pytest.mark.parametrize(("own", "other"), [("numbers", "words"), ("words", "numbers")])
def test_classes_that_are_matched_by_their_order_are_told(
    tmp_path: Path, own: str, other: str
) -> None:
    x = np.random.default_rng(0).normal(size=200)
    for name, classes in {"numbers": ["0", "1"], "words": ["alive", "dead"]}.items():
        table = pd.DataFrame({"x": x, "y": np.array(classes)[(x > 0).astype(int)]})
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    model = tmp_path / "m.safetensors"
    quick = ("--model", model, "--epochs", "1", *NUMPY)
    said = "classes '0', '1' are taken as 'alive', 'dead', in this order"
    assert said not in run("train", "--dataset", tmp_path / f"{own}.csv", *quick).stdout
    for name in (own, other):
        for command in (("evaluate", model, *NUMPY), ("train", "--from", model, *quick)):
            found = run(*command, "--dataset", tmp_path / f"{name}.csv").stdout
            assert (said in found) == (name == other)


def test_whole_numbers_are_quantities_for_a_network_of_such(tmp_path: Path) -> None:
    x = np.random.default_rng(0).uniform(-2, 2, 200)
    y = np.round(6 + x).astype(int)
    np.savez(tmp_path / "marks.npz", X=x[:, None], y=y)
    pd.DataFrame({"x": x, "y": y}).to_csv(tmp_path / "marks.csv", index=False)
    model = tmp_path / "m.safetensors"
    quick = ("--model", model, "--optimizer", "adam", "--epochs", "40", *NUMPY)
    for suffix in ("csv", "npz"):
        data = ("--dataset", tmp_path / f"marks.{suffix}")
        for chosen in (("squared_error", "--sizes", "1,9,1"), ("poisson", "--output=exponential")):
            result = run("train", *data, *quick, "--output=identity", "--cost", *chosen, status=1)
            assert "must be quantities" in result.stderr
            assert "Load them with --task regression" in result.stderr
        assert document("train", *data, *quick, "--task", "regression")["test_metrics"]["r2"] > 0.8
        assert document("evaluate", model, *data, *NUMPY)["metrics"]["r2"] > 0.8
        again = ("train", "--from", model, *data, *NUMPY, "--epochs", 1)
        assert document(*again)["test_metrics"]["r2"] > 0.8


def test_a_network_of_codes_is_tested_on_the_rows_that_its_training_held_out(
    tmp_path: Path,
) -> None:
    rng, model = np.random.default_rng(0), tmp_path / "m.safetensors"
    np.savez(tmp_path / "codes.npz", X=rng.normal(size=(60, 5)), y=np.repeat([0, 1, 2], 20))
    data = ("--dataset", tmp_path / "codes.npz", *NUMPY)
    quick = ("--sizes", "5,9,1", "--output=identity", "--cost", "squared_error", "--epochs", 3)
    trained = document("train", *data, *quick, "--model", model)
    found = document("evaluate", model, *data)["metrics"]["mean_squared_error"]
    assert found == pytest.approx(trained["test_metrics"]["mean_squared_error"])


def test_few_bytes_of_a_file_are_a_table_and_stay_bytes(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 90, (200, 4)).astype(np.uint8)
    np.savez(tmp_path / "ages.npz", X=x, y=x[:, 0] > 45)
    for scaling, kind in (((), "standardize"), (("--scaling", "none"), "none")):
        model = tmp_path / "m.safetensors"
        quick = ("--model", model, "--epochs", 1, *NUMPY, *scaling)
        run("train", "--dataset", tmp_path / "ages.npz", *quick)
        network = fastmlp.Network.load(model)
        assert network.scaling is not None
        assert network.scaling.kind == kind
        found = document("evaluate", model, "--dataset", tmp_path / "ages.npz", "--whole", *NUMPY)
        assert found["cost"] == pytest.approx(network.evaluate(x, (x[:, 0] > 45).astype(int)).cost)


def test_rows_of_numbers_train_alike_in_tables_and_arrays(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(90, 4))
    np.savez(tmp_path / "rows.npz", X=x, y=x[:, 0] > 0)
    pd.DataFrame(x).assign(y=x[:, 0] > 0).to_csv(tmp_path / "table.csv", index=False)
    np.savez(tmp_path / "images.npz", X=x.reshape(90, 2, 2), y=x[:, 0] > 0)
    for name, optimizer in (("rows.npz", "adam"), ("table.csv", "adam"), ("images.npz", "sgd")):
        found = document("train", "--dataset", tmp_path / name, "--epochs", "1", *NUMPY)
        assert found["settings"]["optimizer"] == optimizer


def test_numbers_far_from_0_keep_what_distinguishes_them(tmp_path: Path) -> None:
    day = 2_460_000 + np.random.default_rng(1).random(400) / 10
    table = pd.DataFrame({"day": day, "late": day > 2_460_000.05})
    table.to_csv(tmp_path / "days.csv", index=False)
    data = fastmlp.load_dataset(tmp_path / "days.csv")
    assert len(np.unique(data.train.images)) == len(data.train)
    one = fastmlp.datasets.read_inputs(table[:1], data.columns)
    assert one[0, 0] == day[0]
    (tmp_path / "small.csv").write_text("a,y\n" + "".join(f"{n}.5,{n % 2}\n" for n in range(99)))
    assert fastmlp.load_dataset(tmp_path / "small.csv").train.images.dtype == np.float32


@pytest.mark.filterwarnings("default::fastmlp.errors.TrainingWarning")
def test_targets_far_from_0_are_told_and_errors_are_those_from_the_file(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=400)
    table = pd.DataFrame({"x": x, "y": 1.76e9 + 100 * x})
    table.to_csv(tmp_path / "t.csv", index=False)
    model = tmp_path / "m.safetensors"
    how = ("--dataset", tmp_path / "t.csv", "--model", model, "--epochs", "30", *NUMPY)
    assert "answers of float32 are about 2.1e+02 apart" in run("train", *how).stderr
    network = fastmlp.Network.load(model)
    data = fastmlp.load_dataset(tmp_path / "t.csv", columns=network.columns).test
    off = np.abs(data.labels - network.predict(data.images).astype(np.float64)).mean()
    metrics = network.evaluate(data).metrics
    np.testing.assert_allclose(metrics["mean_absolute_error"], off, rtol=1e-12)
    assert off > 20
    assert "apart" not in run("train", *how, "--dtype", "float64").stderr


@pytest.mark.parametrize("output", ["relu", "leaky_relu"])
def test_targets_of_outputs_in_any_units_are_divided(tmp_path: Path, output: str) -> None:
    x = np.random.default_rng(0).uniform(-1, 1, 200)
    table = pd.DataFrame({"x": x, "price": 5e5 + 2e5 * x})
    table.to_csv(tmp_path / "t.csv", index=False)
    how = ("--dataset", tmp_path / "t.csv", "--optimizer", "adam", *NUMPY)
    once = ("train", *how, "--epochs", 1, "--learning-rate", "1e-4")
    new = ("--output", output, "--model", tmp_path / "m", "--seed", 3)
    first = ("train", *how, "--epochs", 30, *new)
    assert "\nt: trained on target / " in run(*first).stdout
    for command in (first, (*once, "--from", tmp_path / "m")):
        assert document(*command)["test_metrics"]["r2"] > 0.9


def test_a_model_that_fills_what_is_missing_does_so_on_the_command_line(tmp_path: Path) -> None:
    data = frame("abc")
    data.loc[::7, "b"] = np.nan
    inputs, network = data[["a", "b", "c"]], fastmlp.Network(3, 8, 2)
    fastmlp.train(network, inputs, data["y"], epochs=5, backend="numpy", impute="median")
    network.save(tmp_path / "m.safetensors")
    data.to_csv(tmp_path / "t.csv", index=False)
    answers = document("predict", tmp_path / "m.safetensors", tmp_path / "t.csv", *NUMPY)
    found = [one["prediction"] for one in answers["predictions"]]
    assert found == network.predict(inputs, "numpy").tolist()
    data.insert(0, "answer", data.pop("y"))
    data["name"] = [f"n{row}" for row in range(len(data))]
    data.to_csv(tmp_path / "t.csv", index=False)
    how = ("--dataset", tmp_path / "t.csv", "--whole", "--target-column", "answer", *NUMPY)
    tested = document("evaluate", tmp_path / "m.safetensors", *how)["accuracy"]
    assert tested == network.accuracy(inputs, data["answer"], "numpy")


def test_whole_numbers_are_quantities_to_a_regression_of_a_frame(tmp_path: Path) -> None:
    data = frame("ab").assign(y=np.arange(200) % 4 * 2)
    network = fastmlp.Network(2, 8, 1, output="identity", cost="squared_error")
    fastmlp.train(network, data[["a", "b"]], data["y"] * 1.0, optimizer="adam", backend="numpy")
    network.save(tmp_path / "m.safetensors")
    data.to_csv(tmp_path / "t.csv", index=False)
    how = ("--dataset", tmp_path / "t.csv", "--whole", *NUMPY)
    found = document("evaluate", tmp_path / "m.safetensors", *how)
    wanted = network.evaluate(data[["a", "b"]], data["y"] * 1.0, "numpy").cost
    assert found["cost"] == pytest.approx(wanted)


def test_names_of_what_texts_became_are_no_columns_of_a_table(tmp_path: Path) -> None:
    data, model = frame("ab"), tmp_path / "m.safetensors"
    data["a"] = np.where(data["a"] > 0, "red", "blue")
    data.to_csv(tmp_path / "t.csv", index=False)
    own = fastmlp.load_dataset(tmp_path / "t.csv")
    network = fastmlp.Network(own.train.images.shape[1], 8, 2)
    fastmlp.train(network, own.train, epochs=2, backend="numpy")
    network.save(model)
    found = document("evaluate", model, "--dataset", tmp_path / "t.csv", *NUMPY)
    assert network.columns is None
    assert found["accuracy"] == network.accuracy(own.test, backend="numpy")


def test_a_target_is_named_to_test_a_model_that_knows_none(tmp_path: Path) -> None:
    data = frame("ab").assign(colour=["red", "blue"] * 100)
    inputs, network = data[["a", "colour"]], fastmlp.Network(3, 8, 2)
    fastmlp.train(network, inputs, data["y"], epochs=5, backend="numpy")
    network.save(tmp_path / "m.safetensors")
    table = data.assign(z=np.where(data["b"] > 0, "p", "q")).rename(columns={"y": "answer"})
    table.to_csv(tmp_path / "t.csv", index=False)
    how = ("evaluate", tmp_path / "m.safetensors", "--dataset", tmp_path / "t.csv", *NUMPY)
    assert "the target is the last column; --target-column names another" in run(*how).stdout
    found = document(*how, "--target-column", "answer")
    assert found["accuracy"] == network.accuracy(inputs, data["y"], "numpy")
    notes = fastmlp.load_dataset(table).notes
    assert "the target is the last column; target_column names another" in notes


@pytest.mark.parametrize("outputs", [1, 2])
def test_quantities_of_an_array_are_no_classes(tmp_path: Path, outputs: int) -> None:
    network, x = fastmlp.Network(2, outputs, output="identity", cost="squared_error"), np.eye(2)
    network.biases[0][:] = 100
    network.save(tmp_path / "m.safetensors")
    np.save(tmp_path / "x.npy", x)
    for options, rows in (((), 1), (("--count", 2), 2)):
        found = document("predict", tmp_path / "m.safetensors", tmp_path / "x.npy", *options)
        numbers = [[row[n] for n in row if "prediction" in n] for row in found["predictions"]]
        wanted = network.predict_proba(x[:rows])
        np.testing.assert_allclose(numbers, wanted, rtol=1e-6)
