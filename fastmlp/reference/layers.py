"""One layer in NumPy: the equations of the lecture, one function each.

Glossary: B batch, I inputs, O outputs; x `(B, I)`, w `(I, O)`, b `(O,)`, z, a and dz `(B, O)`.
Every function writes its last arguments and reads nothing from them, unless it says otherwise.
"""

from __future__ import annotations

import numpy as np

from fastmlp.functions import ACTIVATIONS, COSTS, Array


def pack_weights(w: Array) -> Array:
    """Return w `(I, O)` in this backend's own layout: here a C-ordered copy."""
    return np.array(w, order="C")


def unpack_weights(packed: Array, w: Array) -> None:
    """Write packed weights back to w `(I, O)`."""
    np.copyto(w, packed)


def forward(x: Array, w: Array, b: Array, activation: str, a: Array) -> None:
    """a = f(x w + b). x `(B, I)`; w packed `(I, O)`; b `(O,)`; a `(B, O)` is overwritten."""
    np.matmul(x, w, out=a)
    a += b
    ACTIVATIONS[activation].f(a, a)


def output(z: Array, y: Array, activation: str, cost: str, a: Array, dz: Array) -> float:
    """a = f(z) and dz = dC/dz of the mean cost C; return C times B, the sum over the samples.

    z `(B, O)`; y labels `(B,)` or targets `(B, O)`; a and dz `(B, O)` are overwritten.
    """
    row = ACTIVATIONS[activation]
    batch = len(z)
    labelled = y.ndim == 1
    row.f(z, a)
    if cost == "cross_entropy" and activation == "softmax" and not labelled:
        # C = sum of y (F(z) - z), dC/dz = sum(y) a - y
        np.multiply(a, y.sum(axis=1, keepdims=True), out=dz)
        dz -= y
        dz *= 1 / batch
        return float((y * (row.integral(z, a) - z)).sum())
    np.copyto(dz, a)
    if labelled:
        dz[np.arange(batch), y] -= 1
    else:
        dz -= y
    if COSTS[cost].code == COSTS["squared_error"].code:
        # C = sum (a - y)^2, dC/dz = 2 (a - y) f'(z)
        total = float(np.vdot(dz, dz))
        dz *= 2 / batch
        if row.derivative is None:
            # softmax: da_j/dz_i = a_j (delta_ij - a_i)
            dz -= (dz * a).sum(axis=1, keepdims=True)
            dz *= a
        else:
            dz *= row.derivative(a)
        return total
    # C = F(z) - y z, dC/dz = a - y
    yz = z[np.arange(batch), y] if labelled else y * z
    total = float(row.integral(z, a).sum() - yz.sum())
    dz *= 1 / batch
    return total


def delta(dz: Array, w: Array, a: Array, activation: str, dx: Array) -> None:
    """dx = (dz w^T) f'(z) for the layer below, whose outputs a = f(z) were.

    dz `(B, O)`; w packed `(I, O)`; a `(B, I)`; dx `(B, I)` is overwritten.
    """
    derivative = ACTIVATIONS[activation].derivative
    assert derivative is not None, "softmax is for outputs only"
    np.matmul(dz, w.T, out=dx)
    dx *= derivative(a)


def gradient(x: Array, dz: Array, dw: Array, db: Array) -> None:
    """dw = x^T dz and db = sum of dz over the batch; dw packed `(I, O)`, db `(O,)`: overwritten."""
    np.matmul(x.T, dz, out=dw)
    dz.sum(axis=0, out=db)


def update(
    x: Array,
    dz: Array,
    w: Array,
    b: Array,
    vw: Array,
    vb: Array,
    learning_rate: float,
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
) -> None:
    """Take one SGD step on a layer (Sutskever et al., 2013, in PyTorch's form).

    g = x^T dz + weight_decay w;  v = momentum v + g;  w -= learning_rate v,
    or with Nesterov w -= learning_rate (g + momentum v). Biases the same, without decay.
    x `(B, I)`; dz `(B, O)`; w and vw packed, b and vb `(O,)` are updated. Without momentum
    the velocities vw and vb are scratch.
    """
    g, gb = (vw, vb) if momentum == 0 else (np.empty_like(w), np.empty_like(b))
    gradient(x, dz, g, gb)
    if weight_decay:
        g += weight_decay * w
    for parameter, velocity, slope in ((w, vw, g), (b, vb, gb)):
        if momentum:
            velocity *= momentum
            velocity += slope
            slope = slope + momentum * velocity if nesterov else velocity
            parameter -= learning_rate * slope
        else:
            slope *= learning_rate
            parameter -= slope
