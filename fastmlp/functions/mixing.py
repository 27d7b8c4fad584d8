"""Mixing functions, the core of counter-based random numbers: all bits depend on all bits."""

from __future__ import annotations

from collections.abc import Sequence

from fastmlp.arrays import Array

# Multiples of these differ in all bits: 2^64 and 2^32 divided by the golden ratio
GOLDEN_64, GOLDEN_32 = 0x9E3779B97F4A7C15, 0x9E3779B9
# Shift, multiplier, …, shift of two mixing functions: of SplitMix64 (Steele, Lea and Flood, 2014,
# with the constants of Stafford's variant 13), and of MurmurHash3 (Appleby, 2011)
MIX_64 = (30, 0xBF58476D1CE4E5B9, 27, 0x94D049BB133111EB, 31)
MIX_32 = (16, 0x85EBCA6B, 13, 0xC2B2AE35, 16)


def mix(x: Array, steps: Sequence[int]) -> Array:
    """Return each unsigned number mixed, by the steps MIX_64 or MIX_32 for its width."""
    for k, number in enumerate(steps):
        x = x ^ (x >> x.dtype.type(number)) if k % 2 == 0 else x * x.dtype.type(number)
    return x
