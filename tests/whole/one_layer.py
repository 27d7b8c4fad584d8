"""A training step of one layer whose weighted sums are given."""

import numpy as np


def step_on(module, z, y, output, cost):
    """Return the trace of an output layer whose weighted sums are z `(B, O)`: z = z 1 + 0."""
    w, b = np.eye(z.shape[1], dtype=z.dtype), np.zeros(z.shape[1], z.dtype)
    engine = module.Engine([w], [b], (output,), cost, len(z))
    return engine.trace(z, y, np.arange(len(z)))
