"""Dropout (Srivastava et al., 2014) with a counter-based generator.

Whether a unit is kept depends only on the seed, the layer, the number of the sample in the run, and
the unit. So it is the same for any number of threads, and in a run that is resumed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastmlp.arrays import Array
from fastmlp.functions.mixing import GOLDEN_32, GOLDEN_64, MIX_32, MIX_64, mix

INPUTS = -1  # in place of the number of a layer


@dataclass(frozen=True)
class Dropout:
    """What share of inputs and of hidden outputs becomes 0 in training; the others are scaled up.

    a is multiplied by m / (1 - p), with m = 1 for units that are kept and else 0.

    rates : p of each hidden layer, 0 <= p < 1; seed : 0 to 2^63 - 1; inputs : p of the inputs

    Layers are counted from 0; the number INPUTS stands for the inputs.
    """

    rates: tuple[float, ...]
    seed: int = 0
    inputs: float = 0.0

    def rate(self, layer: int) -> float:
        """Return p of a layer."""
        return self.inputs if layer == INPUTS else self.rates[layer]

    def key(self, layer: int) -> int:
        """Return 64 bits for a layer."""
        start = (self.seed + (layer + 1) * GOLDEN_64) % 2**64
        return int(mix(np.array([start], np.uint64), MIX_64)[0])

    def below(self, layer: int) -> int:
        """Return the 32-bit number below which a unit's bits mean that it is dropped."""
        return min(round(self.rate(layer) * 2**32), 2**32 - 1)

    def scale(self, layer: int) -> float:
        """Return what the units that are kept are multiplied by."""
        return 1 / (1 - self.rate(layer))

    def factors(self, layer: int, first: int, shape: tuple[int, ...], dtype: np.dtype) -> Array:
        """Return m / (1 - p) of the samples first, first + 1, … : shape is `(samples, units)`."""
        samples = np.arange(first, first + shape[0])[:, None]
        return self.factors_of(layer, samples, np.arange(shape[1]), dtype)

    def factors_of(self, layer: int, samples: Array, units: Array, dtype: np.dtype) -> Array:
        """Return m / (1 - p) of units of samples, arrays that NumPy broadcasts together.

        bits of unit j in sample i = mix32(low half of mix64(key + i GOLDEN_64) + j GOLDEN_32)
        """
        with np.errstate(over="ignore"):
            numbers = samples.astype(np.uint64) * np.uint64(GOLDEN_64)
            rows = mix(numbers + np.uint64(self.key(layer)), MIX_64).astype(np.uint32)
            columns = units.astype(np.uint32) * np.uint32(GOLDEN_32)
            bits = mix(rows + columns, MIX_32)
        return np.where(bits >= self.below(layer), self.scale(layer), 0).astype(dtype)
