"""Networks, images and runs that the tests of the engine share."""

import hashlib
import itertools

import numpy as np

import fastmlp
from fastmlp import kernels, reference
from fastmlp.functions import OPTIMIZERS
from fastmlp.kernels.engine import Engine
from fastmlp.verify.tables import TABLES

TWINS = (kernels, reference)
# An optimiser and settings for each path through a step: fused, or general with so many slots
FORMS = {}
for name, (optimizer, settings) in TABLES["step"].items():
    row = OPTIMIZERS[optimizer]
    decays = bool(settings.get("weight_decay")) and row.fused
    FORMS.setdefault((row.fused, len(row.slots), decays), name)
FORMS = {name: TABLES["step"][name] for name in FORMS.values()}


def pixels(rng, count, inputs, density=0.2):
    """Random bytes, of which so many are not zero."""
    images = rng.integers(1, 256, (count, inputs), np.uint8)
    images[rng.random(images.shape) > density] = 0
    return images


def parameters(rng, sizes, dtype):
    """Random weights, of sums of about 1, and biases."""
    shapes = list(itertools.pairwise(sizes))
    weights = [(rng.normal(size=s) / np.sqrt(s[0])).astype(dtype) for s in shapes]
    return weights, [rng.normal(0, 0.1, s[1]).astype(dtype) for s in shapes]


def wide(arrays):
    """The same numbers in double precision."""
    return [array.astype(np.float64) for array in arrays]


def rate_for(optimizer, settings, highest, sharp=2e-5):
    """Return a rate at which rounding errors of a few steps in float32 stay small.

    Some steps divide by the size of the gradient, up to an epsilon: an error where that is near 0
    can change them by twice the rate, which is `sharp` for them.
    """
    smooth = optimizer in ("sgd", "momentum", "nesterov") or settings.get("epsilon", 0) > 0.01
    return highest if smooth else sharp


def read(engine, weights, biases):
    """Return an engine's parameters, and its optimiser's state, as one list."""
    found = []
    for call in (engine.read, *(lambda *a, s=s: engine.read_state(s, *a) for s in engine.slots)):
        into = [np.full_like(p, np.nan) for p in (*weights, *biases)]
        call(into[: len(weights)], into[len(weights) :])
        found += into
    return found


def fingerprint(*arrays):
    """Return a digest of the bits of some arrays."""
    return hashlib.sha256(b"".join(np.asarray(a).tobytes() for a in arrays)).hexdigest()


def engine_for(sizes, batch_size, dtype, threads, step=("sgd", {})):
    """An engine whose hidden layers are ReLU and GELU in turn."""
    hidden = itertools.islice(itertools.cycle(("relu", "gelu")), len(sizes) - 2)
    outputs = "softmax" if sizes[-1] > 1 else "sigmoid"
    network = fastmlp.Network(sizes, "relu", outputs, "cross_entropy", dtype=dtype, seed=1)
    own = network.weights, network.biases, [*hidden, outputs], "cross_entropy"
    return Engine(*own, batch_size, *step, threads)
