"""Workloads: their names, their arithmetic, their data."""

from itertools import count

import numpy as np
import pytest

from fastmlp.bench import child, workload
from fastmlp.bench.epochs import describe_workload
from fastmlp.bench.peers import make_peer
from fastmlp.datasets import Dataset, Split
from fastmlp.errors import ArgumentError


def test_a_name_says_sizes_batch_and_density():
    work = workload.parse("784-512-10/128/dense")
    assert (work.sizes, work.batch_size, work.dense) == ((784, 512, 10), 128, True)
    assert all(workload.parse(name).name == name for name in workload.STANDARD)


def test_words_set_a_field_each_in_any_order():
    assert sum(map(len, workload.WORDS.values())) == len(workload.FIELD_OF)
    work = workload.parse("28-30-1/100/momentum/binary/tanh/dense")
    assert work.name == "28-30-1/100/dense/tanh/binary/momentum"
    network = work.network(0)
    assert (network.hidden, network.output, network.cost) == (("tanh",), "sigmoid", "cross_entropy")
    assert workload.parse("4-3-2/8/images/relu/softmax/sgd") == workload.Workload((4, 3, 2), 8)


@pytest.mark.parametrize("name", ["784-10/64/x", "784-10/64/adam/sgd", "784-10/64/adam/adam"])
def test_unknown_and_second_words_are_refused(name):
    with pytest.raises(ArgumentError, match=r"words that are known, one of .* data: images, dense"):
        workload.parse(name)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("784-128-1/64", "two outputs or more, for softmax; got .* Append /binary"),
        ("5-1/1/dense", "two outputs or more"),
        ("5-2/1/dense/binary", "one output, for binary"),
        ("5-2/1/regression", "random input, for regression; got .* Append /dense"),
    ],
)
def test_outputs_that_do_not_fit_are_refused(name, rule):
    with pytest.raises(ArgumentError, match=f"must have {rule}"):
        workload.parse(name)


@pytest.mark.parametrize(
    ("name", "rate"),
    [("9-2/64", 0.1), ("9-2/1", 0.01), ("9-2/64/nesterov", 0.01), ("9-2/64/adam", 0.001)],
)
def test_rates_suit_batch_and_optimiser(name, rate):
    assert workload.parse(name).learning_rate == rate


def test_full_data_is_one_minibatch_and_has_many_passes(monkeypatch):
    monkeypatch.setattr(workload, "FULL_PASSES", 3)
    task = {"implementation": "numpy", "workload": "4-3-2/50/full/tanh/regression/adam"}
    task |= {"dataset": "", "folder": None, "seed": 0, "threads": 1, "epochs": 2}
    peer, data, work = child.make_peer(task)
    assert (len(data.train), data.train.labels.shape) == (50, (50, 2))
    assert (work.passes, work.metric) == (3, "R2")
    calls, clock = [], count(0.0)
    monkeypatch.setattr(child, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(child, "make_peer", lambda _: (peer, data, work))
    monkeypatch.setattr(peer, "epoch", lambda order, rates: calls.append((order, rates)))
    monkeypatch.setattr(child, "SETTLED", 4)  # steps of Adam with a rate of 0: two epochs
    before = child.time_epochs(task)
    assert before["first_epoch_seconds"] == 1
    assert before["epoch_seconds"] == [1 / 3, 1 / 3]
    assert [(len(order), len(rates)) for order, rates in calls] == 5 * [(150, 3)]
    assert [bool(rates.any()) for _, rates in calls] == [True, False, False, True, True]
    assert all((np.sort(order.reshape(3, 50)) == np.arange(50)).all() for order, _ in calls)
    monkeypatch.undo()
    for _ in range(200):
        peer.epoch(np.arange(50), np.full(1, 0.01))
    assert before["accuracy"] < 0 < child.measure_accuracy(peer, data) < 1


@pytest.mark.parametrize("name", ["28-300-1/100/dense/tanh/binary/momentum"])
def test_a_binary_output_learns_to_tell_two_classes(name, monkeypatch):
    monkeypatch.setattr(workload, "DENSE_SAMPLES", 4000)
    work = workload.parse(name)
    network, data = work.network(0), workload.load(work, "", None)
    peer = make_peer("numpy", network, data.train, work.batch_size, 1, work.optimizer)
    for _ in range(3):
        peer.epoch(np.arange(4000), np.full(40, work.learning_rate))
    assert set(data.train.labels) == {0, 1}
    assert child.measure_accuracy(peer, data) > 0.53


@pytest.mark.parametrize("name", ["784-128-10", "784/64", "784-0-10/64", "a-b/1", "784-10/64/"])
def test_another_name_is_refused(name):
    with pytest.raises(ArgumentError, match=r"workload must be sizes/batch, .*; got .* Pass 784"):
        workload.parse(name)


def test_operations_of_a_step_by_hand():
    work = workload.Workload((4, 3, 2), 1)
    forward, update, delta = 2 * (4 * 3 + 3 * 2), 2 * (4 * 3 + 3 * 2), 2 * 3 * 2
    assert work.flops() == forward + update + delta
    assert work.flops(0.25) == forward + update + delta - 0.75 * 2 * 2 * 4 * 3


def test_executed_operations_count_the_pairs_of_pixels_that_are_not_zero():
    images = np.zeros((2, 4), np.uint8)
    images[0, 1] = images[1, 2] = images[1, 3] = 7
    split = Split(images, np.array([0, 1]))
    data = Dataset("tiny", split, split, ("0", "1"), (2, 2), "here")
    work = workload.Workload((4, 3, 2), 1)
    assert describe_workload(work, data)["executed_flops_per_sample"] == work.flops(0.5)
    flat = workload.Workload((4, 2), 1)  # without a hidden layer nothing is skipped
    assert describe_workload(flat, data)["executed_flops_per_sample"] == flat.flops()
    images[0, 0] = 7  # half of the pixels
    assert describe_workload(work, data)["executed_flops_per_sample"] == work.flops()


def test_dense_data_is_dense_and_can_be_learnt(monkeypatch):
    monkeypatch.setattr(workload, "DENSE_SAMPLES", 2000)
    monkeypatch.setattr(workload, "DENSE_TESTS", 500)
    data = workload.load(workload.parse("50-3/10/dense"), "mnist", None)
    assert data.train.images.dtype == np.float32
    assert (data.train.images != 0).mean() > 0.99
    means = np.stack([data.train.images[data.train.labels == k].mean(0) for k in range(3)])
    nearest = ((data.test.images[:, None] - means) ** 2).sum(2).argmin(1)
    assert 0.4 < (nearest == data.test.labels).mean() < 0.99


@pytest.mark.parametrize("name", workload.TABLES)
def test_networks_on_tables_learn_with_their_rate(name):
    """Two epochs come close to the class of the nearest mean, which is the best possible."""
    work = workload.parse(name)
    data = workload.load(work, "", None)
    samples = len(data.train)
    peer = make_peer("fastmlp", work.network(0), data.train, work.batch_size, 1)
    rates = np.full(-(-samples // work.batch_size), work.learning_rate)
    for _ in range(2):
        peer.epoch(np.arange(samples), rates)
    right = child.measure_accuracy(peer, data)
    means = [data.train.images[data.train.labels == k].mean(0) for k in range(work.sizes[-1])]
    nearest = ((data.test.images[:, None] - np.stack(means)) ** 2).sum(2).argmin(1)
    best, chance = float((nearest == data.test.labels).mean()), 1 / work.sizes[-1]
    assert right - chance > 0.7 * (best - chance)


def test_a_network_that_does_not_fit_the_data_is_refused(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {f"x_{part}": rng.integers(0, 9, (20, 4, 4), np.uint8) for part in ("train", "test")}
    arrays |= {f"y_{part}": np.arange(20) % 3 for part in ("train", "test")}
    np.savez(tmp_path / "some.npz", **arrays)
    with pytest.raises(
        ArgumentError, match=r"16 inputs and 3 outputs.* Pass data that fit, or app"
    ):
        workload.load(workload.parse("784-10/64"), str(tmp_path / "some.npz"), None)
