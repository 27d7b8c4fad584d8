"""Training one network in compiled code: its parameters as panels, and every buffer."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any

import numpy as np

from fastmlp.arrays import Array, Rows, SparseRows, check_indices, density, quiet
from fastmlp.errors import refuse
from fastmlp.functions import ACTIVATIONS, Trace, cost_row, target_values
from fastmlp.functions.coefficients import COEFFICIENTS
from fastmlp.functions.dropout import INPUTS, Dropout
from fastmlp.functions.optimizers import OPTIMIZERS, coefficients_for, form_for
from fastmlp.kernels.launch import available_threads, run
from fastmlp.kernels.loops.bits import list_bytes, words_bytes
from fastmlp.kernels.memory import panels, records
from fastmlp.kernels.memory.buffers import (
    Orders,
    add_buffers,
    mark_outputs,
    plan_memory,
    set_dropout,
)
from fastmlp.kernels.memory.tuning import BY_PAIR_FROM, MOST_LISTED, PART, SAMPLED
from fastmlp.kernels.step.images import (
    addresses_of,
    copy_addresses,
    entries_of,
    is_sparse,
    table_of,
)
from fastmlp.kernels.step.inputs import train_by_inputs
from fastmlp.kernels.step.samples import scratch_bytes, train_by_samples
from fastmlp.kernels.step.step import train
from fastmlp.kernels.team.plan import Plan, plan_of
from fastmlp.system.team_size import BARRIERS, TeamSize

# The function that takes steps by a plan
ENTRIES = {
    records.BY_COLUMNS: train.__name__,
    records.COLUMNS_THEN_ROWS: train.__name__,
    records.BY_SAMPLES: train_by_samples.__name__,
    records.BY_INPUTS: train_by_inputs.__name__,
}


class Engine:
    """Trains one network: see `fastmlp.backends.Engine`, which is the contract.

    job, layers : the records that the phases read; buffers : the arrays of each layer by name
    """

    def __init__(
        self,
        weights: Sequence[Array],
        biases: Sequence[Array],
        activations: Sequence[str],
        cost: str,
        batch_size: int,
        optimizer: str = "sgd",
        settings: Mapping[str, Any] | None = None,
        threads: int | None = None,
        factors: Array | None = None,
        dropout: Dropout | None = None,
        smoothing: float = 0.0,
    ) -> None:
        self.threads, self._first = threads or available_threads(), threads
        self.inputs, self.batch_size = "dense", batch_size
        self._optimizer, self.settings = form_for(optimizer, settings, factors)
        self.slots = self._optimizer.slots
        self._dtype = weights[0].dtype
        self._sizes = sizes = [len(weights[0]), *(len(b) for b in biases)]
        clips = bool(np.isfinite(self.settings.get("clip_norm", np.inf)))
        # by whether the images are sparse, and for sparse rows
        self._plans = [plan_of(sizes, batch_size, self._dtype, sparse) for sparse in (False, True)]
        kinds = {plan.kind for plan in self._plans}
        by_inputs = self._plans[True].kind == records.BY_INPUTS
        self._plans.append(Plan(records.BY_COLUMNS) if by_inputs else self._plans[True])
        if clips:
            self._plans, kinds = [Plan(records.BY_COLUMNS, clipped=True)] * 3, {records.BY_COLUMNS}
        # sums of squares depend on the panels
        owners = [1 if clips or kinds != {records.BY_COLUMNS} else self.threads] * len(weights)
        if kinds == {records.COLUMNS_THEN_ROWS}:
            owners = [2, 1]  # whatever the members, as sums depend on it
        self.layers, self.buffers = records.network_layers(weights, biases, activations, owners)
        self._factors, self._rows = factors, 1 if factors is None else len(weights)
        self.layers["coefficient_row"] = np.arange(len(weights)) % self._rows
        for number in range(len(weights)):
            drops = set_dropout(self.layers[number], number, dropout)
            keeps = drops or ACTIVATIONS[activations[number]].keeps == "z"
            add_buffers(self.layers, self.buffers, number, batch_size, self.slots, keeps)
        if batch_size >= BY_PAIR_FROM and records.BY_COLUMNS in kinds:
            mark_outputs(self.layers, self.buffers, batch_size)
        self.job, row = np.zeros(1, records.JOB), panels.row_stride(len(weights[0]), self._dtype)
        self.job["cost"], self.job["cost_setting"] = cost_row(cost).code, cost_row(cost).setting
        # clipped, a fused step that keeps nothing makes the gradients
        code = self._optimizer.code
        self._codes = (OPTIMIZERS["sgd"].code, code) if clips else (code, 0)
        self.job["optimizer"], self.job["clipped"] = self._codes
        self.job["batch_size"], self.job["x_row"] = batch_size, row
        self.job["target_0"], self.job["target_1"] = target_values(smoothing, sizes[-1])
        self._drops = dropout if set_dropout(self.job, INPUTS, dropout) else None
        self._lists = self._takes_lists(len(weights[0]))
        self._x = np.empty(0, self._dtype)  # made for dense images
        self._use(self._plans[0])
        size = scratch_bytes(self.layers, self._dtype)
        self._scratch = records.private_memory(self.job, self.threads, size)
        self._source: tuple[Any, int] = (None, records.DENSE)

    def _use(self, plan: Plan) -> None:
        """Share steps by a plan: allocate what members exchange, and what each has for itself."""
        inputs, slices = int(self.layers["inputs"][0]), plan.slices
        step = self._sizes, self.batch_size, self._dtype, plan is self._plans[1]
        self.first_members = self._first or plan.first_members(step, self.threads, BARRIERS["far"])
        fixed = os.environ.get("FASTMLP_FIXED_TEAM", "0") != "0"
        self.team = TeamSize(self.threads, self.first_members, fixed)
        self.plan, self.job["plan"], self.job["slices"] = plan, plan.kind, slices
        self.job["words_bytes"] = (
            list_bytes(inputs, slices, self._dtype) if self._lists else words_bytes(inputs)
        )
        what = self.job, self.layers, self.buffers, self.slots, self.threads, self._lists
        self._records, self._memory = plan_memory(*what)
        if self._drops:  # copies of the images of as many steps as there are words of
            shape = len(self._memory[0]), self.batch_size, panels.round_up(inputs + 1, 64)
            self._copies = panels.aligned_zeros(shape, np.dtype(np.uint8))

    @quiet
    def train(
        self,
        images: Rows,
        y: Array,
        order: Array,
        learning_rates: Array,
        scale: float = 1.0,
        first_step: int = 0,
        sample_weight: Array | None = None,
        augmented: Array | None = None,
        epochs: int = 1,
    ) -> tuple[Array, Any]:
        """Take one step for each learning rate; return (costs `(steps,)`, correct answers)."""
        rates = np.asarray(learning_rates, np.float64)
        if epochs == 1:
            order = order[: len(rates) * self.batch_size]
        steps = -rates if self._optimizer.fused else np.ones(len(rates))
        what = self._optimizer, self.settings, rates, first_step, self._factors
        own = coefficients_for(*what)
        self.job["first_sample"] = first_step * self.batch_size
        orders = order.reshape(epochs, -1)
        costs, right = self._steps(images, y, orders, steps, own, scale, sample_weight, augmented)
        return costs, right.item() if epochs == 1 else right

    @property
    def plan_name(self) -> str:
        """How a team shares a step: see `fastmlp.kernels.team.plan`."""
        return self.plan.name

    def members(self) -> float:
        """Return how many members the team had, on average, since the last call."""
        return self.team.mean()

    @quiet
    def trace(
        self,
        images: Rows,
        y: Array,
        order: Array,
        scale: float = 1.0,
        sample_weight: Array | None = None,
    ) -> Trace:
        """Return what one step computes for these samples, at most a minibatch; nothing changes."""
        if not 0 < len(order) <= self.batch_size:
            rule, remedy = f"must have 1 to {self.batch_size} samples", "Make a larger engine."
            raise refuse("order", rule, len(order), remedy)
        kept = [(arrays["w"].copy(), arrays["b"].copy()) for arrays in self.buffers]
        # a fused step that keeps nothing of the old weights leaves the gradients there
        self.job["optimizer"], self.job["clipped"] = OPTIMIZERS["sgd"].code, 0
        self.job["first_sample"] = 0
        try:
            keep = np.zeros((1, self._rows, 2, COEFFICIENTS))
            what = images, y, order[np.newaxis], np.ones(1), keep, scale, sample_weight
            costs, correct = self._steps(*what, is_trace=True)
            dw = [np.empty((int(l["inputs"]), int(l["outputs"])), self._dtype) for l in self.layers]
            db = [np.empty(w.shape[1], self._dtype) for w in dw]
            self.read(dw, db)
        finally:
            self.job["optimizer"], self.job["clipped"] = self._codes
            for arrays, (w, b) in zip(self.buffers, kept, strict=True):
                arrays["w"][...], arrays["b"][...] = w, b
        a, dz = (
            [self.rows(number, name)[: len(order)].copy() for number in range(len(dw))]
            for name in ("a", "dz")
        )
        return Trace(float(costs[0]), correct.item(), a, dz, dw, db)

    def rows(self, number: int, name: str) -> Array:
        """Return a layer's outputs a or deltas dz, of a whole minibatch `(B, O)`."""
        buffer, outputs = self.buffers[number][name], int(self.layers["outputs"][number])
        if buffer.ndim == 3:
            buffer = buffer.transpose(1, 0, 2).reshape(buffer.shape[1], -1)
        return buffer[: self.batch_size, :outputs]

    def _steps(
        self,
        images: Rows,
        y: Array,
        orders: Array,
        steps: Array,
        own: Array,
        scale: float,
        sample_weight: Array | None,
        augmented: Array | None = None,
        is_trace: bool = False,
    ) -> tuple[Array, Array]:
        """Take a step for each of `own`, its coefficients; `steps` are factors on its deltas."""
        epochs = Orders(orders, self.batch_size, len(own), sample_weight)
        order, self.job["epoch_steps"], self.job["short"] = epochs.order, epochs.steps, epochs.short
        factors = epochs.factors(steps, self._dtype)
        check_indices("order", order, len(images))
        if y.ndim == 1:
            check_indices("y", y, max(2, int(self.layers["outputs"][-1])))
        if not isinstance(images, SparseRows):
            images = np.ascontiguousarray(images)
        images, arrays = self._take(images, order, scale, augmented)  # what is read stays alive
        own = np.ascontiguousarray(own)
        self.job["coefficient_rows"], self.job["coefficient_count"] = self._rows, own.shape[3]
        costs, hits = np.zeros(len(order)), np.zeros(len(order), np.uint8)
        # labels in the order: looked up one by one in the step, each would miss the cache
        y = np.ascontiguousarray(y[order], np.int64) if y.ndim == 1 else y_array(y, self._dtype)
        self.job["labels"] = self.job["targets"] = 0
        self.job["samples"], self.job["ready"] = len(order), 0
        arrays |= {"order": order, "costs": costs, "hits": hits}
        arrays |= {"labels" if y.ndim == 1 else "targets": y, "coefficients": own}
        arrays |= {"factors": factors, "table": table_of(float(self.job["scale"][0]), self._dtype)}
        records.point(self.job, **arrays)
        function, done = ENTRIES[self.plan.kind], 0
        while done < len(own):
            size, count = self.team.next(len(own) - done)
            if is_trace:  # by samples, one member has all of them
                size = 1 if self.plan.kind == records.BY_SAMPLES else self.threads
                count = len(own)
            began = perf_counter()
            self.job["first_step"], self.job["steps"] = done, count
            run(function, self.job, self._records, size, self._dtype)
            if not is_trace:
                self.team.record(size, count, perf_counter() - began)
            done += count
        return epochs.sums(costs, hits)

    def _take(
        self, images: Rows, order: Array, scale: float, augmented: Array | None
    ) -> tuple[Rows, dict[str, Array]]:
        """Choose how the first layer takes images; return what it reads, and the job's arrays."""
        if self._source[0] is not images:
            self._source = images, self._look_at(images)
        self.job["images_as"], where = self._source[1], order
        is_dense = self._source[1] == records.DENSE
        # dense images are scaled by dropout itself
        self.job["scale"] = scale if is_dense else scale * self.job["drop_scale"]
        if augmented is not None:
            shape = len(order), images.shape[1]
            if augmented.shape != shape or isinstance(images, SparseRows):
                remedy = "Pass an image for each index of the order, and no sparse rows."
                raise refuse("augmented", f"must have shape {shape}", augmented.shape, remedy)
            images, where = np.ascontiguousarray(augmented, images.dtype), np.arange(len(order))
        if isinstance(images, SparseRows):
            return images, self._entries(images, order, scale)
        if not is_dense and images.shape[1] % 2:  # the last pixel has no neighbour: a zero
            images, where = np.pad(images[where], ((0, 0), (0, 1))), np.arange(len(order))
        self.job["image_kind"] = records.IMAGE_KINDS[images.dtype]
        more = 3 * panels.round_up(self.batch_size, PART)  # prefetched behind the last minibatch
        sources = addresses = addresses_of(images, where, more)
        if self._drops and not is_dense:
            addresses = copy_addresses(self._copies, len(sources))
        return images, {"sources": sources, "addresses": addresses}

    def _entries(self, rows: SparseRows, order: Array, scale: float) -> dict[str, Array]:
        """Return what a job reads of sparse rows in an order; dropped values are 0."""
        if self._drops is None:
            return entries_of(rows, scale, self._dtype, order)
        rows = rows[order]
        samples = int(self.job["first_sample"][0]) + np.arange(len(rows))
        units = np.repeat(samples, np.diff(rows.starts)), rows.columns
        factors = self._drops.factors_of(INPUTS, *units, self._dtype)
        return entries_of(rows.with_values(rows.values * factors), scale, self._dtype)

    def _look_at(self, images: Rows) -> int:
        """Choose a plan for images, and return how the first layer takes them."""
        if isinstance(images, SparseRows):
            found, plan = records.BY_ENTRY, self._plans[2]
        else:
            sparse = len(self.layers) > 1 and is_sparse(images)
            found, plan = records.DENSE, self._plans[sparse]
            if sparse:
                found = records.BY_IMAGE if self._lists else records.BY_PAIR
        if self.plan != plan:
            self._use(plan)
        if found == records.DENSE and not self._x.size:
            rows = panels.round_up(self.batch_size, panels.vector_size(self._dtype))
            shape = 2, rows, int(self.job["x_row"][0])
            self._x = panels.zeros_apart(self.threads, shape, self._dtype)
            self.job["x_bytes"] = self._x.strides[0]
            records.point(self.job, x=self._x)
        kind = "dense" if found == records.DENSE else "sparse"
        self.inputs = f"{kind}, {density(images, SAMPLED):.1%} of the values are not zero"
        return found

    def _takes_lists(self, inputs: int) -> bool:
        """Return whether sparse images are taken one by one, as lists, and not by pairs.

        They are in small minibatches of plain SGD: all other steps change every weight.
        """
        is_small = self.batch_size < BY_PAIR_FROM and inputs <= 2 * MOST_LISTED
        return is_small and self._optimizer.fused and not np.any(self.settings["weight_decay"])

    def read(self, weights: Sequence[Array], biases: Sequence[Array]) -> None:
        """Write the parameters as they are now into weights and biases."""
        self._read("w", "b", weights, biases)

    def write(self, weights: Sequence[Array], biases: Sequence[Array]) -> None:
        """Take weights and biases, as `read` writes them, for the next step; the state stays."""
        self._write("w", "b", weights, biases)

    def read_state(self, slot: str, weights: Sequence[Array], biases: Sequence[Array]) -> None:
        """Write the optimiser's state in a slot into arrays like weights and biases."""
        self._read(f"w {slot}", f"b {slot}", weights, biases)

    def write_state(self, slot: str, weights: Sequence[Array], biases: Sequence[Array]) -> None:
        """Take the state in a slot from another engine, as `read_state` wrote it."""
        self._write(f"w {slot}", f"b {slot}", weights, biases)

    def scale_state(self, slot: str, factor: float) -> None:
        """Multiply the optimiser's state in a slot."""
        for arrays in self.buffers:
            arrays[f"w {slot}"] *= factor
            arrays[f"b {slot}"] *= factor

    def _read(self, w_name: str, b_name: str, weights: Sequence[Array], biases: Any) -> None:
        for arrays, w, b in zip(self.buffers, weights, biases, strict=True):
            panels.unpack_panels(arrays[w_name], w)
            np.copyto(b, arrays[b_name][: len(b)])

    def _write(self, w_name: str, b_name: str, weights: Sequence[Array], biases: Any) -> None:
        for arrays, w, b in zip(self.buffers, weights, biases, strict=True):
            arrays[w_name][...] = panels.pack_panels(w, arrays[w_name].shape[2])
            arrays[b_name][: len(b)] = b


def y_array(y: Array, dtype: np.dtype) -> Array:
    """Return labels `(N,)` as int64 or targets `(N, O)` in the network's precision."""
    return np.ascontiguousarray(y, np.int64 if y.ndim == 1 else dtype)
