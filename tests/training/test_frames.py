"""DataFrames with texts: a network knows their columns, as those of a file."""

import numpy as np
import pytest

import fastmlp
from fastmlp.datasets import read_inputs
from fastmlp.errors import ArgumentError, DataError
from fastmlp.training.validation import hold_out

LIBRARIES = ("pandas", "polars", "pyarrow")
RNG = np.random.default_rng(0)
COLOURS = np.array(["red", "green", "blue"])
CODES = RNG.integers(0, 3, 90)
COLUMNS = {
    "colour": COLOURS[CODES].tolist(),
    "size": RNG.normal(5, 2, 90).round(3).tolist(),
    "sold": (RNG.random(90) < 0.5).tolist(),
}
ANSWERS = np.where((CODES == 0) ^ np.array(COLUMNS["sold"]), "yes", "no")
SETTINGS = {"epochs": 30, "batch_size": 10, "backend": "numpy", "optimizer": "adam"}
SETTINGS["learning_rate"] = 0.01


def frame(library, **changed):
    module = pytest.importorskip(library)
    return getattr(module, "DataFrame", getattr(module, "table", None))(COLUMNS | changed)


@pytest.fixture(scope="module")
def network():
    pytest.importorskip("pandas")
    found = fastmlp.Network(5, 12, 2)
    history = fastmlp.train(found, frame("pandas"), ANSWERS, validation=0.2, **SETTINGS)
    assert history.validation_accuracy[-1] > 0.9
    return found


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_network_finds_and_encodes_the_columns_it_was_trained_on(network, library, tmp_path):
    given = frame(library)
    wanted = np.column_stack([CODES == 2, CODES == 1, CODES == 0, COLUMNS["size"], COLUMNS["sold"]])
    inputs = read_inputs(given, network.columns)
    np.testing.assert_allclose(inputs, wanted, rtol=1e-6)
    answers = network.predict(inputs, "numpy")
    assert (answers == ANSWERS).mean() > 0.9
    network.save(tmp_path / "model.safetensors")
    again = fastmlp.Network.load(tmp_path / "model.safetensors")
    other = frame(library, when=np.full(90, "2026-01-01", "M8[us]"))  # a column that nobody needs
    order = ["when", "sold", "colour", "size"]
    np.testing.assert_array_equal(
        again.predict(other.select(order) if library == "pyarrow" else other[order], "numpy"),
        answers,
    )
    assert again.accuracy(given, ANSWERS, "numpy") == (answers == ANSWERS).mean()
    twin = fastmlp.Network(5, 12, 2)
    fastmlp.train(twin, given, ANSWERS, validation=(given, ANSWERS), **SETTINGS)
    assert twin.columns == network.columns


def test_a_network_of_a_frame_reads_files_with_a_target(network, tmp_path):
    path = tmp_path / "table.csv"
    frame("pandas", answer=ANSWERS).to_csv(path, index=False)
    data = fastmlp.load_dataset(path, columns=network.columns)
    assert data.columns["target"] == "answer"
    assert len(data.test) == 90  # rows that a network was not trained on, as far as is known
    labels = np.array(data.class_names)[data.test.labels]
    assert network.accuracy(data.test.images, labels, "numpy") > 0.9


def test_one_row_is_a_frame_or_a_series_and_inputs_have_no_names(network):
    given = frame("pandas")
    one = network.predict(given.iloc[:1], "numpy")
    assert network.predict(given.iloc[0], "numpy") == one[0]
    inputs = read_inputs(given, network.columns)
    np.testing.assert_array_equal(
        network.as_rows(type(given)(inputs))[0], network.as_rows(inputs)[0]
    )
    assert network.as_rows(type(given)(inputs).iloc[0])[1]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"colour": ["pink"] * 90}, "images must have known texts in column 'colour' .* 'pink'. "),
        ({"size": ["big"] * 90}, "images must have numbers in column 'size'; got 'big' in row 1"),
        ({"colour": [None] * 90}, "images must have no missing values; got 90 in 'colour'"),
        ({"size": np.full(90, "2026-01-01", "M8[us]")}, "column 'size', must be numbers; .* dates"),
    ],
)
@pytest.mark.parametrize("library", LIBRARIES)
def test_cells_that_training_did_not_have_are_refused(network, library, changed, message):
    with pytest.raises(ArgumentError, match=message):
        network.predict(frame(library, **changed))


def test_other_columns_are_refused_and_unknown_texts_are_zeros_on_request(network):
    with pytest.raises(ArgumentError, match="also the columns 'size'; got 'colour', 'sold'"):
        network.predict(frame("pandas")[["colour", "sold"]])
    new = frame("pandas", colour="pink")
    with pytest.raises(ArgumentError, match=r"read_inputs\(frame, network.columns, unknown="):
        network.evaluate(new, ANSWERS)
    assert not read_inputs(new, network.columns, unknown="ignore")[:, :3].any()
    with pytest.raises(ArgumentError, match="unknown must be one of its values"):
        read_inputs(new, network.columns, unknown="ignored")


def test_the_inputs_that_texts_become_have_names(network):
    colours = {f"colour={colour}" for colour in COLOURS}
    assert set(network.feature_names) == {"size", "sold", *colours}


def test_a_network_of_another_width_says_how_many_inputs_it_needs():
    given = frame("pandas")
    with pytest.raises(ArgumentError, match=r"a DataFrame with texts. Pass it to train"):
        fastmlp.Split(given, ANSWERS)
    with pytest.raises(ArgumentError, match=r"3 columns, which become 5: .* with 5 inputs"):
        fastmlp.train(fastmlp.Network(3, 4, 2), given, ANSWERS)
    names = given.assign(name=[f"house {k}" for k in range(90)])
    with pytest.raises(
        ArgumentError, match=r"repeated texts in column 'name'; .* Leave it out, or"
    ):
        fastmlp.train(fastmlp.Network(5, 4, 2), names, ANSWERS)


def test_missing_cells_are_filled_from_the_rows_that_train():
    colours = [None, *COLUMNS["colour"][1:]]
    given = frame("pandas", colour=colours, size=[np.nan, *COLUMNS["size"][1:]])
    network = fastmlp.Network(5, 12, 2)
    with pytest.raises(ArgumentError, match=r'1 in .colour., 1 in .size.. Fill .* impute="median"'):
        fastmlp.train(network, given, ANSWERS)
    fastmlp.train(network, given, ANSWERS, impute="median", validation=0.6, **SETTINGS)
    rows = hold_out((ANSWERS == "yes").astype(int), 0.6, 0)[0]
    texts, counts = np.unique(np.array(colours[1:])[rows[rows > 0] - 1], return_counts=True)
    fills = [column["fill"] for column in network.columns["inputs"]]
    size = np.nanmedian(given["size"].to_numpy()[rows])
    assert fills == [texts[counts.argmax()], size, np.median(given["sold"].to_numpy()[rows])]
    assert size != np.nanmedian(given["size"])
    assert np.isfinite(network.as_rows(given)[0]).all()


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_frame_is_a_data_set_as_its_file_is(library, tmp_path):
    given = frame(library, answer=ANSWERS.tolist())
    rows = zip(*COLUMNS.values(), ANSWERS, strict=True)
    lines = [",".join((*COLUMNS, "answer")), *(",".join(map(str, row)) for row in rows)]
    (tmp_path / "table.csv").write_text("\n".join(lines))
    file = fastmlp.load_dataset(tmp_path / "table.csv")
    # a file has texts where a frame has bools: the columns of the file say which
    for how in ({"columns": file.columns}, {"drop_columns": "sold"}):
        wanted = fastmlp.load_dataset(tmp_path / "table.csv", **how)
        data = fastmlp.load_dataset(given, **how)
        assert data.columns == wanted.columns
        for mine, theirs in ((data.train, wanted.train), (data.test, wanted.test)):
            np.testing.assert_array_equal(mine.images, theirs.images)
            np.testing.assert_array_equal(mine.labels, theirs.labels)
    network = fastmlp.Network(6, 8, 2)
    fastmlp.train(network, file, **SETTINGS)
    assert network.accuracy(given, ANSWERS, "numpy") > 0.9
    with pytest.raises(DataError, match="DataFrame: expected two classes"):
        fastmlp.load_dataset(frame(library, answer=["yes"] * 90))


def test_columns_of_parquet_keep_their_types(tmp_path):
    arrow, parquet = (pytest.importorskip(name) for name in ("pyarrow", "pyarrow.parquet"))
    kinds = {
        "sold": COLUMNS["sold"],
        "colour": arrow.array(COLUMNS["colour"]).dictionary_encode(),
        "code": [b"x", b"y", None] * 30,
    }
    parquet.write_table(arrow.table(kinds | {"answer": ANSWERS}), tmp_path / "own.parquet")
    data = fastmlp.load_dataset(tmp_path / "own.parquet", impute="median", whole=True)
    assert [column["categories"] for column in data.columns["inputs"]] == [
        None,
        ("blue", "green", "red"),
        ("x", "y"),
    ]
    np.testing.assert_array_equal(data.train.images[:, 0], COLUMNS["sold"])
    for kind, message in ((np.full(90, "2026-01-01", "M8[D]"), "dates"), ([[1, 2]] * 90, "2 in")):
        parquet.write_table(arrow.table(kinds | {"code": kind}), tmp_path / "own.parquet")
        with pytest.raises(DataError, match=rf"own.parquet, column 'code', must .*{message}"):
            fastmlp.load_dataset(tmp_path / "own.parquet")
