"""The table of activations: name, formula, derivative, integral. Both backends read it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp.arrays import Array
from fastmlp.errors import nearest, refuse

LEAKY_SLOPE = 0.01
# Klambauer et al. (2017): with these, outputs keep mean 0 and variance 1 through many layers
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


@dataclass(frozen=True)
class Activation:
    """One row of the table of activations, `a = f(z)` for `z` of shape `(B, O)`.

    code       : its number in compiled code
    formula    : as text, for people
    f          : `f(z, a)` overwrites a; `a` may be `z` itself
    derivative : f'(z) as a function of `keeps`; None for softmax, whose Jacobian is not diagonal
    integral   : F(z) as a function of z and a: `(B, O)`, or `(B, 1)` for softmax; None if it is
        not elementary
    initial    : "he", "glorot" or "lecun": the variance of the initial weights before it
    least      : the lowest number of outputs: softmax of a single output is always 1
    keeps      : the argument of the derivative: "a" or "z"
    top_only   : whether it is for the last layer alone: e^(e^z) overflows for small z
    """

    name: str
    code: int
    formula: str
    f: Callable[[Array, Array], object]
    derivative: Callable[[Array], Array] | None
    integral: Callable[[Array, Array], Array] | None
    initial: str
    least: int = 1
    keeps: str = "a"
    top_only: bool = False


def _sigmoid(z: Array, a: Array) -> None:
    # a = 1 / (1 + e^-z); the exponent is never positive, so nothing overflows
    e = np.exp(-np.abs(z))
    np.divide(np.where(z >= 0, 1, e), 1 + e, out=a)


def _softmax(z: Array, a: Array) -> None:
    # a = e^z / sum e^z; the row's maximum is subtracted to avoid overflow
    np.subtract(z, z.max(axis=1, keepdims=True), out=a)
    np.exp(a, out=a)
    a /= a.sum(axis=1, keepdims=True)


def _log_sum_exp(z: Array, _: Array) -> Array:
    peak = z.max(axis=1, keepdims=True)
    return np.asarray(peak + np.log(np.exp(z - peak).sum(axis=1, keepdims=True)))


def _log_cosh(z: Array, _: Array) -> Array:
    return np.asarray(np.abs(z) + np.log1p(np.exp(-2 * np.abs(z))) - np.log(z.dtype.type(2)))


def _softplus(z: Array, _: Array) -> Array:
    return np.asarray(np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))))


def _leaky_derivative(a: Array) -> Array:  # of z too, which has the same sign
    return np.where(a > 0, 1, LEAKY_SLOPE).astype(a.dtype)


def _exponential(scale: float, alpha: float) -> tuple[Any, Any, Any]:
    """Return f, f' as a function of a, and F for f(z) = scale (z if z > 0 else alpha (e^z - 1))."""
    below = scale * alpha

    def f(z: Array, a: Array) -> None:
        np.copyto(a, np.where(z > 0, scale * z, below * np.expm1(np.minimum(z, 0))))

    def derivative(a: Array) -> Array:
        return np.where(a > 0, scale, a + below).astype(a.dtype)

    def integral(z: Array, a: Array) -> Array:
        return np.asarray(np.where(z > 0, scale / 2 * z * z, a - below * z))

    return f, derivative, integral


_erf = np.vectorize(math.erf, otypes=[np.float64])


def _normal(z: Array) -> Array:
    """Return the distribution function of the standard normal distribution at z."""
    return np.asarray((1 + _erf(z * math.sqrt(0.5)).astype(z.dtype)) / 2)


def _bell(z: Array) -> Array:
    """Return the density of the standard normal distribution at z."""
    return np.asarray(np.exp(-z * z / 2) / z.dtype.type(math.sqrt(2 * math.pi)))


def _sigmoid_of(z: Array) -> Array:
    a = np.empty_like(z)
    _sigmoid(z, a)
    return a


def _mish_derivative(z: Array) -> Array:
    # t + z (1 - t^2) s with t = tanh(softplus z), s = sigmoid z
    t = np.tanh(_softplus(z, z))
    return np.asarray(t + z * (1 - t * t) * _sigmoid_of(z))


# fmt: off
ACTIVATIONS = {
    row.name: row
    for row in (
        Activation(
            "identity", 0, "z",
            lambda z, a: np.copyto(a, z), np.ones_like, lambda z, a: a * z / 2, "glorot",
        ),
        Activation(
            "sigmoid", 1, "1 / (1 + e^-z)", _sigmoid, lambda a: a * (1 - a), _softplus, "glorot",
        ),
        Activation(
            "relu", 2, "max(0, z)",
            lambda z, a: np.maximum(z, 0, out=a), lambda a: a > 0, lambda z, a: a * z / 2, "he",
        ),
        Activation(
            "leaky_relu", 3, f"z if z > 0 else {LEAKY_SLOPE} z",
            lambda z, a: np.multiply(z, _leaky_derivative(z), out=a), _leaky_derivative,
            lambda z, a: a * z / 2, "he",
        ),
        Activation(
            "tanh", 4, "tanh z",
            lambda z, a: np.tanh(z, out=a), lambda a: 1 - a * a, _log_cosh, "glorot",
        ),
        Activation(
            "step", 5, "1 if z >= 0 else 0",
            lambda z, a: np.copyto(a, z >= 0), np.zeros_like, lambda z, a: a * z, "glorot",
        ),
        Activation("softmax", 6, "e^z / sum(e^z)", _softmax, None, _log_sum_exp, "glorot", 2),
        # Clevert et al. (2016)
        Activation("elu", 7, "z if z > 0 else e^z - 1", *_exponential(1.0, 1.0), "he"),
        Activation(
            "selu", 8, f"{SELU_SCALE:.4f} (z if z > 0 else {SELU_ALPHA:.4f} (e^z - 1))",
            *_exponential(SELU_SCALE, SELU_ALPHA), "lecun",
        ),
        # Hendrycks and Gimpel (2016); P is the normal distribution function
        Activation(
            "gelu", 9, "z P(z), P(z) = (1 + erf(z / sqrt 2)) / 2",
            lambda z, a: np.multiply(z, _normal(z), out=a),
            lambda z: _normal(z) + z * _bell(z),
            lambda z, a: (z * a - _normal(z) + z * _bell(z)) / 2, "he", keeps="z",
        ),
        Activation(
            "silu", 10, "z / (1 + e^-z)",
            lambda z, a: np.multiply(z, _sigmoid_of(z), out=a),
            lambda z: _sigmoid_of(z) * (1 + z * (1 - _sigmoid_of(z))), None, "he", keeps="z",
        ),
        # Misra (2020)
        Activation(
            "mish", 11, "z tanh(log(1 + e^z))",
            lambda z, a: np.multiply(z, np.tanh(_softplus(z, z)), out=a),
            _mish_derivative, None, "he", keeps="z",
        ),
        Activation(
            "softplus", 12, "log(1 + e^z)",
            lambda z, a: np.copyto(a, _softplus(z, z)), lambda a: -np.expm1(-a), None, "glorot",
        ),
        Activation(
            "exponential", 13, "e^z",
            lambda z, a: np.exp(z, out=a), lambda a: a, lambda z, a: a, "glorot", top_only=True,
        ),
    )
}
# fmt: on

# The activations of hidden layers: those that act on each neuron alone, and are not for the last
HIDDEN = tuple(
    name for name, row in ACTIVATIONS.items() if row.derivative is not None and not row.top_only
)


def activation_named(name: str, argument: str) -> Activation:
    """Return the row of that name; ArgumentError for `argument` lists the names."""
    if not isinstance(name, str) or name not in ACTIVATIONS:
        remedy = nearest(name, ACTIVATIONS)
        raise refuse(argument, "must name an activation", repr(name), remedy)
    return ACTIVATIONS[name]


def check_outputs(output: str, outputs: int) -> None:
    """Raise ArgumentError if the activation `output` needs more outputs than `outputs`."""
    least = ACTIVATIONS[output].least
    if outputs < least:
        raise refuse(
            "output",
            f"{output!r} needs at least {least} outputs, because it divides by their sum",
            outputs,
            "Use output='sigmoid' for two classes, one output for each of more, or for a quantity "
            "output='identity' and cost='squared_error'.",
        )
