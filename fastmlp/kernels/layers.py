"""One layer in compiled code: the twins of `reference.layers`, with the same names and arguments.

These are the checked doors. Arrays have the logical shapes of the glossary, but for weights,
which are panels as `pack_weights` makes them. ArgumentError names what does not fit.
"""

from __future__ import annotations

import numpy as np

from fastmlp.errors import refuse
from fastmlp.functions import Array, activation_named, cost_named, quiet
from fastmlp.kernels.checks import (
    check_array,
    check_indices,
    check_numbers,
    check_output,
    check_packed,
)
from fastmlp.kernels.engine import y_array
from fastmlp.kernels.job import Job
from fastmlp.kernels.launch import run, team_size
from fastmlp.kernels.layout import (
    aligned_zeros,
    pack_weights,
    panel_width,
    round_up,
    unpack_weights,
)
from fastmlp.kernels.records import DELTA, FORWARD, LAYER, OUTPUT, UPDATE
from fastmlp.kernels.simd import VECTOR_BYTES

__all__ = ["delta", "forward", "gradient", "output", "pack_weights", "unpack_weights", "update"]


def forward(x: Array, w: Array, b: Array, activation: str, a: Array) -> None:
    """a = f(x w + b). x `(B, I)`; w packed `(I, O)`; b `(O,)`; a `(B, O)` is overwritten."""
    forward_call(x, w, b, activation, a).run()


def forward_call(x: Array, w: Array, b: Array, activation: str, a: Array) -> LayerCall:
    """Return the checked call of `forward`, ready to run, once or often."""
    check_array("x", x, (None, None))
    check_array("b", b, (None,), x.dtype)
    (batch, inputs), outputs = x.shape, len(b)
    check_packed("w", w, inputs, outputs, x.dtype)
    check_array("a", a, (batch, outputs), x.dtype)
    check_output("a", a, {"x": x, "w": w, "b": b})
    call = LayerCall(FORWARD, batch, x.dtype)
    call.layer(inputs, outputs, activation, {"w": w, "b": b, "a": a}, ("a",))
    return call.ready({"x": x})


@quiet
def output(z: Array, y: Array, activation: str, cost: str, a: Array, dz: Array) -> float:
    """a = f(z) and dz = dC/dz of the mean cost C; return C times B, the sum over the samples.

    z `(B, O)`; y labels `(B,)` or targets `(B, O)`; a and dz `(B, O)` are overwritten.
    """
    costs = np.empty(len(z) if isinstance(z, np.ndarray) and z.ndim else 0)
    output_call(z, y, activation, cost, a, dz, costs).run()
    return float(costs.sum())


def output_call(
    z: Array, y: Array, activation: str, cost: str, a: Array, dz: Array, costs: Array
) -> LayerCall:
    """Return the checked call of `output`, which writes each sample's cost to costs `(B,)`."""
    check_array("z", z, (None, None))
    batch, outputs = z.shape
    if not isinstance(y, np.ndarray) or y.dtype.kind not in "iufb":
        found = str(getattr(y, "dtype", type(y).__name__))
        raise refuse("y", "must be labels or targets", found, "Pass an array of numbers.")
    targets = y_array(y, z.dtype)
    check_array("y", targets, (batch,) if y.ndim == 1 else (batch, outputs), targets.dtype)
    if y.ndim == 1:
        check_indices("y", targets, max(2, outputs))
    for name, array in (("a", a), ("dz", dz)):
        check_array(name, array, z.shape, z.dtype)
        check_output(name, array, {"z": z, "y": y})
    check_output("dz", dz, {"a": a})
    hits, order = np.empty(batch, np.uint8), np.arange(batch)
    call = LayerCall(OUTPUT, batch, z.dtype, cost=cost_named(cost, activation).code)
    call.layer(outputs, outputs, activation, {"a": a, "dz": dz}, ("a", "dz"))
    answers = {"labels" if y.ndim == 1 else "targets": targets}
    inputs = {"x": _padded(z), "costs": costs, "hits": hits, "order": order}
    return call.ready(inputs | answers)


def delta(dz: Array, w: Array, a: Array, activation: str, dx: Array) -> None:
    """dx = (dz w^T) f'(z) for the layer below, whose outputs a = f(z) were.

    dz `(B, O)`; w packed `(I, O)`; a `(B, I)`; dx `(B, I)` is overwritten.
    """
    delta_call(dz, w, a, activation, dx).run()


def delta_call(dz: Array, w: Array, a: Array, activation: str, dx: Array) -> LayerCall:
    """Return the checked call of `delta`, ready to run, once or often."""
    check_array("dz", dz, (None, None))
    (batch, outputs), dtype = dz.shape, dz.dtype
    check_array("a", a, (batch, None), dtype)
    inputs = a.shape[1]
    check_packed("w", w, inputs, outputs, dtype)
    check_array("dx", dx, a.shape, dtype)
    check_output("dx", dx, {"dz": dz, "w": w, "a": a})
    call = LayerCall(DELTA, batch, dtype)
    call.layer(1, inputs, activation, {"a": a, "dz": dx}, ("dz",))
    call.layer(inputs, outputs, "identity", {"w": w, "dz": dz})
    return call.ready({})


def gradient(x: Array, dz: Array, dw: Array, db: Array) -> None:
    """dw = x^T dz and db = sum of dz over the batch; dw packed `(I, O)`, db `(O,)`: overwritten."""
    gradient_call(x, dz, dw, db).run()


def gradient_call(x: Array, dz: Array, dw: Array, db: Array) -> LayerCall:
    """Return the checked call of `gradient`, ready to run, once or often."""
    return _update(x, dz, {"dw": dw}, {"db": db}, 1.0, keep=0.0, keep_b=0.0)


@quiet
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
    check_numbers(learning_rate=learning_rate, momentum=momentum, weight_decay=weight_decay)
    settings = {"momentum": momentum, "nesterov": nesterov, "weight_decay": weight_decay}
    settings |= {"learning_rate": learning_rate, "keep": 1 - learning_rate * weight_decay}
    factor = 1.0 if momentum else -learning_rate
    _update(x, dz, {"w": w, "vw": vw}, {"b": b, "vb": vb}, factor, keep_b=1.0, **settings).run()


def _update(
    x: Array,
    dz: Array,
    weights: dict[str, Array],
    biases: dict[str, Array],
    factor: float,
    **settings: float,
) -> LayerCall:
    """Return the call of UPDATE with factor dz. weights: w, then its velocity; biases alike."""
    check_array("x", x, (None, None))
    (batch, inputs), dtype = x.shape, x.dtype
    check_array("dz", dz, (batch, None), dtype)
    outputs = dz.shape[1]
    for name, array in weights.items():
        check_packed(name, array, inputs, outputs, dtype)
        check_output(name, array, {"x": x, "dz": dz})
    for name, array in biases.items():
        check_array(name, array, (outputs,), dtype)
        check_output(name, array, {"x": x, "dz": dz})
    call = LayerCall(UPDATE, batch, dtype, **settings)
    arrays = dict(zip(("w", "vw", "b", "vb"), (*weights.values(), *biases.values()), strict=False))
    if len(weights) == 1:
        arrays = {"w": weights.popitem()[1], "b": biases.popitem()[1]}
    scaled = dz if factor == 1 else dz * dtype.type(factor)
    call.layer(inputs, outputs, "identity", arrays | {"dz": scaled}, ("b", "vb"))
    return call.ready({"x": x})


def _padded(array: Array) -> Array:
    """Return an array with room for whole panels and squares of vectors: itself where it has."""
    width = panel_width(array.shape[-1], array.dtype)
    rows = [round_up(n, VECTOR_BYTES // array.dtype.itemsize) for n in array.shape[:-1]]
    shape = (*rows, round_up(array.shape[-1], width))
    if shape == array.shape:
        return array
    room = aligned_zeros(shape, array.dtype)
    _inner(room, array)[...] = array
    return room


def _inner(room: Array, array: Array) -> Array:
    """Return the view of the part of a padded array that is not padding."""
    return room[tuple(slice(n) for n in array.shape)]


class LayerCall:
    """One job on one layer, or two: its records, and the padded arrays that they point to."""

    def __init__(self, kind: int, batch: int, dtype: np.dtype, **settings: float) -> None:
        self.kind, self.batch, self.dtype, self.settings = kind, batch, dtype, settings
        self.layers = np.zeros(0, LAYER)
        self.rooms: list[Array] = []
        self.copies: list[tuple[Array, Array]] = []  # what is written beside, and where it belongs

    def layer(
        self,
        inputs: int,
        outputs: int,
        activation: str,
        arrays: dict[str, Array],
        written: tuple[str, ...] = (),
    ) -> None:
        """Add a layer. Weights come packed, all other arrays in their logical shape."""
        record = np.zeros(1, LAYER)
        width = panel_width(outputs, self.dtype)
        record["inputs"], record["outputs"], record["width"] = inputs, outputs, width
        record["panels"] = -(-outputs // width)
        record["activation"] = activation_named(activation, "activation").code
        record["a_row"], record["a_panel"] = round_up(outputs, width), width
        for name, array in arrays.items():
            room = array if name in ("w", "vw") else _padded(array)
            record[name] = room.ctypes.data
            self.rooms.append(room)
            if name in written and room is not array:
                self.copies.append((room, array))
            if name == "w":
                record["panel_rows"], record["w_row"] = array.shape[1], width
                record["panel_step"] = array.shape[1] * width
        self.layers = np.concatenate([self.layers, record])

    def ready(self, inputs: dict[str, Array]) -> LayerCall:
        """Fill the job's record, with inputs of its own, and return the call."""
        work = self.batch * int((self.layers["inputs"] * self.layers["outputs"]).max())
        self.members = team_size(work)
        self.job = Job(self.layers, self.dtype, self.members)
        self.job.record["kind"], self.job.record["batch_size"] = self.kind, self.batch
        self.job.record["samples"] = self.batch
        for name, value in self.settings.items():
            self.job.record[name] = value
        if "x" in inputs:
            self.job.record["x_row"] = inputs["x"].shape[1]
        self.job.point(**inputs)
        return self

    def run(self, times: int = 1) -> None:
        """Run the job so many times, then copy what was written beside back."""
        self.job.record["steps"] = times
        run(self.job.record, self.layers, self.members, self.dtype)
        for room, array in self.copies:
            array[...] = _inner(room, array)
