"""The network in compiled code: the twin of `fastmlp.reference`. README.md here is the way in.

Words that are ours:

    job, layer      records of sizes and addresses that Python fills (`memory.records`)
    member, team    a thread of those that share one job
    unit, share     a small piece of a phase's work; the units of one member
    panel           adjacent columns of w, 1, 2 or 4 vectors wide; in training packed row by row
                    (of a last layer of few outputs, transposed)
    tile            rows x vectors of sums that stay in registers
    part            64 samples of a minibatch
    quad, group     neighbouring pixels, four of them; those that are taken at once, four or two
    pair            the pixels 2k and 2k + 1 of an image
    word            64 bits: which of 64 samples, or outputs, are not zero
    entry           a number of a sparse row that is not left out, and its column
    list            the pairs of one image that are not zero, with their factors
    block           outputs of as many samples as a vector has lanes, one sample in each lane
    plan            how a team shares a step (`team.plan`)
    slice           samples of a minibatch, or inputs, whose sums are made apart: see `team.plan`
    fused, general  a step without an array of gradients; one with (`functions.optimizers`)
    like            a number that carries the precision, and is not used otherwise
"""

from fastmlp.system.cores import check_numba_settings

check_numba_settings()  # before Numba reads it, which ends with a bare ValueError or a traceback

from fastmlp.kernels.augment import augment  # noqa: E402
from fastmlp.kernels.engine import Engine  # noqa: E402
from fastmlp.kernels.launch import is_compiled, prepare  # noqa: E402
from fastmlp.kernels.predictor import Predictor  # noqa: E402

__all__ = ["Engine", "Predictor", "augment", "is_compiled", "prepare"]
