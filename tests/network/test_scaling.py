"""How inputs are scaled is decided once, from the first training data, and kept."""

import numpy as np
import pytest

import fastmlp
from fastmlp.arrays import as_dense
from fastmlp.errors import ArgumentError, DivergedError, ModelError
from fastmlp.network.deciding import CHOICES, FITS
from fastmlp.network.scaling import KINDS

SETTINGS = {"epochs": 2, "batch_size": 50, "learning_rate": 0.2, "backend": "numpy"}
RNG = np.random.default_rng(0)
CENTRES = np.array([900.0, 0.002, 5.0, 40.0])
TABLE = CENTRES * (1 + 0.1 * RNG.normal(size=(200, 4))) * [1, 1, 0, 1] + [0, 0, 5, 0]
CLASSES = (TABLE[:, 0] > 900).astype(int)


def trained(images, labels, sizes=None, **how):
    images_shape = np.shape(images)
    inputs = int(np.prod(images_shape[1:]))
    network = fastmlp.Network(sizes or (inputs, 12, int(np.max(labels)) + 1))
    history = fastmlp.train(network, (images, labels), **SETTINGS | how)
    return network, history


@pytest.fixture(scope="module")
def pictures(digits):
    return digits.train.images[:500], digits.train.labels[:500]


SAME_BITS = {
    "int64": lambda x: x.astype(np.int64),
    "floats": lambda x: x.astype(np.float64),
    "big-endian": lambda x: x.astype(">f4"),
    "height and width": lambda x: x.reshape(-1, 28, 28).astype(np.int16),
    "objects": lambda x: x[:, :].astype(object),
}


@pytest.fixture(scope="module")
def of_bytes(pictures):
    return trained(*pictures)[0]


@pytest.mark.parametrize("kind", SAME_BITS)
def test_pixels_of_any_type_train_to_the_same_bits_as_bytes(pictures, of_bytes, kind):
    network, history = trained(SAME_BITS[kind](pictures[0]), pictures[1])
    np.testing.assert_array_equal(network.weights[0], of_bytes.weights[0])
    assert history.scaling == "784 pixels, divided by their range, from 0 to 255"


OTHER_RANGES = {
    "from 0 to 1": (lambda x: x / 255, 1e-5),
    "from 0 to 65,535": (lambda x: x.astype(np.uint16) * 257, 1e-5),
    "from 0 to 16": (lambda x: np.rint(x / 255 * 16), 0.05),
}


@pytest.mark.parametrize("said", OTHER_RANGES)
def test_pixels_of_other_ranges_train_as_bytes_do(pictures, of_bytes, said):
    change, tolerance = OTHER_RANGES[said]
    network, history = trained(change(pictures[0]), pictures[1])
    assert history.scaling.endswith(said)
    np.testing.assert_allclose(network.weights[0], of_bytes.weights[0], atol=tolerance)
    # and bytes, which are another kind than the network was trained on, have the same answers
    given = pictures[0] if "16" not in said else np.rint(pictures[0] / 255 * 16).astype(np.uint8)
    answers = network.predict(given, "numpy")
    np.testing.assert_array_equal(answers, network.predict(change(pictures[0]), "numpy"))


GIVEN = {
    "list": (lambda x: x.tolist(), 1e-12),
    "int64": (lambda x: x.astype(np.int64), 1e-12),
    "floats to 255": (lambda x: x.astype(float), 1e-12),
    "fractions to 255": (lambda x: x + 0.25, 0.02),
    "floats to 1": (lambda x: x / 255, 1e-6),
    "16 bits": (lambda x: x.astype(np.uint16) * 257, 1e-6),
}


@pytest.mark.parametrize("kind", GIVEN)
@pytest.mark.parametrize("count", [1, 40])
def test_pixels_of_another_kind_than_in_training_have_the_same_answers(
    pictures, of_bytes, kind, count
):
    change, tolerance = GIVEN[kind]
    images = pictures[0][:count]
    wanted = of_bytes.predict_proba(images, "numpy")
    np.testing.assert_allclose(
        of_bytes.predict_proba(change(images), "numpy"), wanted, atol=tolerance
    )


@pytest.mark.parametrize(
    "change",
    [lambda x: x / 78 - 0.42, lambda x: x / 127.5 - 1, lambda x: x * 300, lambda x: x / 78.0],
)
def test_what_cannot_be_pixels_of_the_training_data_is_refused(pictures, of_bytes, change):
    with pytest.raises(ArgumentError, match="images must be pixels from 0 to 255, as in training"):
        of_bytes.predict(change(pictures[0].astype(float)))


@pytest.mark.parametrize("value", [1, 16])
def test_dark_bytes_are_scaled_by_their_own_range(pictures, value):
    images = (pictures[0] > 127).astype(np.uint8) * np.uint8(value)
    network, _ = trained(images, pictures[1])
    assert network.pixel_scale == 1 / value
    binary = np.where(images > 0, 255, 0).astype(np.uint8)
    np.testing.assert_array_equal(
        network.predict(binary, "numpy"), network.predict(images, "numpy")
    )


@pytest.mark.parametrize(("low", "high"), [(-2.4, 2.0), (0, 1e6), (-30, 255)])
@pytest.mark.parametrize("sparse", [False, True])
def test_pixels_are_not_chosen_for_other_numbers(low, high, sparse):
    x = np.zeros((9, 4))
    x[3, 1], x[5, 2] = low, high
    x = pytest.importorskip("scipy.sparse").csr_matrix(x) if sparse else x
    with pytest.raises(ArgumentError, match=r"scaling must not be 'pixels'.*; got numbers from"):
        fastmlp.train(fastmlp.Network((4, 3)), (x, np.arange(9) % 3), scaling="pixels")


def test_a_table_is_standardised_and_a_constant_column_has_no_effect():
    network, history = trained(TABLE, CLASSES)
    assert history.scaling == "4 columns, standardised"
    scaled, _ = network.as_rows(TABLE)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(scaled.std(axis=0), [1, 1, 0, 1], atol=1e-5)
    for one, other in ((TABLE.astype(object), TABLE), (TABLE.tolist(), TABLE)):
        np.testing.assert_array_equal(
            network.predict(one, "numpy"), network.predict(other, "numpy")
        )
    moved = TABLE + np.array([0, 0, 1e6, 0])
    np.testing.assert_array_equal(
        network.predict_proba(moved, "numpy"), network.predict_proba(TABLE, "numpy")
    )
    cost, _ = network.evaluate(TABLE, CLASSES, "numpy")
    assert fastmlp.gradients(network, TABLE, CLASSES, "numpy")[0] == pytest.approx(cost, 1e-5)
    judged = trained(TABLE, CLASSES, validation=(TABLE, CLASSES))[1].validation_cost[-1]
    assert judged == pytest.approx(cost, 1e-5)
    fastmlp.train(network, (TABLE[:3] * 2, CLASSES[:3]), **SETTINGS)
    np.testing.assert_array_equal(network.as_rows(TABLE)[0], scaled)


SENSIBLE = {
    "normal": RNG.normal(size=(50, 6)),
    "0 to 1": RNG.random((50, 6)),
    "bits": RNG.integers(0, 2, (50, 6)).astype(float),
    "one row": np.full((1, 6), 900.0),
    "constant": RNG.normal(size=(50, 6)) * [1, 1, 1, 1, 1, 0] + [0, 0, 0, 0, 0, 0.1],
    "a third of many": RNG.random((50, 60)) * np.where(np.arange(60) < 20, 0.1, 1),
}


@pytest.mark.parametrize("name", SENSIBLE)
def test_numbers_of_a_sensible_scale_stay_as_they_are(name):
    images = SENSIBLE[name].astype(np.float32)
    sizes = images.shape[1], 4, 2
    network, history = trained(images, np.arange(len(images)) % 2, sizes)
    assert "not scaled" in history.scaling
    np.testing.assert_array_equal(network.as_rows(images)[0], images)
    with pytest.raises(ArgumentError, match="images must be on the scale of the training data"):
        network.predict(images * 1000)


BITS = RNG.integers(0, 2, (50, 70)).astype(float)
UNEQUAL = {
    "two small of nine": np.c_[BITS[:, :7], RNG.exponential(0.002, (50, 2))],
    "a rate": np.c_[RNG.integers(1, 6, (50, 2)), RNG.choice([0.07, 0.19], 50)],
    "one of 31": np.c_[RNG.normal(size=(50, 30)), RNG.random(50) / 10],
    "small beside many bits": np.c_[BITS, RNG.random((50, 3)) / 10],
}


@pytest.mark.parametrize("name", UNEQUAL)
def test_a_table_is_standardised_if_a_column_varies_little(name):
    images = UNEQUAL[name]
    sizes = images.shape[1], 4, 2
    assert "standardised" in trained(images, np.arange(50) % 2, sizes)[1].scaling


@pytest.mark.parametrize(("most", "inputs"), [(90, 4), (1, 4), (255, 64), (1, 64)])
def test_bytes_in_named_columns_are_scaled_as_other_integers(most, inputs):
    pandas = pytest.importorskip("pandas")
    numbers = RNG.integers(0, most + 1, (200, inputs))
    frame = pandas.DataFrame(numbers, columns=[f"c{k}" for k in range(inputs)])
    answers = []
    for dtype in ("int64", "uint8"):
        given = frame.astype(dtype)
        network, history = trained(given, CLASSES, (inputs, 4, 2))
        assert ("standardised" if most == 90 else "pixels") in history.scaling or most == 1
        answers.append(network.predict_proba(given, "numpy"))
    np.testing.assert_allclose(*answers, rtol=1e-5)


def test_a_sparse_matrix_is_divided_by_the_largest_magnitudes():
    from scipy.sparse import csr_matrix

    counts = RNG.poisson(0.3, (60, 5)) * [1, 10, 100, -1, 0]
    network, history = trained(csr_matrix(counts), counts[:, 1] > 0, (5, 4, 2))
    assert "divided by the largest magnitude" in history.scaling
    largest = np.abs(counts).max(axis=0)
    wanted = np.divide(counts, largest, out=np.zeros(counts.shape), where=largest > 0)
    for given in (counts, csr_matrix(counts)):
        np.testing.assert_allclose(as_dense(network.as_rows(given)[0]), wanted, rtol=1e-6)


def test_nan_is_refused_or_filled_with_the_median_of_training(tmp_path):
    holes = np.where(RNG.random(TABLE.shape) < 0.1, np.nan, TABLE)
    row, column = np.argwhere(np.isnan(holes))[0]
    said = f"the first of them row {row}, column {column}. .* impute=.median."
    with pytest.raises(ArgumentError, match=said):
        trained(holes, CLASSES)
    with pytest.raises(ArgumentError, match=r"must be finite; .* Make them NaN, which are filled"):
        trained(np.where(np.isnan(holes), np.inf, TABLE), CLASSES, impute="median")
    network, history = trained(holes, CLASSES, impute="median")
    assert "missing values filled" in history.scaling
    path = tmp_path / "model.safetensors"
    network.save(path)
    medians = np.nanmedian(holes, axis=0)
    for each in (network, fastmlp.Network.load(path)):
        found, wanted = (each.as_rows(x)[0] for x in (np.full((1, 4), np.nan), medians[None]))
        np.testing.assert_allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize("choice", [c for c in CHOICES if c])
def test_a_choice_is_kept_and_in_the_file(tmp_path, pictures, choice):
    network, _ = trained(pictures[0].astype(float), pictures[1], scaling=choice)
    assert network.scaling.kind == choice
    path = tmp_path / "model.safetensors"
    network.save(path)
    again = fastmlp.Network.load(path)
    assert str(again.scaling) == str(network.scaling)
    np.testing.assert_array_equal(
        again.predict_proba(pictures[0], "numpy"), network.predict_proba(pictures[0], "numpy")
    )
    other = next(c for c in CHOICES if c not in (None, choice))
    with pytest.raises(ArgumentError, match="scaling must be that of the first training"):
        fastmlp.train(again, pictures, scaling=other, **SETTINGS)


def test_a_scaling_that_is_damaged_is_refused(tmp_path):
    network, _ = trained(TABLE, CLASSES)
    for factor in (network.scaling.factor[:2], network.scaling.factor * np.nan):
        object.__setattr__(network.scaling, "factor", factor)
        network.save(tmp_path / "model.safetensors")
        with pytest.raises(ModelError, match=r"version: scaling\.factor"):
            fastmlp.Network.load(tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    ("how", "message"),
    [({"scaling": "minmax"}, "scaling must be one"), ({"impute": 0}, "impute must be one")],
)
def test_unknown_choices_are_named(how, message):
    with pytest.raises(ArgumentError, match=message):
        trained(TABLE, CLASSES, **how)


def test_a_run_that_fails_leaves_the_network_undecided():
    network = fastmlp.Network((4, 6, 2), output="identity", cost="squared_error")
    with pytest.raises(ArgumentError, match="epochs"):
        fastmlp.train(network, (TABLE, CLASSES), epochs=-1)
    with pytest.raises(DivergedError, match="has its initial parameters"):
        fastmlp.train(network, (TABLE, CLASSES), **SETTINGS | {"learning_rate": 1e30})
    assert network.scaling is None


def test_a_search_for_a_rate_scales_as_training_does():
    network = fastmlp.Network((4, 6, 2))
    assert 1e-3 < fastmlp.find_learning_rate(network, (TABLE, CLASSES), backend="numpy") < 100
    assert network.scaling is None


def test_each_kind_of_scaling_can_be_decided():
    assert FITS.keys() == KINDS.keys()
