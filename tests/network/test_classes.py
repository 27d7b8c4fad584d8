"""Labels of any kind are encoded once, and answers have their names."""

import numpy as np
import pytest

import fastmlp
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
    with pytest.raises(ArgumentError, match=r"class_weight must be of the classes .* got 'pink'"):
        trained(names[CODES], class_weight={"pink": 2.0})


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
    with pytest.raises(ArgumentError, match="none named 'b'"):
        network.predict(table[["a", "c"]])
