"""One layer in NumPy: the equations of the lecture, one function each.

Glossary: B batch, I inputs, O outputs; x `(B, I)`, w `(I, O)`, b `(O,)`, z, a and dz `(B, O)`.
Every function overwrites its last arguments, and reads nothing from them.
"""

from __future__ import annotations

import numpy as np

from fastmlp.functions import ACTIVATIONS, Array, cost_row, errors_of


def forward(x: Array, w: Array, b: Array, activation: str, z: Array, a: Array) -> None:
    """z = x w + b and a = f(z). x `(B, I)`, w `(I, O)`, b `(O,)`; z and a `(B, O)`; a may be z."""
    np.matmul(x, w, out=z)
    z += b
    ACTIVATIONS[activation].f(z, a)


def output(
    z: Array,
    a: Array,
    y: Array,
    activation: str,
    cost: str,
    dz: Array,
    sample_weight: Array | None = None,
) -> None:
    """dz = dC/dz of the mean cost C of outputs a = f(z): sum(w c) / sum(w), with w 1 for None.

    z and a `(B, O)`; y labels `(B,)` or targets `(B, O)`; dz `(B, O)` is overwritten.
    sample_weight : w `(B,)`; if all are 0, dz is 0
    """
    row, own = ACTIVATIONS[activation], cost_row(cost)
    if cost == "cross_entropy" and activation == "softmax" and y.ndim == 2:
        # C = sum of y (F(z) - z), dC/dz = sum(y) a - y
        np.multiply(a, y.sum(axis=1, keepdims=True), out=dz)
        dz -= y
    else:
        # C = F(z) - y z, dC/dz = a - y
        np.copyto(dz, errors_of(a, y))
    if own.slope is not None:
        # C = sum c(a - y), dC/dz = c'(a - y) f'(z)
        np.copyto(dz, own.slope(dz, own.setting))
        if row.derivative is None:
            # softmax: da_j/dz_i = a_j (delta_ij - a_i)
            dz -= (dz * a).sum(axis=1, keepdims=True)
            dz *= a
        else:
            dz *= row.derivative(z if row.keeps == "z" else a)
    if sample_weight is None:
        dz *= 1 / len(z)
    else:
        dz *= (sample_weight / (sample_weight.sum() or 1.0))[:, None]


def delta(dz: Array, w: Array, kept: Array, activation: str, dx: Array) -> None:
    """dx = (dz w^T) f'(z) for the layer below, by what it kept: a = f(z), or z.

    dz `(B, O)`, w `(I, O)`, kept `(B, I)`; dx `(B, I)` is overwritten.
    """
    derivative = ACTIVATIONS[activation].derivative
    assert derivative is not None, "softmax is for outputs only"
    np.matmul(dz, w.T, out=dx)
    dx *= derivative(kept)


def gradient(x: Array, dz: Array, dw: Array, db: Array) -> None:
    """dw = x^T dz and db = sum of dz over the batch; dw `(I, O)`, db `(O,)`: overwritten."""
    np.matmul(x.T, dz, out=dw)
    dz.sum(axis=0, out=db)
