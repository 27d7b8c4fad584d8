"""The engine: the same bits for any team, sparse or dense, and one program for every network."""

import hashlib
import itertools

import numpy as np
import pytest
from fastmlp.kernels.codes import MOST_INPUTS
from fastmlp.kernels.elementwise import exp
from fastmlp.kernels.encoding import MASKS_PAY
from fastmlp.kernels.job import layer_records
from fastmlp.kernels.masks import PART
from fastmlp.kernels.options import entry
from fastmlp.kernels.tiles import TILE_ROWS

import fastmlp
from fastmlp import kernels, reference
from fastmlp.kernels import encoding, launch, options, share, step

NETWORKS = [
    ((784, 128, 10), 64),
    ((784, 16, 16, 10), 10),
    ((784, 200, 70, 10), 96),
    ((784, 40, 3), 1),
    ((785, 33, 2), MASKS_PAY),
    ((9, 5, 2), 3),
]
SETTINGS = [{}, {"momentum": 0.9, "nesterov": True}, {"weight_decay": 0.01}]


def pixels(rng, count, inputs, density=0.2):
    images = rng.integers(1, 256, (count, inputs), np.uint8)
    images[rng.random(images.shape) > density] = 0
    return images


def trained(
    network, images, labels, batch_size, threads, backend=kernels, scale=1 / 255, **settings
):
    engine = backend.Engine(
        network.weights,
        network.biases,
        network.activations,
        network.cost,
        batch_size,
        threads=threads,
        **settings,
    )
    order = np.random.default_rng(1).permutation(len(images))
    steps = -(-len(images) // batch_size)
    costs, correct = engine.train(images, labels, order, np.full(steps, 0.05), scale)
    parameters = [np.empty_like(p) for p in (*network.weights, *network.biases)]
    layers = len(network.weights)
    engine.read(parameters[:layers], parameters[layers:])
    return parameters, costs, correct


def fingerprint(run):
    parameters, costs, correct = run
    return hashlib.sha256(b"".join(p.tobytes() for p in (*parameters, costs))).hexdigest(), correct


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize(("sizes", "batch_size"), NETWORKS, ids=str)
def test_any_number_of_threads_gives_the_same_bits(sizes, batch_size, settings):
    rng = np.random.default_rng(0)
    images, labels = (
        pixels(rng, 3 * batch_size + 5, sizes[0]),
        rng.integers(0, 2, 3 * batch_size + 5),
    )
    network = fastmlp.Network(sizes)
    for data in (images, images / np.float32(255)):  # sparse, dense
        prints = {
            fingerprint(trained(network, data, labels, batch_size, threads, **settings))
            for threads in (1, 2, 3, 4, 8, 2)
        }
        assert len(prints) == 1


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize(("sizes", "batch_size"), NETWORKS, ids=str)
def test_sparse_images_train_as_the_reference_says(sizes, batch_size, settings):
    rng = np.random.default_rng(0)
    count = 5 * batch_size + 3
    images, labels = pixels(rng, count, sizes[0]), rng.integers(0, 2, count)
    assert encoding.is_sparse(images)
    network = fastmlp.Network(sizes)
    exact = fastmlp.Network(sizes, dtype="float64")
    for mine, theirs in zip(network.weights, exact.weights, strict=True):
        theirs[...] = mine
    got = trained(network, images, labels, batch_size, 2, **settings)
    wanted = trained(exact, images, labels, batch_size, None, reference, **settings)
    eps = np.finfo(np.float32).eps
    for mine, theirs in zip(got[0], wanted[0], strict=True):
        assert np.abs(mine - theirs).max() <= 16 * eps * 6 * np.sqrt(sizes[0])
    np.testing.assert_allclose(got[1], wanted[1], rtol=2000 * eps)


def test_codes_hold_every_pixel_that_is_not_zero(monkeypatch):
    monkeypatch.setattr(encoding, "SPARSE_BELOW", 2.0)
    rng = np.random.default_rng(2)
    for inputs, density in itertools.product((1, 2, 3, 7, 64, 130, 784, 785), (0.0, 0.05, 0.35)):
        images = pixels(rng, 20, inputs, density)
        taken = encoding.Inputs(images, True, False, 2)
        for image, begin in zip(images, taken.offsets, strict=False):
            count = int(taken.codes[begin : begin + 4].view(np.uint32)[0])
            entries = taken.codes[begin + 4 : begin + 4 + 4 * count].view(np.uint32)
            back = np.zeros(inputs + inputs % 2, np.uint8)
            pair = entries & 0xFFFF
            assert (np.diff(pair.astype(int)) > 0).all()
            back[2 * pair], back[2 * pair + 1] = entries >> 16 & 255, entries >> 24
            np.testing.assert_array_equal(back[:inputs], image)


def test_dense_pixels_are_not_encoded():
    rng = np.random.default_rng(3)
    assert not encoding.is_sparse(pixels(rng, 300, 50, 0.9))
    assert not encoding.is_sparse(np.zeros((300, 50), np.float32))


def test_another_network_compiles_nothing():
    rng = np.random.default_rng(4)
    launch.prepare(np.dtype("float32"))
    before = {n: dict(k.compiled) for n, k in options.Shared.by_name.items()}
    programs = len(launch._run_team.signatures)
    for sizes, hidden, output, cost in (
        ((30, 20, 4), "tanh", "sigmoid", "squared_error"),
        ((11, 50, 60, 3), "leaky_relu", "softmax", "cross_entropy"),
        ((7, 1), "relu", "step", "perceptron"),
    ):
        network = fastmlp.Network(sizes, hidden, output, cost)
        for images in (pixels(rng, 50, sizes[0]), rng.random((50, sizes[0]), np.float32)):
            labels = rng.integers(0, 2, (50, sizes[-1])).astype(np.float32)
            trained(network, images, labels, 8, 2)
            network.predict(images)
    assert {n: dict(k.compiled) for n, k in options.Shared.by_name.items()} == before
    assert len(launch._run_team.signatures) == programs


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["exp", "sigmoid", "tanh"])
def test_functions_of_our_own_are_as_exact_as_they_say(name, dtype):
    rng = np.random.default_rng(5)
    x = np.concatenate([rng.uniform(-s, s, 20_000) for s in (1e-3, 1, 20, 80)]).astype(dtype)
    exact = {
        "exp": np.exp,
        "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
        "tanh": np.tanh,
    }[name](x.astype(np.longdouble))
    got = evaluate(name, x)
    assert np.all(np.abs(got / exact - 1) <= 2e-7 * np.finfo(dtype).eps / np.finfo(np.float32).eps)
    special = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1e4, -1e4, 1e-40], dtype)
    ends = {
        "exp": [1, 1, np.nan, np.inf, 0, np.inf, 0, 1],
        "sigmoid": [0.5, 0.5, np.nan, 1, 0, 1, 0, 0.5],
        "tanh": [0, 0, np.nan, 1, -1, 1, -1, special[-1]],
    }[name]
    np.testing.assert_array_equal(evaluate(name, special), np.array(ends, dtype))


@entry(parallel=False)
def exp_of_each(x, y):
    for i in range(len(x)):
        y[i] = exp(x[i])


def evaluate(name, x):
    """f(x) by the compiled code: sigmoid and tanh as a layer's activation, exp by itself."""
    y = np.empty_like(x)
    if name == "exp":
        exp_of_each(x, y)
        return y
    one = kernels.pack_weights(np.ones((1, 1), x.dtype))
    y = np.empty((len(x), 1), x.dtype)
    kernels.forward(x.reshape(-1, 1), one, np.zeros(1, x.dtype), name, y)
    return y[:, 0]


def test_masks_with_every_bit_set(monkeypatch):
    """A batch in which every pixel is in every sample; and part of another in most."""
    images = np.full((3 * PART, 6), 7, np.uint8)
    images[:, 3:] = 0
    images[::2, 3:] = 1
    labels, network = np.arange(3 * PART) % 2, fastmlp.Network((6, 20, 2))
    monkeypatch.setattr(encoding, "SPARSE_BELOW", 2.0)
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


def test_images_too_wide_for_the_code_are_taken_as_dense():
    images = np.zeros((2, MOST_INPUTS + 1), np.uint8)
    images[:, -1] = 255
    network = fastmlp.Network((MOST_INPUTS + 1, 2, 2), seed=1)
    assert not encoding.is_sparse(images)
    np.testing.assert_allclose(
        network.predict_proba(images), network.predict_proba(images, "numpy"), atol=1e-6
    )


@pytest.mark.parametrize("members", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("hidden", [16, 33, 64, 100, 128, 200, 256])
def test_members_that_do_not_wait_for_each_other_touch_other_weights(hidden, members):
    network = fastmlp.Network((30, hidden, 10))
    layers, _ = layer_records(network.weights, network.biases, network.activations, members)
    first, batch = layers[0], 64
    if not step.is_apart.py_func(layers.view(np.recarray), batch, members):
        return
    panels, width = int(first["panels"]), int(first["width"])
    row_tiles, tiles = -(-batch // TILE_ROWS), -(-hidden // TILE_ROWS)
    shared = share.share.py_func
    for member in range(members):
        begin, end = shared(panels * row_tiles, member, members)
        read = {unit // row_tiles * width + k for unit in range(begin, end) for k in range(width)}
        begin, end = shared(tiles, member, members)
        written = {tile * TILE_ROWS + k for tile in range(begin, end) for k in range(TILE_ROWS)}
        assert read == written
