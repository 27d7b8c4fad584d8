"""Training one network in compiled code: its parameters as panels, and every buffer."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partialmethod
from time import perf_counter
from typing import Any

import numpy as np

from fastmlp.arrays import Array, Rows, SparseRows, check_indices, density, quiet
from fastmlp.errors import refuse
from fastmlp.functions import Trace, cost_row, target_values
from fastmlp.functions.coefficients import COEFFICIENTS
from fastmlp.functions.dropout import Dropout
from fastmlp.functions.optimizers import OPTIMIZERS, coefficients_for, form_for
from fastmlp.kernels.launch import available_threads, run
from fastmlp.kernels.loops.bits import group_shape, words_bytes
from fastmlp.kernels.memory import buffers, panels, records, tuning
from fastmlp.kernels.step.slices import train_by_slices
from fastmlp.kernels.step.source import Orders, Source, kind_of, table_of, takes_lists
from fastmlp.kernels.step.step import scratch_bytes, train, train_by_rows
from fastmlp.kernels.team.plan import Plan, owners_of, plans_of
from fastmlp.system.team_size import BARRIERS, TeamSize

# What takes steps, by the code of a plan
TRAINERS = train, train_by_rows, train_by_slices, train_by_slices


class Engine:
    """Trains one network: see `fastmlp.backends.Engine`, which is the contract.

    job, layers : the records that the phases read
    buffers : the arrays of each layer by name: "w" and "b", and "w_0" for the first slot of state
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
        self.batch_size = batch_size
        self._optimizer, self.settings = form_for(optimizer, settings, factors)
        self.slots = self._optimizer.slots
        self._dtype = weights[0].dtype
        self._sizes = sizes = [len(weights[0]), *(len(b) for b in biases)]
        clips = bool(np.isfinite(self.settings.get("clip_norm", np.inf)))
        # by whether the images are sparse, and for sparse rows
        self._plans = plans_of(sizes, batch_size, self._dtype, clips)
        marked = buffers.marked_layers(sizes, activations, self._dtype, batch_size)
        owners = owners_of(self._plans, len(weights), self.threads, bool(marked))
        network = weights, biases, activations, owners, batch_size, len(self.slots), dropout, marked
        self.layers, self.buffers = buffers.network_layers(*network)
        self._factors, self._rows = factors, 1 if factors is None else len(weights)
        self.layers["coefficient_row"] = np.arange(len(weights)) % self._rows
        self.job = np.zeros(1, records.JOB)
        self.job["cost"], self.job["cost_setting"] = cost_row(cost).code, cost_row(cost).setting
        # of limited norm: a fused step that keeps nothing of the weights makes the gradients
        code = self._optimizer.code
        self._codes = (OPTIMIZERS["sgd"].code, code) if clips else (code, 0)
        self.job["optimizer"], self.job["clipped"] = self._codes
        self.job["batch_size"] = batch_size
        self.job[["target_0", "target_1"]] = target_values(smoothing, activations[-1], sizes[-1])
        self._source, self.inputs = Source(self.job, self._dtype, dropout), "dense"
        self._images: Rows | None = None  # those that were taken last, which `inputs` describes
        # all steps but those of plain SGD change every weight
        is_plain = self._optimizer.fused and not np.any(self.settings["weight_decay"])
        self._lists = is_plain and takes_lists(batch_size, len(weights[0]))
        self._use(self._plans[0])
        size = scratch_bytes(self.layers, self._dtype)
        self._scratch = records.private_memory(self.job, self.threads, size)

    def _use(self, plan: Plan) -> None:
        """Share steps by a plan: allocate what members exchange, and what each has for itself."""
        self.plan: Plan | None = None  # until its memory is there
        inputs, slices = int(self.layers["inputs"][0]), plan.slices
        step = self._sizes, self.batch_size, self._dtype, plan is self._plans[1]
        self.first_members = self._first or plan.first_members(step, self.threads, BARRIERS["far"])
        fixed = os.environ.get("FASTMLP_FIXED_TEAM", "") not in ("", "0")
        self.team = TeamSize(self.threads, self.first_members, fixed)
        self.job["plan"], self.job["slices"] = plan.kind, slices
        self.job["pair_stride"], self.job["block_inputs"] = group_shape(inputs)
        self.job["words_bytes"] = words_bytes(inputs, self._dtype, self._lists, slices)
        what = self.job, self.layers, self.buffers, self.threads, self._lists
        self._records, self._memory = buffers.plan_memory(*what)
        self._x: Array | None = None  # made for dense images
        self.plan, self.plan_name = plan, plan.name

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
        own = coefficients_for(self._optimizer, self.settings, rates, first_step, self._factors)
        self.job["first_sample"] = first_step * self.batch_size
        orders = order.reshape(epochs, -1)
        costs, right = self._steps(images, y, orders, steps, own, scale, sample_weight, augmented)
        return costs, right.item() if epochs == 1 else right

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
        check_indices("order", order, min(len(images), len(y)))
        if y.ndim == 1:
            check_indices("y", y, max(2, int(self.layers["outputs"][-1])))
        if not isinstance(images, SparseRows):
            images = np.ascontiguousarray(images)
        self._look_at(images)
        # what is read stays alive
        images, arrays = self._source.take(images, order, scale, augmented)
        self.job["coefficient_rows"], self.job["coefficient_count"] = self._rows, own.shape[3]
        samples, totals = len(order), np.empty((len(own), 2))
        self.job["labels"] = self.job["targets"] = self.job["weights"] = 0
        self.job["samples"], self.job["ready"], self.job["traced"] = samples, 0, is_trace
        if y.ndim == 1:
            # in the order, which was checked: looked up in the step, each would miss the cache
            labels = arrays["labels"] = np.zeros(samples + tuning.PART, self._dtype)
            y.astype(self._dtype).take(order, out=labels[:samples], mode="clip")
        else:
            arrays["targets"] = np.ascontiguousarray(y, self._dtype)
        arrays |= {"costs": np.empty(samples, self._dtype), "hits": np.empty(samples, np.uint8)}
        arrays |= {"weights": epochs.weight} if epochs.weight is not None else {}
        arrays |= {"order": order, "factors": factors, "coefficients": own, "totals": totals}
        arrays["table"] = table_of(float(self.job["scale"][0]), self._dtype)
        records.point(self.job, **arrays)
        plan, done = self.plan, 0
        assert plan is not None
        while done < len(own):
            size, count = self.team.next(len(own) - done)
            if is_trace:  # by samples, one member has all of them
                size = 1 if self.job["plan"] == records.BY_SAMPLES else self.threads
            began = perf_counter()
            self.job["first_step"], self.job["steps"] = done, count
            kind = plan.of(size).kind
            came = run(TRAINERS[kind].__name__, self.job, self._records, size, self._dtype)
            # images that all have prepared together are not there for members who own panels
            self.job["ready"] = came if plan.of(came).kind == kind else 0
            if not is_trace:
                self.team.record(size, count, perf_counter() - began, came)
            done += count
        return epochs.sums(totals)

    def _look_at(self, images: Rows) -> None:
        """Choose a plan for images, and how the first layer takes them; the same ones only once."""
        if self._images is images:
            return
        self._images = None  # until all is there
        self.job["images_as"] = kind = kind_of(images, len(self.layers), self._lists)
        share = f"{density(images, tuning.SAMPLED):.1%} of the values are not zero"
        self.inputs = f"{'dense' if kind == records.DENSE else 'sparse'}, {share}"
        plan = self._plans[{records.DENSE: 0, records.BY_ENTRY: 2}.get(kind, 1)]
        if self.plan != plan:
            self._use(plan)
        if kind == records.DENSE and self._x is None:
            what = self.threads, self.batch_size, self._dtype
            self._x = buffers.dense_images(self._records, *what)
        self._images = images

    def read_state(self, slot: str, weights: Sequence[Array], biases: Sequence[Array]) -> None:
        """Write the optimiser's state in a slot into arrays like weights and biases."""
        for own, given in self._pairs(slot, weights, biases):
            given[...] = own

    def write_state(self, slot: str, weights: Sequence[Array], biases: Sequence[Array]) -> None:
        """Take the state in a slot from another engine, as `read_state` wrote it."""
        for own, given in self._pairs(slot, weights, biases):
            own[...] = given

    # of the parameters themselves
    read, write = partialmethod(read_state, ""), partialmethod(write_state, "")

    def scale_state(self, slot: str, factor: float) -> None:
        """Multiply the optimiser's state in a slot."""
        for arrays in self.buffers:
            for name in ("w", "b"):
                arrays[f"{name}_{self.slots.index(slot)}"] *= factor

    def _pairs(self, slot: str, weights: Sequence[Array], biases: Sequence[Array]) -> Iterator[Any]:
        """Yield views of the same numbers: of a slot, or of none, and of arrays like these."""
        of_slot = f"_{self.slots.index(slot)}" if slot else ""
        for arrays, w, b in zip(self.buffers, weights, biases, strict=True):
            yield from panels.panel_views(arrays["w" + of_slot], w)
            yield arrays["b" + of_slot][: len(b)], b
