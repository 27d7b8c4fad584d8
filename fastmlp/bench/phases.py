"""The phases of a training step, each repeated by itself, for `fastmlp bench kernels`.

They are compiled when they are first used. The field `steps` of a job is the number of repetitions.
"""

from __future__ import annotations

from fastmlp.kernels.llvm.compile import shared
from fastmlp.kernels.llvm.intrinsics import item_bytes, vector_lanes
from fastmlp.kernels.memory.records import layers_at
from fastmlp.kernels.step.forward import delta, forward
from fastmlp.kernels.step.judge import judge_rows
from fastmlp.kernels.step.update import update, update_biases
from fastmlp.kernels.team.barrier import wait
from fastmlp.kernels.team.plan import share

BARRIERS = "repeat_barrier"


@shared
def repeat_barrier(job, layers, count, barrier, scratch, member, members, like: float):
    """Wait at barriers, and do nothing else."""
    for _ in range(job.steps):
        wait(barrier, members)


@shared
def repeat_forward(job, layers, count, barrier, scratch, member, members, like: float):
    """a = f(x w + b) of the only layer."""
    layer = layers_at(layers, count)[0]
    for _ in range(job.steps):
        batch = job.batch_size
        forward(layer, layer, 0, 0, batch, batch, member, members, like)
        wait(barrier, members)


@shared
def repeat_delta(job, layers, count, barrier, scratch, member, members, like: float):
    """dz of the first layer, from that of the second."""
    records = layers_at(layers, count)
    for _ in range(job.steps):
        batch = job.batch_size
        delta(records[1], records[0], 0, batch, batch, scratch, member, members, like)
        wait(barrier, members)


@shared
def repeat_update(job, layers, count, barrier, scratch, member, members, like: float):
    """w = keep w + x^T dz of the only layer, and its biases, with the coefficients of step 0."""
    layer = layers_at(layers, count)[0]
    for _ in range(job.steps):
        update(job, layer, layer, 0, job.batch_size, scratch, member, members, like)
        update_biases(job, layer, 0, job.batch_size, scratch, member, members, like)
        wait(barrier, members)


@shared
def repeat_output(job, layers, count, barrier, scratch, member, members, like: float):
    """a = f(z), costs, hits and dz of the only layer; z is the array of its inputs."""
    layer = layers_at(layers, count)[0]
    lanes = vector_lanes(like)
    first, last = share((job.batch_size + lanes - 1) // lanes, member, members)
    for _ in range(job.steps):
        for i in range(first * lanes, min(last * lanes, job.batch_size), lanes):
            z = layer.x + i * layer.x_row * item_bytes(like)
            rows = min(lanes, job.batch_size - i)
            judge_rows(job, layer, z, layer.x_row, scratch, i, rows, i, 1, like)
        wait(barrier, members)
