"""Training: minibatch SGD as phases, with a barrier behind each."""

from __future__ import annotations

import numpy as np

from fastmlp.functions import Array
from fastmlp.kernels.llvm.compile import jit, shared
from fastmlp.kernels.memory.records import COLUMNS_THEN_ROWS, DENSE, job_at, member_layers
from fastmlp.kernels.step import delta as delta_phase
from fastmlp.kernels.step import first_layer
from fastmlp.kernels.step import output as output_phase
from fastmlp.kernels.step import update as update_phase
from fastmlp.kernels.step.delta import delta
from fastmlp.kernels.step.first_layer import forward_first, update_first
from fastmlp.kernels.step.forward import forward, forward_nonzeros, layer_input, leaves_out
from fastmlp.kernels.step.images import batch_at, prefetch_lines, prepare_images, words_at
from fastmlp.kernels.step.output import output, output_of_partials, partial_outputs
from fastmlp.kernels.step.update import is_fused, update, update_biases, update_nonzeros
from fastmlp.kernels.team.barrier import wait


def scratch_bytes(layers: Array, dtype: np.dtype) -> int:
    """Return how much scratch a member uses in training: one phase after the other has it."""
    phases = (first_layer, output_phase, delta_phase, update_phase)
    return max(int(phase.scratch_bytes(layers, dtype)) for phase in phases)


@jit
def backpropagate(job, layers, count, first, step, position, rows, own, is_mine, scratch, like):
    """Outputs and deltas of the layers first, first + 1, … for some samples, by one member alone.

    position : of the first of these samples in the order
    """
    last, sample = count - 1, job.first_sample + position
    for l in range(first, last):
        x, x_row, run, jump = layer_input(job, layers, l, step, own, like)
        forward(layers[l], x, x_row, run, jump, sample, rows, 0, 1, like)
    x, x_row, run, jump = layer_input(job, layers, last, step, own, like)
    output(
        job, layers[last], layers[max(last - 1, 0)], position, x, x_row, run, jump, rows, scratch,
        0, 1, is_mine, like,
    )  # fmt: skip
    for l in range(last, 0, -1):
        delta(layers[l], layers[l - 1], sample, rows, scratch, 0, 1, like)


@shared
def train(job_address, layers_address, count, barrier, scratch, member, members, like: float):
    """One step for each row of coefficients. Between two barriers, members write apart.

    Where z of the last layer has partial sums, each member owns whole panels of the layer below,
    and a step has one barrier; otherwise one behind each phase.
    """
    job, last = job_at(job_address), count - 1
    layers = member_layers(layers_address, count, 0)
    apart = job.plan == COLUMNS_THEN_ROWS and members <= layers[0].panels
    own = member + 1 if apart else 0
    layers = member_layers(layers_address, count, own)
    inputs, top, below = layers[0].inputs, layers[last], layers[max(last - 1, 0)]
    first_step, end = job.first_step, job.first_step + job.steps
    if job.ready != members:
        prepare_images(job, inputs, first_step, own, member, members, like)
        wait(barrier, members)
    for step in range(first_step, end):
        position, batch = batch_at(job, step)
        sample = job.first_sample + position
        for l in range(last):
            if l == 0 and job.images_as != DENSE:
                forward_first(job, layers[0], step, scratch, member, members, like)
            elif l > 0 and leaves_out(layers[l - 1], layers[l], batch):
                forward_nonzeros(layers[l], layers[l - 1], sample, batch, member, members, like)
            else:
                x, x_row, run, jump = layer_input(job, layers, l, step, own, like)
                forward(layers[l], x, x_row, run, jump, sample, batch, member, members, like)
            if not apart:
                wait(barrier, members)

        if apart:
            partial_outputs(job, top, below, step, batch, scratch, member, members, like)
            prepare_images(job, inputs, step + 1, own, member, members, like)
            wait(barrier, members)
            output_of_partials(job, top, below, step, batch, scratch, member, members, like)
            if job.images_as != DENSE and members > 1:
                prefetch_lines(words_at(job, step + 1, 0), job.step_bytes)
        else:
            x, x_row, run, jump = layer_input(job, layers, last, step, own, like)
            output(
                job, top, below, position, x, x_row, run, jump, batch, scratch, member, members,
                1, like,
            )  # fmt: skip
            wait(barrier, members)

        for l in range(last, 0, -1):
            delta(layers[l], layers[l - 1], sample, batch, scratch, member, members, like)
            if not apart:
                wait(barrier, members)

        for l in range(last, -1, -1):
            layer = layers[l]
            if l == 0 and job.images_as != DENSE:
                update_first(job, layer, step, scratch, member, members, like)
            elif l > 0 and is_fused(job.optimizer) and leaves_out(layers[l - 1], layer, batch):
                update_nonzeros(
                    job, layer, layers[l - 1], step, batch, scratch, member, members, like
                )
            else:
                x, x_row, run, jump = layer_input(job, layers, l, step, own, like)
                update(job, layer, step, x, x_row, run, jump, batch, scratch, member, members, like)
            update_biases(job, layer, step, batch, scratch, member, members, like)
        if not apart:
            prepare_images(job, inputs, step + 1, own, member, members, like)
            wait(barrier, members)
    if member == 0:
        job.ready = members
