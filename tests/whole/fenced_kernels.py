"""Let the compiled room compute in fenced memory: images, results, buffers, scratch.

Run as a program: fenced_kernels.py (before | behind) (verify | wide | fault) [cases]
"""

import ctypes
import sys

import numpy as np
from fences import PAGE, fenced, forbid, pages_of, room_of

from fastmlp import kernels
from fastmlp.functions import OPTIMIZERS
from fastmlp.kernels import engine, predictor
from fastmlp.kernels.memory import records
from fastmlp.kernels.step import inference
from fastmlp.verify import verify

before = sys.argv[1] == "before"
INPUTS = {"images", "order", "labels", "targets", "coefficients", "factors", "table"}
kept = []


class Numpy:
    """NumPy, whose new arrays are fenced: those in which kernels leave costs, or read images."""

    def __getattr__(self, name):
        return getattr(np, name)

    def empty(self, *arguments, **options):
        return fenced(np.empty(*arguments, **options), before)

    def pad(self, *arguments, **options):
        return fenced(np.pad(*arguments, **options), before)


def fenced_zeros(shape, dtype):
    return fenced(np.zeros(shape, dtype), before)


def fenced_point(record, **arrays):
    copies = {n: fenced(a, before) if n in INPUTS else a for n, a in arrays.items()}
    kept.append(copies)
    point(record, **copies)


def fenced_scratch(record, members, size):
    """As `private_memory`: a fence at the scratch of each member, which is as small as it says."""
    pages = pages_of(size)
    stride = (pages + 1) * PAGE
    room, start = room_of(members * stride)
    for member in range(members):
        forbid(start + member * stride + (0 if before else pages * PAGE))
    record["scratch"] = start + (PAGE if before else pages * PAGE - size)
    record["scratch_bytes"] = stride
    return np.frombuffer(room, np.uint8)


def fenced_halves(record, members, size):
    """As `private_memory` for inference, which finds its second half by the size."""
    memory = fenced_zeros((members, size), np.dtype(np.uint8))
    record["scratch"], record["scratch_bytes"] = memory.ctypes.data, size
    return memory


def fenced_door(door):
    """As `infer` or `classify`, with all arrays fenced."""

    def call(weights, biases, activations, images, out, *rest):
        weights, biases = ([fenced(p, before) for p in ps] for ps in (weights, biases))
        found = fenced(out, before)
        door(weights, biases, activations, fenced(images, before), found, *rest)
        out[...] = found

    return call


point = records.point
for module in (engine, predictor, records):
    module.aligned_zeros = fenced_zeros
engine.point, engine.private_memory, engine.np = fenced_point, fenced_scratch, Numpy()
predictor.point, predictor.private_memory = fenced_point, fenced_halves
predictor.np, inference._half = Numpy(), lambda size: size
kernels.infer, kernels.classify = fenced_door(kernels.infer), fenced_door(kernels.classify)


def wide():
    """Train networks whose output layer needs more scratch than all other phases."""
    rng = np.random.default_rng(0)
    for dtype in (np.float32, np.float64):
        for outputs, count in ((700, 37), (1100, 5)):
            w, b = rng.normal(size=(6, outputs)).astype(dtype), np.zeros(outputs, dtype)
            images, y = rng.normal(size=(count, 6)), rng.integers(0, outputs, count)
            for optimizer in OPTIMIZERS:
                for threads in (1, 2):
                    what = ("softmax",), "cross_entropy", count, optimizer, {}, threads
                    one = kernels.Engine([w], [b], *what)
                    one.train(images, y, np.arange(count), np.full(1, 0.1))
                    kept.clear()


if sys.argv[2] == "fault":  # the fence works: this must die
    outside = fenced(np.zeros(8, np.uint8), before)
    ctypes.string_at(outside.ctypes.data - (1 if before else -8), 1)
    sys.exit("no fault")
if sys.argv[2] == "wide":
    wide()
else:
    outcome = verify(cases=int(sys.argv[3]), follow=lambda *_: kept.clear())
    assert outcome.passed, outcome.failures
sys.stdout.write("inside\n")
