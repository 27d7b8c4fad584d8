"""The vector formulas against NumPy's: activations, slopes, integrals, and their parts."""

import math
from typing import Any

import numpy as np
import pytest
from direct import DTYPES, compiled, lanes_of, shared, vectorised

from fastmlp.functions import ACTIVATIONS, HIDDEN, vectors
from fastmlp.kernels.llvm.intrinsics import item_bytes, vector_lanes
from fastmlp.kernels.loops import costs
from fastmlp.kernels.loops.elementwise import keeps_z
from fastmlp.kernels.memory.records import numbers_at

SCALES = (1e-3, 1, 20, 1000)
SPECIAL = [0.0, -0.0, np.nan, np.inf, -np.inf, 1e4, -1e4, 1e-40, -1e-40]
HUGE = [1e18, -1e18, 1e30, -1e30]
# In eps of the result, or of the sizes of what it is a sum of
ALLOWED = 16


def spread(dtype, low=-1.0):
    """Return numbers of each scale, of both signs, or from 0 up."""
    rng = np.random.default_rng(5)
    return np.concatenate([rng.uniform(low * s, s, 5000) for s in SCALES]).astype(dtype)


def padded(z):
    """Return numbers in whole vectors."""
    count = -(-z.size // lanes_of(z.dtype)) * lanes_of(z.dtype)
    return np.concatenate([z, np.zeros(count - z.size, z.dtype)])


def activated(name, z):
    """Return f(z) and what the layer keeps."""
    z_wide = padded(z)
    a, kept, b = np.full_like(z_wide, np.nan), np.full_like(z_wide, np.nan), np.zeros_like(z_wide)
    code, columns = ACTIVATIONS[name].code, len(z_wide)
    shared("activate", z.dtype)(code, a, 0, kept, z_wide, 0, b, 1, columns, 0.0)
    keeps = ACTIVATIONS[name].keeps == "z"
    np.testing.assert_array_equal(kept, z_wide if keeps else np.nan)
    return a[: len(z)], z if keeps else a[: len(z)]


def sloped(name, c, kept):
    """Return c f', from what the layer kept."""
    dz, kept = padded(c), padded(kept)
    code = ACTIVATIONS[name].code
    shared("times_slope", c.dtype)(code, dz, 0, kept, 0, 1, len(dz), 0.0)
    return dz[: len(c)]


@compiled
def integrals(code, z, a, found, count, like):
    for i in range(0, count, vector_lanes(like)):  # as blocks of one output
        j = i * item_bytes(like)
        costs.integrals(1, 0, code, found + j, z + j, a + j, like)


def close(got, exact, size):
    """Demand that numbers agree to ALLOWED eps of a size, and are not finite where NumPy's are."""
    ordinary = np.isfinite(exact)
    np.testing.assert_array_equal(np.isfinite(got), ordinary)
    np.testing.assert_array_equal(got[np.isinf(exact)], exact[np.isinf(exact)])
    limits = np.finfo(got.dtype)
    room = ALLOWED * limits.eps * size[ordinary] + limits.tiny
    wrong = np.abs(got[ordinary] - exact[ordinary])
    assert np.all(wrong <= room), (wrong / room).max()


def numpy_f(name, z):
    """Return f(z) by the table's formula, in double precision."""
    z = z.astype(np.float64).reshape(1, -1)
    a = np.empty_like(z)
    with np.errstate(all="ignore"):
        ACTIVATIONS[name].f(z, a)
    return a[0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", HIDDEN)
def test_f_is_the_formula_of_the_table(name, dtype):
    z = np.concatenate([spread(dtype), np.array([*SPECIAL, *HUGE], dtype)])
    exact = numpy_f(name, z)
    # sums such as e^z - 1 are right to an eps of 1, or of z
    close(activated(name, z)[0], exact, np.maximum(np.abs(exact), np.fmin(np.abs(z), 1)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [f for f in HIDDEN if f != "identity"])
def test_the_slope_is_the_derivative_of_the_table(name, dtype):
    z = np.concatenate([spread(dtype), np.array([0.0, -0.0, 1e4, -1e4, np.nan, *HUGE], dtype)])
    _, kept = activated(name, z)
    with np.errstate(all="ignore"):
        exact = ACTIVATIONS[name].derivative(kept.astype(np.float64)).astype(np.float64)
    for c in (1.0, -2.5):
        found = sloped(name, np.full_like(z, c), kept)
        close(found, c * exact, np.full(len(z), abs(c)))
    # a delta of 0 stays 0
    some = np.isfinite(exact)
    assert not sloped(name, np.zeros_like(z), kept)[some].any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [n for n, row in ACTIVATIONS.items() if row.integral])
def test_the_integral_is_that_of_the_table(name, dtype):
    if name == "softmax":
        return  # its integral is the logarithm of a sum: see `costs.softmax`
    z = spread(dtype)
    a, found = activated(name, z)[0], padded(np.full_like(z, np.nan))
    integrals(ACTIVATIONS[name].code, padded(z), padded(a), found, len(found), z.dtype.type(0))
    found = found[: len(z)]
    z8, a8 = z.astype(np.float64), a.astype(np.float64)
    exact = ACTIVATIONS[name].integral(z8, a8)
    with np.errstate(over="ignore"):
        size = np.abs(exact) + np.abs(a8 * z8) + 1
    close(found, exact, size)


def test_the_cost_that_needs_an_integral_is_0_where_there_is_none():
    z, found = np.ones(lanes_of(float)), np.full(lanes_of(float), np.nan)
    for row in ACTIVATIONS.values():
        if row.integral is None:
            integrals(row.code, z, z, found, len(z), 0.0)
            assert not found.any()


@compiled
def keeping(code, found):
    numbers_at(found, 1, np.int64(0))[0] = keeps_z(code)


def test_compiled_code_knows_who_keeps_z():
    for row in ACTIVATIONS.values():
        found = np.full(1, -1)
        keeping(row.code, found)
        assert found[0] == (row.keeps == "z")


def exactly(function):
    return np.vectorize(function, otypes=[np.float64])


PARTS: dict[str, Any] = {
    # formula, exact, numbers, what it is right to an eps of
    "exp": (lambda x: vectors.exp(x), np.exp, (-80, 80), "result"),
    "expm1": (lambda x: vectors.expm1(x), np.expm1, (-40, 40), "result"),
    "log1p": (lambda x: vectors.log1p(x), np.log1p, (0, 1), "result"),
    "log": (lambda x: vectors.log(x), np.log, (1.001, 1e30), "result"),
    "erfc": (lambda x: vectors.erfc(x), exactly(math.erfc), (0, 12), "one"),
    "sigmoid": (lambda x: vectors.sigmoid(x), lambda x: 1 / (1 + np.exp(-x)), (-80, 80), "result"),
    "tanh": (lambda x: vectors.tanh(x), np.tanh, (-80, 80), "result"),
}
VECTORISED = {name: vectorised(formula) for name, (formula, *_) in PARTS.items()}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", PARTS)
def test_functions_of_our_own_are_as_exact_as_they_say(name, dtype):
    _, exact, (low, high), of = PARTS[name]
    rng = np.random.default_rng(5)
    ranges = [(max(low, -s), max(low, min(high, s))) for s in (1e-6, 1e-3, 1, 20, 80)]
    x = np.concatenate([rng.uniform(*r, 5000) for r in ranges]).astype(dtype)
    wanted = exact(x.astype(np.float64))
    size = np.abs(wanted) if of == "result" else np.ones(len(x))
    wrong = np.abs(VECTORISED[name](x) - wanted) / size
    assert wrong.max() <= 5 * np.finfo(dtype).eps


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("exp", [1, 1, np.nan, np.inf, 0, np.inf, 0, 1, 1]),
        ("sigmoid", [0.5, 0.5, np.nan, 1, 0, 1, 0, 0.5, 0.5]),
        ("tanh", [0, 0, np.nan, 1, -1, 1, -1, 1e-40, -1e-40]),
    ],
)
def test_the_ends_of_their_ranges(name, wanted, dtype):
    found = VECTORISED[name](np.array(SPECIAL, dtype))
    np.testing.assert_array_equal(found, np.array(wanted, dtype))
    if name == "tanh":
        assert math.copysign(1, found[1]) == -1


@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_beyond_the_range_of_a_part_give_its_end(dtype):
    far = np.array([40, 41, 1e4, np.inf, -40, -41, -1e4, -np.inf], dtype)
    found = VECTORISED["expm1"](far)
    assert (found[:4] == found[0]).all()
    assert (found[4:] == -1).all()
    tail = VECTORISED["erfc"](np.array([7, 8, 1e3, np.inf], dtype))
    assert 0 < tail[0] < 1e-22
    assert not tail[1:].any()
    assert np.isnan(VECTORISED["expm1"](np.array([np.nan], dtype)))[0]
    assert np.isnan(VECTORISED["erfc"](np.array([np.nan], dtype)))[0]
