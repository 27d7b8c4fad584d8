"""The engine: the same bits for any team, images as they are now, one program for all networks."""

import itertools
from contextlib import suppress

import numpy as np
import pytest
from networks import FORMS, TWINS, fingerprint, parameters, pixels, rate_for, read

import fastmlp
from fastmlp import kernels, reference
from fastmlp.functions import OPTIMIZERS
from fastmlp.kernels import launch
from fastmlp.kernels.llvm.compile import Shared
from fastmlp.kernels.memory import buffers, tuning
from fastmlp.kernels.memory.records import BY_GROUP, BY_IMAGE, DENSE
from fastmlp.kernels.memory.tuning import BY_GROUP_FROM, MOST_LISTED, PART
from fastmlp.kernels.step import source
from fastmlp.verify.tables import TABLES

NETWORKS = [
    ((784, 128, 10), 64),
    ((784, 16, 16, 10), 10),
    ((784, 200, 70, 10), 96),
    ((784, 40, 3), 1),
    ((785, 33, 2), BY_GROUP_FROM),
    ((9, 5, 2), 3),
]
STEPS = TABLES["step"]


def engine_of(module, network, batch_size, threads=None, step=("sgd", {})):
    what = network.weights, network.biases, network.activations, network.cost
    return module.Engine(*what, batch_size, *step, threads)


def trained(network, images, labels, batch_size, threads, module=kernels, scale=1 / 255, step=None):
    step = step or ("sgd", {})
    engine = engine_of(module, network, batch_size, threads, step)
    order = np.random.default_rng(1).permutation(len(images))
    steps = -(-len(images) // batch_size)
    costs, correct = engine.train(
        images, labels, order, np.full(steps, rate_for(*step, 0.05)), scale
    )
    return read(engine, network.weights, network.biases), costs, correct


@pytest.mark.parametrize("step", FORMS)
@pytest.mark.parametrize(("sizes", "batch_size"), NETWORKS, ids=str)
def test_any_number_of_threads_gives_the_same_bits(sizes, batch_size, step):
    rng, count = np.random.default_rng(0), 3 * batch_size + 5
    images, labels = pixels(rng, count, sizes[0]), rng.integers(0, 2, count)
    network = fastmlp.Network(sizes)
    for data in (images, images / np.float32(255)):  # sparse, dense
        prints = set()
        for threads in (1, 2, 3, 4, 8, 2):
            found, costs, correct = trained(
                network, data, labels, batch_size, threads, step=STEPS[step]
            )
            prints.add((fingerprint(*found, costs), correct))
        assert len(prints) == 1


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(("sizes", "batch_size"), NETWORKS, ids=str)
def test_sparse_images_train_as_the_reference_says(sizes, batch_size, step):
    rng, count = np.random.default_rng(0), 5 * batch_size + 3
    images, labels = pixels(rng, count, sizes[0]), rng.integers(0, 2, count)
    assert source.kind_of(images, 2) == BY_GROUP
    network, exact = fastmlp.Network(sizes), fastmlp.Network(sizes, dtype="float64")
    for mine, theirs in zip(network.weights, exact.weights, strict=True):
        theirs[...] = mine
    got = trained(network, images, labels, batch_size, 2, step=STEPS[step])
    wanted = trained(exact, images, labels, batch_size, None, reference, step=STEPS[step])
    eps = np.finfo(np.float32).eps
    for mine, theirs in zip(got[0], wanted[0], strict=True):
        assert np.abs(mine - theirs).max() <= 16 * eps * 6 * np.sqrt(sizes[0])
    np.testing.assert_allclose(got[1], wanted[1], rtol=2000 * eps)


def test_dense_pixels_are_not_taken_as_sparse():
    rng = np.random.default_rng(3)
    assert source.kind_of(pixels(rng, 300, 50, 0.9), 2) == DENSE
    assert source.kind_of(np.zeros((300, 50), np.float32), 2) == DENSE


@pytest.mark.parametrize(
    ("batch_size", "step", "kind"),
    [
        (1, "sgd", BY_IMAGE),
        (BY_GROUP_FROM - 1, "sgd", BY_IMAGE),
        (BY_GROUP_FROM, "sgd", BY_GROUP),
        (1, "momentum", BY_GROUP),
        (1, "sgd, other settings", BY_GROUP),
    ],
)
def test_small_minibatches_of_sparse_images_are_taken_image_by_image(batch_size, step, kind):
    network, rng = fastmlp.Network((20, 16, 2)), np.random.default_rng(0)
    images, y, order = pixels(rng, 40, 20), np.zeros(40, int), np.arange(batch_size)
    engine = engine_of(kernels, network, batch_size, 1, STEPS[step])
    engine.train(images, y, order, np.full(1, 0.1))
    assert engine.job["images_as"] == kind
    assert engine.inputs.startswith("sparse, 1")
    engine.train(pixels(rng, 40, 20, 1.0), y, order, np.full(1, 0.1))
    assert engine.job["images_as"] == DENSE
    assert engine.inputs == "dense, 100.0% of the values are not zero"
    single = engine_of(kernels, fastmlp.Network((20, 2)), batch_size, 1)
    single.train(images, y, order, np.full(1, 0.1))
    assert single.job["images_as"] == DENSE  # what sparse images save is too little there


def test_another_network_compiles_nothing():
    rng = np.random.default_rng(4)
    launch.prepare(np.dtype("float32"))
    kernels = [*Shared.by_name.values(), launch._team]
    before = [dict(kernel.compiled) for kernel in kernels]
    for sizes, hidden, output, cost in (
        ((30, 20, 4), "tanh", "sigmoid", "squared_error"),
        ((11, 50, 60, 3), "leaky_relu", "softmax", "cross_entropy"),
        ((7, 1), "relu", "step", "perceptron"),
        ((9, 70, 80, 3), "gelu", "softplus", "squared_error"),
    ):
        network = fastmlp.Network(sizes, hidden, output, cost)
        for images in (pixels(rng, 50, sizes[0]), rng.random((50, sizes[0]), np.float32)):
            labels = rng.integers(0, 2, (50, sizes[-1])).astype(np.float32)
            for step in STEPS.values():
                trained(network, images, labels, 8, 2, step=step)
            network.predict(images)
    assert [dict(kernel.compiled) for kernel in kernels] == before


def test_words_with_every_bit_set(monkeypatch):
    """A batch in which every pixel is in every sample; and part of another in most."""
    images = np.full((3 * PART, 6), 7, np.uint8)
    images[:, 3:] = 0
    images[::2, 3:] = 1
    labels, network = np.arange(3 * PART) % 2, fastmlp.Network((6, 20, 2))
    monkeypatch.setattr(tuning, "SPARSE_BELOW", 2.0)
    sparse = trained(network, images, labels, 2 * PART + 2, 1)
    dense = trained(network, images / np.float32(255), labels, 2 * PART + 2, 1, scale=1.0)
    for mine, theirs in zip(sparse[0], dense[0], strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)


def test_what_lies_in_the_padding_never_reaches_a_result():
    """With all logits far below 0, e^(0 - max z) of a padding column is infinite."""
    rng = np.random.default_rng(6)
    images, labels = pixels(rng, 9, 30), rng.integers(0, 3, 9)
    network = fastmlp.Network((30, 5, 4, 3))
    network.biases[-1][:] = -200
    got = trained(network, images, labels, 1, 1)
    wanted = trained(network, images, labels, 1, None, reference)
    for mine, theirs in zip(got[0], wanted[0], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("inputs", [2 * MOST_LISTED + n for n in (-1, 0, 1, 2, 131)])
def test_images_with_more_pairs_than_a_list_has_numbers(inputs):
    rng = np.random.default_rng(0)
    images, y = np.zeros((5, inputs), np.uint8), np.array([0, 1, 1, 0, 1])
    images[:, rng.integers(0, inputs, 300)] = rng.integers(1, 256, (5, 300))
    images[:, [0, -3, -2, -1]] = 200  # what a number of 16 bits would take for others
    network = fastmlp.Network((inputs, 2, 2), "tanh", seed=1)
    network.weights[0][...] *= 20
    for data in (images, images[:2]):
        outputs = network.predict_proba(data)
        np.testing.assert_allclose(outputs, network.predict_proba(data, "numpy"), atol=1e-6)
    got, wanted = (
        engine_of(module, network, 5).trace(images, y, np.arange(5), 1 / 255) for module in TWINS
    )
    assert np.abs(wanted.dw[0]).max() > 1e-3
    np.testing.assert_allclose(got.dw[0], wanted.dw[0], atol=1e-6)
    np.testing.assert_allclose(got.a[0], wanted.a[0], atol=1e-5)


@pytest.mark.parametrize("inputs", [20, 21])
@pytest.mark.parametrize("density", [0.2, 1.0])
@pytest.mark.parametrize("batch_size", [1, 2, 15, 16, 17, 63, 64, 65, 100])
def test_images_that_are_changed_between_two_calls_count(batch_size, density, inputs):
    rng = np.random.default_rng(batch_size)
    network, count = fastmlp.Network((inputs, 40, 3), seed=1), batch_size + 3
    first, second = (pixels(rng, count, inputs, density) for _ in range(2))
    y, order, rates = rng.integers(0, 3, count), rng.permutation(count), np.full(2, 0.1)
    one, other = engine_of(kernels, network, batch_size), engine_of(kernels, network, batch_size)
    images, costs = first.copy(), []
    for engine, data in ((one, images), (other, first.copy())):
        engine.train(data, y, order, rates, 1 / 255)
    images[...] = second
    for engine, data in ((one, images), (other, second)):
        costs.append(engine.train(data, y, order, rates, 1 / 255)[0])
    np.testing.assert_array_equal(*costs)
    own = [read(engine, network.weights, network.biases) for engine in (one, other)]
    assert fingerprint(*own[0]) == fingerprint(*own[1])
    # a change of density, too: the engine goes on as it began, and is as right
    images[...] = pixels(rng, count, inputs, 1.2 - density)
    exact = engine_of(reference, network, batch_size)
    for engine in (one, exact):
        engine.write(network.weights, network.biases)
        engine.train(images, y, order, rates, 1 / 255)
    found = [read(engine, network.weights, network.biases) for engine in (one, exact)]
    for mine, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)


@pytest.mark.parametrize("sizes", [(784, 20, 10, 5), (20, 30, 30, 3)], ids=str)
@pytest.mark.parametrize("call", ["plan_memory", "dense_images"])
@pytest.mark.parametrize("sparse_first", [True, False])
def test_a_lack_of_memory_for_other_images_leaves_an_engine_right(
    sizes, call, sparse_first, monkeypatch
):
    rng = np.random.default_rng(0)
    kinds = [pixels(rng, 256, sizes[0], density) for density in (0.05, 1)]
    before, other = kinds if sparse_first else kinds[::-1]
    y, rates, network = rng.integers(0, sizes[-1], 256), np.full(2, 0.01), fastmlp.Network(sizes)

    def fail(*_):
        raise MemoryError

    def trained_on(*images, fails):
        engine = engine_of(kernels, network, 128, 1)
        for number, each in enumerate(images):
            with monkeypatch.context() as patch, suppress(MemoryError):
                if number in fails:
                    patch.setattr(buffers, call, fail)
                engine.train(each, y, np.arange(256), rates, 1 / 255)
        return fingerprint(*read(engine, network.weights, network.biases))

    # some need no memory: then it is nothing but another call
    needs = trained_on(before, other, fails=[1]) == trained_on(before, fails=[])
    kept = [before] if needs else [before, other]
    for then in ([before, other], [other]):
        assert trained_on(before, other, *then, fails=[1]) == trained_on(*kept, *then, fails=[])


@pytest.mark.parametrize("module", TWINS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("batch_size", [4, 40])
@pytest.mark.parametrize("density", [0.2, 1.0])
def test_a_trace_changes_nothing(module, optimizer, batch_size, density):
    rng = np.random.default_rng(0)
    weights, biases = parameters(rng, (21, 64, 128, 3), np.float32)
    images, y = pixels(rng, 50, 21, density), rng.integers(0, 3, 50)
    order, rates = rng.permutation(2 * batch_size) % 50, np.full(2, 0.1)
    prints = set()
    for traces in (False, True):
        names = ("relu", "gelu", "softmax")
        engine = module.Engine(weights, biases, names, "cross_entropy", batch_size, optimizer)
        found = []
        for _ in range(3):
            costs, correct = engine.train(images, y, order, rates, 1 / 255)
            before = read(engine, weights, biases)
            found += [costs, np.array(correct), *before]
            for few in (batch_size, 1, batch_size - 1) if traces else ():
                engine.trace(images, y, order[:few], 1 / 255)
            after = read(engine, weights, biases)
            assert fingerprint(*before) == fingerprint(*after)
        prints.add(fingerprint(*found))
    assert len(prints) == 1
    with pytest.raises(ValueError, match="order"):
        kernels.Engine(weights, biases, names, "cross_entropy", 4).trace(images, y, np.arange(5))


def test_state_and_parameters_come_back_as_they_were_written():
    rng = np.random.default_rng(0)
    for module, optimizer in itertools.product(TWINS, OPTIMIZERS):
        weights, biases = parameters(rng, (9, 70, 3), np.float64)
        engine = module.Engine(weights, biases, ("elu", "softmax"), "cross_entropy", 5, optimizer)
        assert engine.slots == OPTIMIZERS[optimizer].slots
        wanted = parameters(rng, (9, 70, 3), np.float64)
        engine.write(*wanted)
        flat = [*wanted[0], *wanted[1]]
        for slot in engine.slots:
            state = parameters(rng, (9, 70, 3), np.float64)
            engine.write_state(slot, *state)
            flat += [*state[0], *state[1]]
        for mine, theirs in zip(read(engine, weights, biases), flat, strict=True):
            np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("module", TWINS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_settings_can_have_a_value_for_each_step(module, name):
    rng, row = np.random.default_rng(4), OPTIMIZERS[name]
    network = fastmlp.Network((9, 5, 2), hidden="tanh", dtype="float64")
    images, labels, order = rng.normal(size=(11, 9)), rng.integers(0, 2, 11), rng.permutation(11)
    values = {"weight_decay": np.array([0.1, 0.3, 0.0, 0.2])}
    if "epsilon" in row.settings:
        values["epsilon"] = np.array([0.1, 0.01, 0.2, 0.05])
    at_once, one_by_one = (
        engine_of(module, network, 3, step=(name, {"weight_decay": 0.1})) for _ in "12"
    )
    at_once.settings = at_once.settings | values
    at_once.train(images, labels, order, np.full(4, 0.01))
    for k in range(4):
        one_by_one.settings = one_by_one.settings | {n: v[k] for n, v in values.items()}
        one_by_one.train(images, labels, order[3 * k : 3 * k + 3], np.full(1, 0.01), 1.0, k)
    found, wanted = (read(e, network.weights, network.biases) for e in (at_once, one_by_one))
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-15)
