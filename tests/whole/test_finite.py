"""What no sum can hold is refused by every door; NumPy's error settings decide nothing."""

import contextlib

import numpy as np
import pytest

import fastmlp
from fastmlp.backends import backend_named
from fastmlp.datasets import generate_digits
from fastmlp.errors import ArgumentError
from fastmlp.functions import HIDDEN, PAIRS
from fastmlp.verify import verify
from fastmlp.verify.tables import TABLES

BACKENDS = pytest.mark.parametrize("backend", ["compiled", "numpy"])
SETTINGS = {"epochs": 1, "batch_size": 4, "learning_rate": 0.1}


def doors(network, images, labels, backend):
    """Yield a call of each door that takes images, by name."""
    data = (images, labels)
    yield "predict", lambda: network.predict(images, backend)
    yield "predict_proba", lambda: network.predict_proba(images, backend)
    yield "evaluate", lambda: network.evaluate(images, labels, backend)
    yield "gradients", lambda: fastmlp.gradients(network, images, labels, backend)
    yield "train", lambda: fastmlp.train(network, data, backend=backend, **SETTINGS)
    yield "find", lambda: fastmlp.find_learning_rate(network, data, backend=backend)


@BACKENDS
@pytest.mark.parametrize(
    ("dtype", "kind", "value", "message"),
    [
        ("float32", "float64", 1e39, "images must lie between -1.84e.19 and 1.84e.19"),
        ("float32", "float64", -1e39, "images must lie between"),
        ("float32", "float32", 3e38, "images must lie between .* got 3e.38 in row 1"),
        ("float32", "float64", 2e19, "images must lie between"),
        ("float64", "float64", 1e160, "images must lie between .* overflow in float64"),
        ("float32", "float64", np.nan, "images must be finite"),
        ("float32", "longdouble", 1e60, "images must lie between"),
        ("float64", "longdouble", np.longdouble("1e600"), "images must be finite"),
    ],
)
def test_images_that_overflow_are_refused(backend, dtype, kind, value, message):
    images = np.ones((3, 4), kind)
    images[1, 2] = value
    network = fastmlp.Network((4, 3, 2), dtype=dtype)
    for _, call in doors(network, images, [0, 1, 0], backend):
        with pytest.raises(ArgumentError, match=message):
            call()


@BACKENDS
def test_large_images_that_do_not_overflow_are_taken(backend):
    images = np.full((200, 4), 1e19)
    assert np.isfinite(fastmlp.Network((4, 2), "relu").predict_proba(images, backend)).all()
    network = fastmlp.Network((4, 2), dtype="float64")
    assert np.isfinite(network.predict_proba(1e130 * images, backend)).all()


@BACKENDS
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["weights", "biases"])
def test_parameters_that_are_not_finite_are_named(backend, name, value, tmp_path):
    network = fastmlp.Network((4, 3, 2))
    getattr(network, name)[1].reshape(-1)[0] = value
    message = rf"{name} must be finite; got NaN or infinity in 1 of .* of {name}\[1\]"
    for call in (
        lambda: network.save(tmp_path / "model.safetensors"),
        *(call for _, call in doors(network, np.ones((65, 4)), np.zeros(65, int), backend)),
    ):
        with pytest.raises(ArgumentError, match=message):
            call()
    assert not list(tmp_path.iterdir())


@BACKENDS
@pytest.mark.parametrize("count", [1, 9, 65])
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_output_that_is_nan_is_refused(backend, count, outputs, dtype):
    f = "softmax" if outputs > 1 else "sigmoid"
    for images in (np.ones((count, 4)), np.ones((count, 4), np.uint8)):
        network = fastmlp.Network((4, 3, outputs), "tanh", f, dtype=dtype)
        network.weights[0][0, 0] = np.nan
        for call in (network.predict, network.predict_proba):
            with pytest.raises(ArgumentError, match="weights must be finite"):
                call(images, backend)
        network = fastmlp.Network((4, 3, outputs), "relu", f, dtype=dtype)
        most = np.finfo(dtype).max
        network.weights[0][...], network.weights[1][...] = most, most
        network.weights[1][0] = -most
        for call in (network.predict, network.predict_proba):
            with pytest.raises(ArgumentError, match="weights and biases must be so small"):
                call(images.astype(float), backend)
        network = fastmlp.Network((4, 3, outputs), "tanh", f, dtype=dtype)
        network.pixel_scale = np.nan
        if images.dtype == np.uint8:
            with pytest.raises(ArgumentError, match="pixel_scale must be a number above 0"):
                network.predict(images, backend)


@BACKENDS
def test_an_infinite_weight_of_a_pixel_that_is_always_zero(backend):
    images = np.zeros((100, 20), np.uint8)
    images[:, 1] = 200
    network = fastmlp.Network((20, 6, 3))
    network.weights[0][7] = np.inf
    for _, call in doors(network, images, np.zeros(100, int), backend):
        with pytest.raises(ArgumentError, match=r"weights must be finite; got .* of weights\[0\]"):
            call()
    # few images: a NaN is refused, and an answer is that of a weight of 0
    with contextlib.suppress(ArgumentError):
        answer = network.predict_proba(images[:3], backend)
        network.weights[0][7] = 0
        np.testing.assert_allclose(answer, network.predict_proba(images[:3], backend), rtol=1e-5)


def steps(backend):
    """Yield a step of a network for each row of each table, on numbers that under- and overflow."""
    module, order = backend_named(backend), np.arange(4)
    z = np.array([[-1e4, 1e-30, 90], [80, -100, 1e-38], [0, 0, 3e4], [1, 2, 3]], np.float32)
    ws, bs = [z[:3].copy(), z[1:].copy()], [np.full(3, 1e-38, np.float32)] * 2
    targets = (np.abs(z) > 50).astype(np.float32)
    for f in HIDDEN:
        engine = module.Engine(ws, bs, (f, "softmax"), "cross_entropy", 4)
        yield f, lambda engine=engine: engine.trace(z, targets, order)
    for f, cost in PAIRS:
        engine = module.Engine(ws, bs, ("relu", f), cost, 4)
        for y in (targets, np.arange(4) % 3):
            yield f"{f} {cost}", lambda engine=engine, y=y: engine.trace(z, y, order)
    for name, step in TABLES["step"].items():
        engine = module.Engine(ws, bs, ("tanh", "sigmoid"), "squared_error", 2, *step)
        yield name, lambda engine=engine: engine.train(z, targets, order, np.full(2, 1e-20))


def calls(backend):
    """Yield a call of each function of a backend, and of the doors above it, on every row."""
    yield from steps(backend)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, 6), np.uint8)
    images[rng.random(images.shape) < 0.8] = 0
    for number, (f, cost) in enumerate(PAIRS):
        hidden, least = HIDDEN[number % len(HIDDEN)], 2
        network = fastmlp.Network((6, 5, least), hidden, f, cost)
        network.pixel_scale = 1e-30
        network.weights[1][:, 0] *= 1e4
        labels = np.arange(40) % 2
        for what, call in doors(network, images, labels, backend):
            yield f"{what} {hidden} {f} {cost}", call


@BACKENDS
def test_errors_of_floating_point_that_the_user_wants_raised_are_none_of_ours(backend):
    count = 0
    for name, call in calls(backend):
        with np.errstate(all="raise"):
            try:
                call()
            except FloatingPointError as error:
                pytest.fail(f"{name}: {error}")
            except (ArgumentError, fastmlp.DivergedError):
                assert name.startswith(("find", "train")), name
            count += 1
            assert set(np.geterr().values()) == {"raise"}
    assert count > 100


def test_data_and_verification_under_the_same_setting():
    with np.errstate(all="raise"):
        assert len(generate_digits(train=20, test=5, seed=0).train.images) == 20
        assert verify(cases=18).passed
