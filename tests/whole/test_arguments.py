"""Every argument of the public functions, replaced by what it should not be: the right result, or
the documented error; never another exception, never a crash."""

import contextlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fastmlp
from fastmlp import kernels, reference
from fastmlp.errors import FastMLPError

B, I, O = 5, 12, 4
RNG = np.random.default_rng(0)


def doors():
    """Return for each door its good arguments, by name, and which of them it writes."""
    x, w = RNG.normal(size=(B, I)).astype(np.float32), RNG.normal(size=(I, O)).astype(np.float32)
    b, dz = np.zeros(O, np.float32), RNG.normal(size=(B, O)).astype(np.float32)
    a, dx, db = np.zeros_like(dz), np.zeros_like(x), np.zeros_like(b)
    packed = kernels.pack_weights(w)
    y = np.arange(B) % O
    return {
        "forward": {"x": x, "w": packed, "b": b, "activation": "relu", "a": a},
        "output": {"z": dz, "y": y, "activation": "softmax", "cost": "cross_entropy"}
        | {"a": a, "dz": np.zeros_like(dz)},
        "delta": {"dz": dz, "w": packed, "a": x, "activation": "relu", "dx": dx},
        "gradient": {"x": x, "dz": dz, "dw": np.zeros_like(packed), "db": db},
        "update": {"x": x, "dz": dz, "w": packed.copy(), "b": b.copy(), "vw": np.zeros_like(packed)}
        | {"vb": np.zeros_like(b), "learning_rate": 0.1},
    }


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


CASES = [
    (door, name, number)
    for door, arguments in doors().items()
    for name, value in arguments.items()
    for number, _ in enumerate(odd(value))
]


@pytest.mark.parametrize("door", doors())
def test_doors_take_an_argument_or_refuse_it(door):
    for _, name, number in (case for case in CASES if case[0] == door):
        arguments = doors()[door]
        arguments[name] = list(odd(arguments[name]))[number]
        with contextlib.suppress(FastMLPError), np.errstate(all="ignore"):
            getattr(kernels, door)(**arguments)


@pytest.mark.parametrize("door", doors())
def test_doors_refuse_overlapping_arrays(door):
    arguments = doors()[door]
    written = {"forward": "a", "output": "dz", "delta": "dx", "gradient": "dw", "update": "w"}[door]
    source = {"forward": "x", "output": "z", "delta": "dz", "gradient": "x", "update": "dz"}[door]
    room = np.zeros(10_000, np.float32)
    for name, start in ((written, 0), (source, 7)):
        array = arguments[name]
        arguments[name] = room[start : start + array.size].reshape(array.shape)
    with pytest.raises(FastMLPError, match=f"must not overlap {source}"):
        getattr(kernels, door)(**arguments)


NETWORK = fastmlp.Network((I, 6, O))
IMAGES, LABELS = RNG.integers(0, 256, (B, I), np.uint8), np.arange(B) % O
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
            "learning_rate",
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


def test_the_reference_gives_what_the_doors_give():
    for door, arguments in doors().items():
        wanted = {k: v.copy() if isinstance(v, np.ndarray) else v for k, v in arguments.items()}
        getattr(kernels, door)(**arguments)
        for name in ("w", "dw", "vw"):
            if name in wanted:
                plain = np.empty((I, O), np.float32)
                kernels.unpack_weights(wanted[name], plain)
                wanted[name] = plain
        getattr(reference, door)(**wanted)
        for name in ("a", "dx", "db", "b"):
            if name in wanted and not (door == "delta" and name == "a"):
                np.testing.assert_allclose(arguments[name], wanted[name], rtol=1e-4, atol=1e-5)
