"""The table of activations and costs: name, formula, derivative. Both backends read it.

Every cost but `squared_error` is the *matching* cost of the output's activation f
(Auer, Herbster and Warmuth, 1996): with F the integral of f, a sample costs F(z) - y z, whose
derivative is a - y whatever f is. For the step that is the perceptron criterion of Rosenblatt,
(a - y) z; for sigmoid it is the cross entropy, and for softmax where a sample's targets sum to 1.
For any sum S = sum(y), the cross entropy of softmax is S F(z) - y z, with the derivative S a - y.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, NamedTuple, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastmlp.errors import refuse

Array = NDArray[Any]
P = ParamSpec("P")
R = TypeVar("R")

LEAKY_SLOPE = 0.01
# Klambauer et al. (2017): with them, means and variances pass through many layers unchanged
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


@dataclass(frozen=True)
class Activation:
    """One row of the table of activations, `a = f(z)` for `z` of shape `(B, O)`.

    code       : the number by which compiled code knows it
    formula    : for people
    f          : `f(z, a)` writes a; `a` may be `z` itself
    derivative : f'(z) as a function of what the layer keeps; None for softmax, whose Jacobian is
        not diagonal
    integral   : F(z), given z and a, summed by nobody: `(B, O)`, or `(B, 1)` for softmax; None
        where it is not elementary
    initial    : "he", "glorot" or "lecun": which variance the weights before it start with
    least      : how many outputs it needs: a softmax of one is always 1
    keeps      : what the derivative is a function of: "a", or "z"
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


class Trace(NamedTuple):
    """What one training step computes for some samples, for each layer.

    cost : sum over the samples; correct : how many answers are right; a, dz `(B, O)` and the
    gradients dw `(I, O)`, db `(O,)` of the mean cost: a list each, of arrays
    """

    cost: float
    correct: int
    a: list[Array]
    dz: list[Array]
    dw: list[Array]
    db: list[Array]


@dataclass(frozen=True)
class Cost:
    """One row of the table of costs; a network's cost is the mean over its samples.

    outputs : the output activations that the cost is defined for; empty means all
    targets : what targets lie between, both included; None where they may be any finite numbers
    """

    name: str
    code: int
    formula: str
    outputs: tuple[str, ...]
    targets: tuple[float, float] | None = None


def quiet(function: Callable[P, R]) -> Callable[P, R]:
    """Return a function that ignores NumPy's floating-point errors, whatever `np.seterr` says.

    Numbers that underflow or overflow are rounded as IEEE 754 says; results are checked instead.
    """

    @wraps(function)
    def called(*arguments: P.args, **named: P.kwargs) -> R:
        with np.errstate(all="ignore"):
            return function(*arguments, **named)

    return called


def _sigmoid(z: Array, a: Array) -> None:
    # a = 1 / (1 + e^-z); the exponent is never positive, so nothing overflows
    e = np.exp(-np.abs(z))
    np.divide(np.where(z >= 0, 1, e), 1 + e, out=a)


def _leaky_relu(z: Array, a: Array) -> None:
    np.multiply(z, np.where(z > 0, 1, LEAKY_SLOPE).astype(z.dtype), out=a)


def _softmax(z: Array, a: Array) -> None:
    # a = e^z / sum e^z; subtracting the row's maximum changes nothing but the overflow
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


def _leaky_slope(a: Array) -> Array:
    return np.where(a > 0, 1, LEAKY_SLOPE).astype(a.dtype)


def _exponential(scale: float, alpha: float) -> tuple[Any, Any, Any]:
    """Return f, its derivative by a, and its integral: scale z, or scale alpha (e^z - 1)."""
    below = scale * alpha

    def f(z: Array, a: Array) -> None:
        np.copyto(a, np.where(z > 0, scale * z, below * np.expm1(np.minimum(z, 0))))

    def derivative(a: Array) -> Array:
        return np.where(a > 0, scale, a + below).astype(a.dtype)

    def integral(z: Array, a: Array) -> Array:
        return np.asarray(np.where(z > 0, scale / 2 * z * z, a - below * z))

    return f, derivative, integral


_erf = np.frompyfunc(math.erf, 1, 1)


def _normal(z: Array) -> Array:
    """Return the share of normal numbers that are less than z."""
    return np.asarray((1 + _erf(z * math.sqrt(0.5)).astype(z.dtype)) / 2)


def _bell(z: Array) -> Array:
    """Return the density of normal numbers at z."""
    return np.asarray(np.exp(-z * z / 2) / z.dtype.type(math.sqrt(2 * math.pi)))


def _sigmoid_of(z: Array) -> Array:
    a = np.empty_like(z)
    _sigmoid(z, a)
    return a


def _mish_derivative(z: Array) -> Array:
    # t + z (1 - t^2) s with t = tanh(softplus z), s = sigmoid z
    t = np.tanh(_softplus(z, z))
    return np.asarray(t + z * (1 - t * t) * _sigmoid_of(z))


ACTIVATIONS = {
    row.name: row
    for row in (
        Activation(
            "identity",
            0,
            "z",
            lambda z, a: np.copyto(a, z),
            lambda a: np.ones_like(a),
            lambda z, a: a * z / 2,
            "glorot",
        ),
        Activation(
            "sigmoid", 1, "1 / (1 + e^-z)", _sigmoid, lambda a: a * (1 - a), _softplus, "glorot"
        ),
        Activation(
            "relu",
            2,
            "max(0, z)",
            lambda z, a: np.maximum(z, 0, out=a),
            lambda a: a > 0,
            lambda z, a: a * z / 2,
            "he",
        ),
        Activation(
            "leaky_relu",
            3,
            f"z if z > 0 else {LEAKY_SLOPE} z",
            _leaky_relu,
            _leaky_slope,
            lambda z, a: a * z / 2,
            "he",
        ),
        Activation(
            "tanh",
            4,
            "tanh z",
            lambda z, a: np.tanh(z, out=a),
            lambda a: 1 - a * a,
            _log_cosh,
            "glorot",
        ),
        Activation(
            "step",
            5,
            "1 if z >= 0 else 0",
            lambda z, a: np.copyto(a, z >= 0),
            lambda a: np.zeros_like(a),
            lambda z, a: a * z,
            "glorot",
        ),
        Activation("softmax", 6, "e^z / sum(e^z)", _softmax, None, _log_sum_exp, "glorot", 2),
        # Clevert et al. (2016)
        Activation("elu", 7, "z if z > 0 else e^z - 1", *_exponential(1.0, 1.0), "he"),
        Activation(
            "selu",
            8,
            f"{SELU_SCALE:.4f} (z if z > 0 else {SELU_ALPHA:.4f} (e^z - 1))",
            *_exponential(SELU_SCALE, SELU_ALPHA),
            "lecun",
        ),
        # Hendrycks and Gimpel (2016); P(z) is the share of normal numbers less than z
        Activation(
            "gelu",
            9,
            "z P(z), P(z) = (1 + erf(z / sqrt 2)) / 2",
            lambda z, a: np.multiply(z, _normal(z), out=a),
            lambda z: _normal(z) + z * _bell(z),
            lambda z, a: (z * a - _normal(z) + z * _bell(z)) / 2,
            "he",
            keeps="z",
        ),
        Activation(
            "silu",
            10,
            "z / (1 + e^-z)",
            lambda z, a: np.multiply(z, _sigmoid_of(z), out=a),
            lambda z: _sigmoid_of(z) * (1 + z * (1 - _sigmoid_of(z))),
            None,
            "he",
            keeps="z",
        ),
        # Misra (2020)
        Activation(
            "mish",
            11,
            "z tanh(log(1 + e^z))",
            lambda z, a: np.multiply(z, np.tanh(_softplus(z, z)), out=a),
            _mish_derivative,
            None,
            "he",
            keeps="z",
        ),
        Activation(
            "softplus",
            12,
            "log(1 + e^z)",
            lambda z, a: np.copyto(a, _softplus(z, z)),
            lambda a: -np.expm1(-a),
            None,
            "glorot",
        ),
    )
}

COSTS = {
    row.name: row
    for row in (
        Cost("squared_error", 0, "sum((a - y)^2)", ()),
        Cost(
            "cross_entropy",
            1,
            "-sum(y log a), for sigmoid -sum(y log a + (1 - y) log(1 - a))",
            ("softmax", "sigmoid"),
            (0.0, 1.0),
        ),
        Cost(
            "perceptron",
            2,
            "sum(F(z) - y z), F' = f",
            tuple(name for name, row in ACTIVATIONS.items() if row.integral is not None),
        ),
    )
}

# What hidden layers may compute: functions of each neuron alone
HIDDEN = tuple(name for name, row in ACTIVATIONS.items() if row.derivative is not None)
# (output, cost): every pair that a network may have
PAIRS = tuple(
    (output, cost.name) for cost in COSTS.values() for output in cost.outputs or ACTIVATIONS
)


def activation_named(name: str, argument: str) -> Activation:
    """Return the row of that name, or raise ArgumentError for `argument` listing the names."""
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise refuse(
            argument,
            "must name an activation",
            repr(name),
            f"Choose from {', '.join(ACTIVATIONS)}.",
        )
    return ACTIVATIONS[name]


def cost_named(name: str, output: str) -> Cost:
    """Return the row of that name, or raise ArgumentError when it does not fit `output`."""
    if not isinstance(name, str) or name not in COSTS:
        raise refuse("cost", "must name a cost", repr(name), f"Choose from {', '.join(COSTS)}.")
    cost = COSTS[name]
    if cost.outputs and output not in cost.outputs:
        raise refuse(
            "cost",
            f"{name!r} needs one of these outputs: {', '.join(cost.outputs)}",
            f"output={output!r}",
            "Use cost='squared_error', or another output.",
        )
    return cost


def check_outputs(output: str, outputs: int) -> None:
    """Raise ArgumentError when the activation `output` needs more than so many outputs."""
    least = ACTIVATIONS[output].least
    if outputs < least:
        raise refuse(
            "output",
            f"{output!r} needs at least {least} outputs, as it divides by their sum",
            outputs,
            "Use output='sigmoid' for a single output, or one output for each class.",
        )


def classes_of(a: Array) -> Array:
    """Return the class `(N,)` that each row of a `(N, O)` names: its largest output.

    A single output says yes (1) from one half upwards. The first of equals counts. A row with NaN
    names none: -1.
    """
    classes = np.asarray(a[:, 0] >= 0.5 if a.shape[1] == 1 else a.argmax(axis=1), np.int64)
    # the first NaN of a row is its largest number
    largest = a[np.arange(len(a)), 0 if a.shape[1] == 1 else classes]
    return np.where(np.isnan(largest), -1, classes)


def count_correct(a: Array, y: Array) -> int:
    """Count the rows of a `(N, O)` that name the label's class, or the target's."""
    wanted = y if y.ndim == 1 and a.shape[1] > 1 else classes_of(y.reshape(a.shape))
    return int((classes_of(a) == wanted).sum())
