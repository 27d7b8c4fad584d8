"""Labels of any kind are encoded once, and answers have their names."""

import numpy as np
import pytest

import fastmlp
from fastmlp.datasets import Split
from fastmlp.errors import ArgumentError

SETTINGS = {"epochs": 30, "batch_size": 8, "learning_rate": 0.5, "backend": "numpy"}
IMAGES = np.random.default_rng(0).normal(size=(60, 3))
CODES = IMAGES.argmax(axis=1)


def trained(labels, outputs=3, images=IMAGES, **how):
    output = "softmax" if outputs > 1 else "sigmoid"
    network = fastmlp.Network((3, 16, outputs), output=output)
    fastmlp.train(network, (images, labels), **SETTINGS | how)
    return network


NAMES = {
    "texts": np.array(["red", "green", "blue"]),
    "from 1": np.array([1, 2, 3]),
    "gaps": np.array([-5, 0, 70]),
    "floats": np.array([1.0, 2.0, 3.0]),
    "objects": np.array(["x", "y", "z"], object),
}


@pytest.mark.parametrize("kind", NAMES)
def test_answers_are_the_labels_of_training(tmp_path, kind):
    labels = NAMES[kind][CODES]
    network = trained(labels, validation=(IMAGES, labels[:, None]))
    path = tmp_path / "model.safetensors"
    network.save(path)
    for each in (network, fastmlp.Network.load(path)):
        assert (each.predict(IMAGES, "numpy") == labels).mean() > 0.9
        assert each.accuracy(IMAGES, labels.tolist(), "numpy") > 0.9
        assert set(each.classes) == set(NAMES[kind])
        assert {each.predict(IMAGES[0], "numpy"): 1}[labels[0]] == 1
    wrong = "pink" if labels.dtype.kind in "UO" else 99
    with pytest.raises(ArgumentError, match=f"of the classes of the training data, .*{wrong}"):
        network.evaluate(IMAGES[:2], [labels[0], wrong])


@pytest.mark.parametrize("change", [np.int8, np.float64, lambda y: y[:, None], np.uint64])
def test_numbers_of_classes_stay_numbers(change):
    network = trained(change(CODES))
    assert network.classes is None
    np.testing.assert_array_equal(
        network.predict(IMAGES, "numpy"), trained(CODES).predict(IMAGES, "numpy")
    )


@pytest.mark.parametrize("labels", [["no", "yes"], [-1, 1], [1, 2]])
@pytest.mark.parametrize("column", [False, True])
def test_a_single_output_has_two_classes(labels, column):
    y = np.array(labels)[(CODES > 0).astype(int)]
    network = trained(y[:, None] if column else y, outputs=1)
    assert (network.predict(IMAGES, "numpy") == y).mean() > 0.9
    assert network.accuracy(IMAGES, y, "numpy") > 0.9


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            np.array(list("abcd"))[np.arange(60) % 4],
            "3 classes .* got 4 classes: 'a', 'b', 'c', 'd'",
        ),
        (np.arange(60) % 4 + 1, r"must lie in 0 … 2 .* got labels from 1 to 4.* with 4 outputs"),
        (np.where(CODES == 1, np.nan, CODES), "split labels must all be known; got"),
    ],
)
def test_labels_that_do_not_fit_say_how_many_outputs_are_needed(labels, message):
    with pytest.raises(ArgumentError, match=message):
        trained(labels)


def test_weights_of_classes_have_the_labels_of_the_user():
    names = np.array(["red", "green", "blue"])
    weights = {"blue": 3.0, "red": 0.5}
    by_name = trained(names[CODES], class_weight=weights)
    numbers = np.searchsorted(np.sort(names), names[CODES])
    by_number = trained(numbers, class_weight={0: 3.0, 2: 0.5})
    np.testing.assert_array_equal(by_name.weights[0], by_number.weights[0])
    for key in ("pink", 7):
        said = rf"class_weight must be of the classes .* got '?{key}'?. Correct the keys."
        with pytest.raises(ArgumentError, match=said):
            trained(names[CODES], class_weight={key: 2.0})


def test_a_network_can_decide_anew():
    network = trained(np.array(["x", "y", "z"])[CODES])
    network.scaling = None
    fastmlp.train(network, (IMAGES, CODES), **SETTINGS)
    assert network.classes is None
    assert network.accuracy(IMAGES, CODES, "numpy") > 0.9


def test_names_that_a_network_has_are_labels_too():
    network = fastmlp.Network((3, 16, 3))
    network.class_names = ("red", "green", "blue")
    fastmlp.train(network, (IMAGES, CODES), **SETTINGS)
    named = np.array(network.class_names)[CODES]
    assert network.classes is None
    assert network.evaluate(IMAGES, named, "numpy") == network.evaluate(IMAGES, CODES, "numpy")


def test_columns_and_labels_of_frames_are_found_by_name(tmp_path):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(IMAGES, columns=["a", "b", "c"])
    labels = pandas.Series(np.array(["red", "green", "blue"])[CODES]).astype("category")
    for data in ((table, labels), fastmlp.Split(table, labels)):
        network = fastmlp.Network((3, 16, 3))
        turned = fastmlp.Split(table[["c", "a", "b"]], labels)
        history = fastmlp.train(network, data, validation=turned, **SETTINGS)
        assert network.feature_names == ("a", "b", "c")
        assert history.validation_accuracy[-1] == network.accuracy(IMAGES, labels, "numpy") > 0.9
        network.save(tmp_path / "model.safetensors")
        again = fastmlp.Network.load(tmp_path / "model.safetensors")
        answers = again.predict(table[["c", "b", "a"]], "numpy")
        assert (answers == network.predict(IMAGES, "numpy")).all()
    for other in (table[["a", "c"]], table.rename(columns={"b": "B"}).iloc[0]):
        with pytest.raises(ArgumentError, match="none named 'b'"):
            network.predict(other, "numpy")


@pytest.mark.parametrize("order", [[2, 0, 1], [1, 2, 0], [0, 1, 2]])
@pytest.mark.parametrize("kind", ["numbers", "texts", "split", "rows"])
def test_numbers_of_columns_are_names_in_any_order(order, kind):
    table = pytest.importorskip("pandas").DataFrame(IMAGES)
    network = trained(CODES, images=table[order])
    assert network.feature_names == (None if order == [0, 1, 2] else tuple(map(str, order)))
    for other in ([1, 2, 0], [2, 0, 1], [0, 1, 2]):
        given = table[other].rename(columns=str) if kind == "texts" else table[other]
        if order == [0, 1, 2] != other:  # as after training on an array
            with pytest.raises(ArgumentError, match="must have columns 0, 1, 2, … in this order"):
                network.predict(given if kind != "rows" else given.iloc[0], "numpy")
            continue
        if kind == "rows":
            found = [network.predict(row, "numpy") for _, row in given.iterrows()]
            assert (found == CODES).mean() > 0.9
        elif kind != "split" or other != [0, 1, 2]:  # which a split takes for an array
            data = fastmlp.Split(given, CODES) if kind == "split" else (given, CODES)
            assert network.evaluate(data, backend="numpy").accuracy > 0.9


def flowers(folder, name, columns, kinds=("iris", "lily", "rose"), colours=("red", "blue")):
    """A table whose kind is that of `size`, as a data set of which all rows train and test."""
    rng = np.random.default_rng(0)
    rows = [
        {"colour": colours[n % len(colours)], "size": f"{'ilr'.index(kind[0])}.{rng.integers(3)}"}
        | {"weight": f"{rng.normal():.2f}", "species": kind}
        for n, kind in enumerate(np.repeat(kinds, 20))
    ]
    lines = [",".join(columns), *(",".join(row[name] for name in columns) for row in rows)]
    (folder / name).write_text("\n".join(lines))
    return fastmlp.load_dataset(folder / name, whole=True)


def test_parts_of_tables_are_found_by_the_names_of_columns_and_classes(tmp_path):
    given = flowers(tmp_path, "flowers.csv", ("colour", "size", "weight", "species"))
    turned = ("species", "weight", "size", "colour")
    fewer = flowers(tmp_path, "fewer.csv", turned, ("lily", "rose"))
    more = flowers(tmp_path, "more.csv", turned, colours=("red", "blue", "pink"))
    other = flowers(tmp_path, "other.csv", turned, ("iris", "rusty"))
    for data in (given, given.train):
        network = fastmlp.Network((4, 16, 3))
        settings = SETTINGS | {"optimizer": "adam", "learning_rate": 0.05}
        history = fastmlp.train(network, data, validation=fewer.test, **settings)
        assert history.validation_accuracy[-1] == 1
        network.save(tmp_path / "model.safetensors")
        again = fastmlp.Network.load(tmp_path / "model.safetensors")
        if data is given:  # as those of earlier versions
            again.feature_names = None
        assert again.accuracy(fewer, backend="numpy") == 1
        fastmlp.train(again, fewer, **SETTINGS)
        assert again.accuracy(fewer.train, backend="numpy") == 1
        with pytest.raises(ArgumentError, match=r"got 'colour=pink', .* columns=network.columns"):
            again.evaluate(more)
        with pytest.raises(ArgumentError, match=r"of the classes of .*; got 'rusty'"):
            again.evaluate(other)
    known = fastmlp.load_dataset(
        tmp_path / "more.csv", columns=given.columns, unknown="ignore", whole=True
    )
    assert again.accuracy(known, backend="numpy") > 0.8


def test_answers_are_labels_as_those_of_training_or_names(tmp_path):
    data = flowers(tmp_path, "flowers.csv", ("colour", "size", "weight", "species"))
    network = fastmlp.Network((4, 16, 3))
    fastmlp.train(network, data, **SETTINGS)
    found = network.predict(data.test.images, "numpy")
    assert (found == data.test.labels).mean() == network.accuracy(data, backend="numpy")
    named = network.predict(data.test.images, "numpy", names=True)
    assert named.tolist() == [data.class_names[code] for code in found]
    assert network.predict(data.test.images[0], "numpy", names=True) == named[0]
    assert trained(CODES + 1).predict(IMAGES[:9], "numpy", names=True).dtype.kind == "U"
    for network, y in (
        (fastmlp.Network((3, 2), output="sigmoid"), IMAGES[:, :2] > 0),
        (fastmlp.Network((3, 1), output="identity", cost="squared_error"), IMAGES[:, 0]),
    ):
        fastmlp.train(network, IMAGES, y, epochs=1, backend="numpy")
        with pytest.raises(ArgumentError, match="names is for answers that are one class each"):
            network.predict(IMAGES, "numpy", names=True)


def test_labels_from_one_on_are_found_by_name_after_training_on_arrays(tmp_path):
    network = trained(CODES + 1)
    np.savez(tmp_path / "some.npz", X=IMAGES[CODES > 0], y=CODES[CODES > 0] + 1)
    data = fastmlp.load_dataset(tmp_path / "some.npz", whole=True)
    assert set(data.test.labels) == {0, 1}
    assert network.accuracy(data, backend="numpy") > 0.9


def test_labels_of_bytes_are_found_by_name():
    network = fastmlp.Network((3, 16, 3))
    fastmlp.train(network, fastmlp.Split(IMAGES, CODES, class_names=("a", "b", "c")), **SETTINGS)
    turned = fastmlp.Split(IMAGES, (2 - CODES).astype(np.uint8), class_names=("c", "b", "a"))
    assert network.accuracy(turned, backend="numpy") > 0.9


def test_names_that_a_user_gives_to_numbered_classes_stay():
    split = fastmlp.Split(IMAGES, CODES)
    for names in (("0", "1", "2"), ("a", "b", "c")):
        data = fastmlp.Dataset("some", split, split, names, (1, 3), "here")
        network = fastmlp.Network((3, 16, 3))
        network.class_names = ("red", "green", "blue")
        fastmlp.train(network, data, **SETTINGS)
        assert network.class_names == ("red", "green", "blue")
        assert network.accuracy(IMAGES, CODES, "numpy") > 0.9
        network.scaling = None
        fastmlp.train(network, data, **SETTINGS)
        assert network.class_names == names


@pytest.mark.parametrize("output", ["identity", "tanh", "softmax"])
@pytest.mark.parametrize(("names", "spare"), [("abc", ""), ("abc", "34"), ("345", "67")])
def test_a_network_has_the_names_of_a_data_set(tmp_path, names, spare, output):
    split = fastmlp.Split(IMAGES, CODES, class_names=tuple(names))
    network = fastmlp.Network(3, 16, 3 + len(spare), output=output, cost="squared_error")
    fastmlp.train(network, split, **SETTINGS | {"optimizer": "adam", "learning_rate": 0.05})
    network.save(tmp_path / "m")
    for each in (network, fastmlp.Network.load(tmp_path / "m")):
        assert each.class_names == (*names, *spare)
        assert (each.predict(IMAGES, "numpy", names=True) == np.array([*names])[CODES]).mean() > 0.9
        assert each.accuracy(split, backend="numpy") > 0.9


def test_class_names_of_a_split_are_several_and_differ():
    rows, labels = np.ones((3, 2)), [0, 1, 1]
    assert Split(rows, labels, class_names=np.array(["a", "b"])).class_names == ("a", "b")
    for wrong in (("a", "a"), "ab", np.array("a"), 2):
        with pytest.raises(ArgumentError, match="class_names"):
            Split(rows, labels, class_names=wrong)


@pytest.mark.parametrize("names", [("01", "02", "03"), ("1", "2", "3")])
def test_leading_zeros_of_a_table_do_not_make_other_classes(names):
    network = fastmlp.Network((3, 16, 3))
    fastmlp.train(network, (IMAGES, CODES + 1), **SETTINGS)
    split = fastmlp.Split(IMAGES, CODES, class_names=names)
    assert network.evaluate(split) == network.evaluate(IMAGES, CODES + 1)
    other = fastmlp.Split(IMAGES, CODES, class_names=("01", "02", "04"))
    with pytest.raises(ArgumentError, match="got '04'"):
        network.evaluate(other)
