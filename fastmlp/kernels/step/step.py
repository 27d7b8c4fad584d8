"""Training: minibatch SGD as phases, with a barrier behind each."""

from __future__ import annotations

import numpy as np

from fastmlp.functions import Array
from fastmlp.kernels.llvm.compile import jit, shared
from fastmlp.kernels.memory.records import DENSE, job_at, layers_at
from fastmlp.kernels.step import delta as delta_phase
from fastmlp.kernels.step import first_layer
from fastmlp.kernels.step import output as output_phase
from fastmlp.kernels.step import update as update_phase
from fastmlp.kernels.step.delta import delta
from fastmlp.kernels.step.first_layer import forward_first, update_first
from fastmlp.kernels.step.forward import forward, forward_nonzeros, leaves_out, runs_of
from fastmlp.kernels.step.images import batch_at, dense_images, prepare_images
from fastmlp.kernels.step.output import output
from fastmlp.kernels.step.update import is_fused, update, update_biases, update_nonzeros
from fastmlp.kernels.team.barrier import wait


def scratch_bytes(layers: Array, dtype: np.dtype) -> int:
    """Return how much scratch a member uses in training: one phase after the other has it."""
    phases = (first_layer, output_phase, delta_phase, update_phase)
    return max(int(phase.scratch_bytes(layers, dtype)) for phase in phases)


@shared
def train(job_address, layers_address, count, barrier, scratch, member, members, like: float):
    """One step for each row of coefficients. Between two barriers, members write apart."""
    job, layers = job_at(job_address), layers_at(layers_address, count)
    inputs, last = layers[0].inputs, count - 1
    prepare_images(job, inputs, 0, member, members, like)
    wait(barrier, members)
    for step in range(job.steps):
        position, batch = batch_at(job, step)
        for l in range(last):
            if l == 0 and job.images_as != DENSE:
                forward_first(job, layers[0], step, scratch, member, members, like)
            elif l > 0 and leaves_out(layers[l - 1], layers[l], batch):
                forward_nonzeros(layers[l], layers[l - 1], batch, member, members, like)
            else:
                x, x_row, run, jump = layer_input(job, layers, l, step, like)
                forward(layers[l], x, x_row, run, jump, batch, member, members, like)
            wait(barrier, members)

        x, x_row, run, jump = layer_input(job, layers, last, step, like)
        top = layers[last]
        output(job, top, position, x, x_row, run, jump, batch, scratch, member, members, like)
        wait(barrier, members)

        for l in range(last, 0, -1):
            delta(layers[l], layers[l - 1], batch, scratch, member, members, like)
            wait(barrier, members)

        for l in range(last, -1, -1):
            layer = layers[l]
            if l == 0 and job.images_as != DENSE:
                update_first(job, layer, step, scratch, member, members, like)
            elif l > 0 and is_fused(job.optimizer) and leaves_out(layers[l - 1], layer, batch):
                below = layers[l - 1]
                update_nonzeros(job, layer, below, step, batch, scratch, member, members, like)
            else:
                x, x_row, run, jump = layer_input(job, layers, l, step, like)
                update(job, layer, step, x, x_row, run, jump, batch, scratch, member, members, like)
            update_biases(job, layer, step, batch, scratch, member, members, like)
        prepare_images(job, inputs, step + 1, member, members, like)
        wait(barrier, members)


@jit
def layer_input(job, layers, l, step, like):
    """Return what layer l reads: address, elements between rows, and its runs (see `forward`)."""
    if l == 0:
        return dense_images(job, step, like), job.x_row, 0, 0
    run, jump = runs_of(layers[l - 1])
    return layers[l - 1].a, layers[l - 1].a_row, run, jump
