"""The network in compiled code: the twin of `fastmlp.reference`. README.md here is the way in.

One minibatch, from bytes to updated weights, shared by columns (`step.step.train`; `wait` is a
barrier; other plans have one a step, see `team.plan`):

    prepare_images(job, inputs, step, ...)          which pixels are not zero; or x = scale images.
    wait                                            For all but the first, a step ahead
    forward_first(job, layers[0], step, ...)        a = f(x w + b), without the zeros of x
    wait
    forward(layers[l], x, ...)                      a = f(x w + b), for each further hidden layer
    wait
    output(job, layers[-1], ...)                    a = f(z), the costs, dz = factor dC/dz
    wait
    delta(layers[l], layers[l - 1], ...)            dz below = (dz w^T) f'(z), from the top down
    wait
    update_first, update(job, layers[l], ...)       w = keep w + x^T dz, or an optimiser's formula
    update_biases(job, layers[l], ...)              the same for biases
    clip_and_step(job, layers, gradients, ...)      with clip_norm: the optimiser's formula by
                                                    gradients of limited norm, which update made

Words that are ours:

    job, layer      records of sizes and addresses that Python fills (`memory.records`)
    member, team    a thread of those that share one job
    unit, share     a small piece of a phase's work; the units of one member
    panel           adjacent columns of w, 1, 2 or 4 vectors wide; in training packed row by row
    tile            rows x vectors of sums that stay in registers
    part            64 samples of a minibatch
    pair            the pixels 2k and 2k + 1 of an image
    word            64 bits: which of 64 neighbours (pairs, outputs or samples) are not zero
    entry           a number of a sparse row that is not left out, and its column
    list            the pairs of one image that are not zero, with their factors
    block           outputs of as many samples as a vector has lanes, one sample in each lane
    plan            how a team shares a step (`team.plan`)
    slice           samples of a minibatch, or inputs, whose sums are made apart: see `team.plan`
    fused, general  a step without an array of gradients; one with (`functions.optimizers`)
    like            a number that carries the precision, and is not used otherwise
"""

from fastmlp.system.cores import check_thread_setting

check_thread_setting()  # before Numba reads it, which ends with a bare ValueError or a traceback

from fastmlp.kernels.augment import augment  # noqa: E402
from fastmlp.kernels.engine import Engine  # noqa: E402
from fastmlp.kernels.launch import is_compiled, prepare  # noqa: E402
from fastmlp.kernels.predictor import Predictor  # noqa: E402

__all__ = ["Engine", "Predictor", "augment", "is_compiled", "prepare"]
