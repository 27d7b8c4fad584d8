"""What training and evaluation take as data, and the share that is held out."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

import fastmlp
from fastmlp.training.validation import hold_out

RNG = np.random.default_rng(0)
X, Y = RNG.random((90, 4)), np.repeat([0, 1, 2], [60, 25, 5])
TEST = fastmlp.Split(X[::3], Y[::3])
DATA = fastmlp.Dataset("some", fastmlp.Split(X, Y), TEST, tuple("abc"), (2, 2), "here")


def trained(*data, **settings):
    network = fastmlp.Network(4, 3)
    history = fastmlp.train(network, *data, **{"epochs": 2, "backend": "numpy", **settings})
    return [a.tobytes() for a in network.weights], history


FORMS = {"apart": (X, Y), "split": (DATA.train,), "set": (DATA,), "lists": ([X.tolist(), [*Y]],)}


@pytest.mark.parametrize("name", FORMS)
def test_data_in_every_form_train_the_same_network(name):
    assert trained(*FORMS[name])[0] == trained((X, Y))[0]
    network = fastmlp.Network(4, 3)
    rate = fastmlp.find_learning_rate(network, *FORMS[name], backend="numpy")
    assert rate == fastmlp.find_learning_rate(network, (X, Y), backend="numpy")


def test_a_data_set_is_tested_on_its_test_part():
    network = fastmlp.Network(4, 3)
    wanted = network.evaluate(TEST.images, TEST.labels, "numpy")
    for data in (TEST, DATA, (TEST.images, TEST.labels)):
        assert network.evaluate(data, backend="numpy") == wanted
        assert network.accuracy(data, backend="numpy") == wanted.accuracy


def test_columns_of_a_split_are_found_by_name():
    network, names = fastmlp.Network(4, 3), ("a", "b", "c", "d")
    fastmlp.train(network, fastmlp.Split(X, Y, names), epochs=2, backend="numpy")
    turned = fastmlp.Split(X[:, ::-1], Y, names[::-1])
    assert network.evaluate(turned, backend="numpy") == network.evaluate(X, Y, "numpy")


def test_sizes_one_by_one():
    for network in (
        fastmlp.Network(4, 5, 3, hidden="tanh", seed=2),
        fastmlp.Network([4, 5, 3], "tanh", seed=2),
        fastmlp.Network(sizes=np.array([4, 5, 3]), hidden="tanh", seed=2),
    ):
        assert network.sizes == (4, 5, 3)
        assert network.hidden == ("tanh",)
        np.testing.assert_array_equal(
            network.weights[0], fastmlp.Network((4, 5, 3), "tanh", seed=2).weights[0]
        )


def test_callbacks_are_one_or_several_or_none():
    seen = []
    for callbacks in (None, (), seen.append, [seen.append]):
        trained(X, Y, callbacks=callbacks)
    assert len([one for one in seen if one.epoch_ended]) == 4


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_each_class_has_the_same_share_in_both_parts(share):
    rows, held = hold_out(Y, share, 3)
    assert sorted([*rows, *held]) == [*range(90)]
    assert len(held) == round(share * 90)
    for label in range(3):
        assert abs((Y[held] == label).sum() - share * (label == Y).sum()) <= 1
    again, other = hold_out(Y, share, np.random.default_rng(3)), hold_out(Y, share, 4)
    np.testing.assert_array_equal(again[1], held)
    assert not np.array_equal(other[1], held)


def test_a_class_of_one_sample_trains_and_each_of_a_small_class_is_held_out_at_times():
    classes = np.repeat([0, 1, 2], [5, 100, 1])
    counts = np.zeros(106)
    for seed in range(400):
        held = hold_out(classes, 0.1, seed)[1]
        assert len(held) == 11
        counts[held] += 1
    assert counts[-1] == 0
    np.testing.assert_allclose(counts[:-1].mean(), 400 * 11 / 105)
    assert abs(counts[:5].mean() - counts[5:-1].mean()) < 10
    assert (counts[:-1] > 0).all()


def test_a_class_of_several_samples_keeps_one():
    classes = np.repeat(range(6), [5, 1, 1, 1, 1, 1])
    for seed in range(20):
        kept, held = hold_out(classes, 0.5, seed)
        assert {0} <= set(classes[kept]) & set(classes[held])


TABLE = X * [1e3, 1e-3, 1, 50] + 7
COUNTS = np.where(X > 0.7, TABLE, 0)
KINDS = {
    "small": (lambda x: X[x], {}),
    "standardised": (lambda x: TABLE[x], {}),
    "filled": (lambda x: np.where(X[x] < 0.2, np.nan, TABLE[x]), {"impute": "median"}),
    "sparse": (lambda x: csr_matrix(COUNTS[x]), {}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_held_out_rows_have_no_effect_on_how_inputs_are_scaled(kind):
    make, how = KINDS[kind]
    rows, held = hold_out(Y, 0.2, 5)
    wanted = trained(make(rows), Y[rows], validation=(make(held), Y[held]), seed=5, **how)
    found = trained(make(slice(None)), Y, validation=0.2, seed=5, **how)
    assert found[0] == wanted[0]
    assert found[1].validation_cost == wanted[1].validation_cost


@pytest.mark.parametrize("seed", [5, "generator"])
def test_a_share_is_held_out_with_its_weights(seed):
    def new():
        return np.random.default_rng(7) if seed == "generator" else seed

    weight = RNG.random(90)
    rows, held = hold_out(Y, 0.2, new())
    own = {"seed": new(), "sample_weight": weight[rows], "validation": (X[held], Y[held])}
    wanted, history = trained(X[rows], Y[rows], **own)
    found = trained(X, Y, seed=new(), sample_weight=weight, validation=0.2)
    assert found[0] == wanted
    assert found[1].validation_cost == history.validation_cost


def test_a_network_learns_the_names_of_its_data_set(tmp_path):
    (tmp_path / "t.csv").write_text("size,kind\n" + "1,small\n9,large\n" * 20)
    data = fastmlp.load_dataset(tmp_path / "t.csv")
    network = fastmlp.Network(1, 4, 2)
    fastmlp.train(network, data, epochs=2, backend="numpy")
    network.save(tmp_path / "m.safetensors")
    again = fastmlp.Network.load(tmp_path / "m.safetensors")
    assert again.class_names == data.class_names == ("large", "small")
    assert again.columns == data.columns
