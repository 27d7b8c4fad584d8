"""Columns of DataFrames and files: texts stay texts, and the target is no input."""

import numpy as np
import pytest

import fastmlp
from fastmlp.datasets import load_dataset, read_inputs
from fastmlp.errors import ArgumentError, FastMLPError

pandas = pytest.importorskip("pandas")

CODES = ["01", "1", "B", "1.0", "2.50"]


def made(rows=60, seed=0):
    rng = np.random.default_rng(seed)
    codes = np.array(CODES, object)[np.arange(rows) % len(CODES)]
    frame = pandas.DataFrame({"x": rng.normal(size=rows).round(3), "code": codes})
    return frame, (frame["x"] > 0).map({True: "up", False: "down"})


def trained(frame, y):
    network = fastmlp.Network(6, 8, 2)
    fastmlp.train(network, frame, y, epochs=1)
    return network


@pytest.mark.parametrize("suffix", [None, ".csv", ".parquet"])
def test_texts_that_look_like_numbers_are_found_in_any_company(tmp_path, suffix):
    frame, y = made()
    network = trained(frame, y)

    def inputs(rows):
        if suffix is None:
            return read_inputs(rows, network.columns)
        path = tmp_path / f"some{suffix}"
        if suffix == ".csv":
            rows.to_csv(path, index=False)
        else:
            pytest.importorskip("pyarrow")
            rows.to_parquet(path)
        return read_inputs(path, network.columns)

    whole = inputs(frame)
    assert (whole[:, 1:].sum(axis=1) == 1).all()
    for first in range(len(CODES)):
        np.testing.assert_array_equal(inputs(frame[first : first + 1]), whole[first : first + 1])


def test_an_input_is_never_the_target():
    frame, y = made()
    network = trained(frame.rename(columns={"code": "species"}), y)
    table = frame.rename(columns={"code": "species"})
    data = load_dataset(table.assign(outcome=y), columns=network.columns, whole=True)
    assert data.class_names == ("down", "up")
    with pytest.raises(FastMLPError, match="a column to predict beside the inputs"):
        load_dataset(table, columns=network.columns)


@pytest.mark.parametrize("as_array", [False, True])
def test_scaling_anew_is_for_other_columns(as_array):
    frame, y = made()
    network = trained(frame, y)
    network.scaling = None
    assert network.columns is None
    other = pandas.DataFrame(np.random.default_rng(1).normal(size=(60, 6)), columns=list("abcdef"))
    fastmlp.train(network, other.to_numpy() if as_array else other, y, epochs=1)
    np.testing.assert_array_equal(network.predict(other), network.predict(other.to_numpy()))


def test_dates_that_are_not_read_are_no_error(tmp_path):
    frame, y = made()
    network = trained(frame, y)
    dated = frame.assign(day=pandas.Timestamp("2020-01-01"), label=y)
    with pytest.raises(ArgumentError, match="column 'day', must be numbers"):
        load_dataset(dated)
    data = load_dataset(dated, drop_columns="day")
    assert data.train.images.shape[1] == 6
    known = load_dataset(dated, columns=network.columns)
    assert known.test.images.shape == (60, 6)
    np.testing.assert_array_equal(
        read_inputs(dated, network.columns), read_inputs(frame, network.columns)
    )
    pytest.importorskip("pyarrow")
    dated.to_parquet(tmp_path / "dated.parquet")
    assert (
        load_dataset(tmp_path / "dated.parquet", drop_columns="day").class_names == data.class_names
    )
    read_inputs(tmp_path / "dated.parquet", network.columns)


def test_bools_to_predict_have_the_names_that_files_have(tmp_path):
    frame = pandas.DataFrame({"x": np.arange(40.0), "y": np.arange(40) % 3 == 0})
    frame.to_csv(tmp_path / "t.csv", index=False)
    for source in (frame, tmp_path / "t.csv"):
        assert load_dataset(source).class_names == ("False", "True")


def test_words_for_bools_are_the_same_in_any_case(tmp_path):
    flag = np.random.default_rng(0).random(80) < 0.5
    frame = pandas.DataFrame({"flag": flag, "x": np.arange(80.0), "y": ~flag})
    (tmp_path / "t.csv").write_text(
        frame.to_csv(index=False).upper().replace("FLAG,X,Y", "flag,x,y")
    )
    read = pandas.read_csv(tmp_path / "t.csv")
    assert read["flag"].dtype == bool
    for own, other in ((read, tmp_path / "t.csv"), (tmp_path / "t.csv", read)):
        data = load_dataset(own, whole=True)
        network = fastmlp.Network(data.train.images.shape[1], 2)
        how = {"optimizer": "adam", "learning_rate": 0.1, "epochs": 40, "backend": "numpy"}
        fastmlp.train(network, data, **how)
        known = load_dataset(other, columns=data.columns, whole=True)
        np.testing.assert_array_equal(known.test.images, data.test.images)
        assert network.accuracy(known, backend="numpy") == 1


def test_frames_without_names_go_by_their_numbers():
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame({0: rng.normal(size=60), 1: ["a", "b"] * 30, 2: rng.normal(size=60)})
    network, y = fastmlp.Network(4, 8, 2), np.arange(60) % 2
    fastmlp.train(network, frame, y, epochs=1)
    wanted = network.predict_proba(frame)
    np.testing.assert_array_equal(network.predict_proba(frame[[1, 0, 2]]), wanted)
    np.testing.assert_array_equal(network.predict_proba(frame.assign(**{"3": 1})), wanted)


def test_what_frames_lack_is_said():
    frame, y = made()
    network = trained(frame, y)
    with pytest.raises(FastMLPError, match="empty"):
        network.predict(frame[:0])
    assert read_inputs(frame[:0], network.columns).shape == (0, 6)
    for option in ({"folder": "x"}, {"mirrors": ["https://x"]}, {"image_size": (3, 3)}):
        with pytest.raises(ArgumentError, match="not for a DataFrame"):
            load_dataset(frame.assign(label=y), **option)


def test_a_column_without_values_becomes_zeros():
    frame, y = made()
    network = fastmlp.Network(7, 8, 2)
    fastmlp.train(network, frame.assign(nothing=np.nan), y, epochs=1, impute="median")
    found = network.predict_proba(frame.assign(nothing=0.0))
    np.testing.assert_array_equal(network.predict_proba(frame.assign(nothing=np.nan)), found)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow", "parquet"])
def test_texts_for_nothing_are_texts_where_missing_values_have_a_mark(tmp_path, library):
    module = pytest.importorskip(library if library != "parquet" else "pyarrow.parquet")
    cells = {"drink": ["none", "NA", None, "wine", "", "?"] * 10, "x": np.arange(60.0)}
    cells["label"] = ["none", "null"] * 30
    if library == "parquet":
        source = tmp_path / "own.parquet"
        module.write_table(pytest.importorskip("pyarrow").table(cells), source)
    else:
        source = getattr(module, "DataFrame", getattr(module, "table", None))(cells)
    with pytest.raises(FastMLPError, match=r"no missing values.* 10 in .drink."):
        load_dataset(source)
    data = load_dataset(source, impute="median", whole=True)
    assert data.class_names == ("none", "null")
    assert data.columns["inputs"][0]["categories"] == ("", "?", "NA", "none", "wine")
    # a file marks missing values by texts, unless these were categories in training
    (tmp_path / "own.csv").write_text("drink,x\nnone,1\nNULL,1\nNA,1\n")
    known = read_inputs(tmp_path / "own.csv", data.columns)[:, :5]
    filled = known[1].argmax()
    assert (known[0].argmax(), known[2].argmax()) == (3, 2)
    assert data.columns["inputs"][0]["categories"][filled] == data.columns["inputs"][0]["fill"]


def test_texts_for_nothing_are_no_numbers_of_a_frame():
    frame = pandas.DataFrame(
        {"x": ["1", "NA"] * 10, "y": np.arange(20.0), "label": ["a", "b"] * 10}
    )
    assert load_dataset(frame).columns["inputs"][0]["categories"] == ("1", "NA")
    numbers = load_dataset(frame.assign(x=np.arange(20.0)), impute="median").columns
    with pytest.raises(ArgumentError, match="numbers in column 'x'; got 'NA' in row 2"):
        read_inputs(frame, numbers)
