"""How threads share a training step of a workload, for `fastmlp info NETWORK/BATCH`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastmlp.bench.workload import parse
from fastmlp.kernels.team.plan import plan_of
from fastmlp.system.team_size import BARRIERS


@dataclass(frozen=True)
class SharedStep:
    """The plan of a workload in float32, with its costs in a team of so many members.

    barriers : of a step; slices : of a minibatch, by samples, or of the inputs, by inputs
    lines : cache lines that a member reads in a step and others wrote, by what they hold
    first : how many members a team begins with, by a model, of cores that are "near" and "far"
    """

    workload: str
    plan: str
    members: int
    barriers: int
    slices: int
    lines: dict[str, int]
    first: dict[str, int]


def describe_plan(name: str, threads: int) -> SharedStep:
    """Return the plan of the workload of a name. Raises ArgumentError for other names.

    Images of a data set are taken as sparse, random input as dense. A single thread is shown as a
    team of two, as one shares nothing.
    """
    work, members = parse(name), max(2, threads)
    step = work.sizes, work.batch_size, np.dtype(np.float32), work.is_sparse
    plan = plan_of(*step)
    first = {k: plan.first_members(step, threads, barrier) for k, barrier in BARRIERS.items()}
    plan = plan.of(members)
    lines, barriers = plan.lines(*step, members), plan.barriers(len(work.sizes) - 1)
    return SharedStep(work.name, plan.name, members, barriers, plan.slices, lines, first)
