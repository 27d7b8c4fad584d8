"""Every argument of the public functions, replaced by what it should not be: the right result, or
the documented error; never another exception, never a crash."""

import contextlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fastmlp
from fastmlp import kernels, reference
from fastmlp.errors import ArgumentError, FastMLPError

B, I, O = 5, 12, 4
RNG = np.random.default_rng(0)
NETWORK = fastmlp.Network((I, 6, O))
IMAGES, LABELS = RNG.integers(0, 256, (B, I), np.uint8), np.arange(B) % O


def odd(array):
    """Yield what an array may be replaced by."""
    if not isinstance(array, np.ndarray):
        yield from (None, 3, "nonsense", b"", [], 1.5)
        return
    yield from (None, 3, "text", array.tolist(), array[:0], array[:-1], array[..., :-1])
    yield from (array.T, array[None], array.ravel(), array[::-1], np.repeat(array, 2, 0)[::2])
    yield from (array.astype(kind) for kind in (np.float64, np.float16, np.int64, np.complex64))
    yield from (array.astype(array.dtype.newbyteorder()), array.astype(object), array.astype("U8"))
    fixed = array.copy()
    fixed.flags.writeable = False
    yield fixed
    room = np.zeros(array.nbytes + 1, np.uint8)
    yield room[1:].view(array.dtype).reshape(array.shape)
    yield np.full(array.shape, -1).astype(array.dtype)
    yield np.full(array.shape, 10**6).astype(array.dtype)


BACKENDS = pytest.mark.parametrize("backend", ["compiled", "numpy"])
DOORS = {
    "evaluate": lambda images, labels, backend: NETWORK.evaluate(images, labels, backend),
    "accuracy": lambda images, labels, backend: NETWORK.accuracy(images, labels, backend),
    "gradients": lambda *given: fastmlp.gradients(NETWORK, *given),
    "find": lambda images, labels, backend: fastmlp.find_learning_rate(
        NETWORK, (images, labels), batch_size=2, backend=backend
    ),
}


@BACKENDS
@pytest.mark.parametrize("door", DOORS)
def test_doors_take_an_argument_or_refuse_it(door, backend):
    before = [p.copy() for p in (*NETWORK.weights, *NETWORK.biases)]
    refused = 0
    cases = [(images, LABELS) for images in odd(IMAGES)] + [(IMAGES, y) for y in odd(LABELS)]
    for images, labels in cases:
        try:
            with np.errstate(all="ignore"):
                DOORS[door](images, labels, backend)
        except FastMLPError:
            refused += 1
    assert 10 < refused < len(cases)
    for old, new in zip(before, (*NETWORK.weights, *NETWORK.biases), strict=True):
        np.testing.assert_array_equal(old, new)


def engine_of(module, batch_size=B):
    """Return an engine of one backend."""
    what = NETWORK.weights, NETWORK.biases, NETWORK.activations, NETWORK.cost
    return module.Engine(*what, batch_size, threads=1)


@pytest.mark.parametrize("sparse", [True, False])
def test_an_engine_refuses_to_go_outside_its_arrays(sparse):
    engine, images = engine_of(kernels), IMAGES * (RNG.random(IMAGES.shape) < 0.2)
    images, rate = images if sparse else IMAGES, np.full(1, 0.1)
    order = np.arange(B)
    for bad in ([0, 1, B], [-1, 0], [10**12]):
        for call in (engine.trace, lambda *a: engine.train(*a, rate)):
            with pytest.raises(ArgumentError, match="order must lie in 0 … 4"):
                call(images, LABELS, np.array(bad))
    for call in (engine.trace, lambda *a: engine.train(*a, rate)):  # fewer labels than images
        with pytest.raises(ArgumentError, match="order must lie in 0 … 3"):
            call(images, LABELS[:-1], order)
    for bad in (np.full(B, O), np.full(B, -1), np.full(B, -1, np.int8)):
        for call in (engine.trace, lambda *a: engine.train(*a, rate)):
            with pytest.raises(ArgumentError, match="y must lie in 0 … 3"):
                call(images, bad, order)
    for count in (0, B + 1):
        with pytest.raises(ArgumentError, match="order must have 1 to 5 samples"):
            engine.trace(images, LABELS, np.zeros(count, int))


@pytest.mark.parametrize("what", ["outputs", "classes"])
def test_predictors_refuse_results_that_do_not_fit(what):
    count, of = 40, (NETWORK.weights, NETWORK.biases, NETWORK.activations)
    images, predictor = np.zeros((count, I), np.uint8), kernels.Predictor(*of, 1.0)
    out = np.empty((count, O), np.float32) if what == "outputs" else np.empty(count, np.int64)
    predictor(images, what, out)
    fixed = out.copy()
    fixed.flags.writeable = False
    room = np.zeros(count * I + out.nbytes, np.uint8)
    overlapping = room[: count * I].reshape(count, I), room[: out.nbytes].view(out.dtype)
    for bad, message in (
        (out[:-1], "must have shape"),
        (out.astype(np.float16), "must be "),
        (np.repeat(out, 2, 0)[::2], "must be C-contiguous"),
        (None, "must be a NumPy array"),
        (fixed, "must be writable"),
    ):
        with pytest.raises(ArgumentError, match=f"{what} {message}"):
            predictor(images, what, bad)
    with pytest.raises(ArgumentError, match=f"{what} must not overlap images"):
        predictor(overlapping[0], what, overlapping[1].reshape(out.shape))


ODD = [*odd(IMAGES), *odd(LABELS), *odd(1.0)]
ODD += [np.nan, -1, 0, 10**30, True, np.float32(2), object(), {}, (1, 2), (I, O), [[1], [2, 3]]]
MANY = settings(
    max_examples=150, deadline=None, database=None, derandomize=True,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


@MANY
@given(st.sampled_from(range(len(ODD))), st.sampled_from(["compiled", "numpy"]))
def test_predict_takes_images_or_refuses_them(number, backend):
    try:
        outputs = NETWORK.predict_proba(ODD[number], backend)
    except FastMLPError:
        return
    assert np.isfinite(outputs).all()


@MANY
@given(
    st.sampled_from(
        [
            "epochs",
            "batch_size",
            "optimizer",
            "optimizer_settings",
            "learning_rate",
            "rate_factors",
            "bias_rate_factor",
            "momentum",
            "weight_decay",
            "schedule",
            "early_stopping",
            "target_accuracy",
            "threads",
            "backend",
            "images",
            "labels",
            "every",
            "sample_weight",
            "class_weight",
            "label_smoothing",
            "clip_value",
            "clip_norm",
            "input_dropout",
            "l1",
        ]
    ),
    st.sampled_from(range(len(ODD))),
)
def test_train_takes_an_argument_or_refuses_it(name, number):
    given_ = {"epochs": 1, "batch_size": 2, "learning_rate": 0.1, "backend": "numpy"}
    data = {"images": IMAGES, "labels": LABELS}
    value = ODD[number]
    if name == "epochs" and isinstance(value, (int, np.integer)) and value > 10:
        return  # it would do as told
    (data if name in data else given_)[name] = value
    network = fastmlp.Network((I, 6, O))
    with contextlib.suppress(FastMLPError):
        fastmlp.train(network, (data["images"], data["labels"]), **given_)


@pytest.mark.parametrize("images", [IMAGES, IMAGES.astype(np.float32)], ids=["bytes", "floats"])
def test_the_reference_gives_what_the_doors_give(images):
    found = [
        engine_of(module).trace(images, LABELS, np.arange(B), 1 / 255)
        for module in (kernels, reference)
    ]
    for name in found[0]._fields:
        mine, theirs = (getattr(trace, name) for trace in found)
        if not isinstance(mine, list):
            mine, theirs = [mine], [theirs]
        for one, other in zip(mine, theirs, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5, err_msg=name)
