"""Sums of the gradients of slices, against NumPy."""

import itertools

import numpy as np
import pytest
from direct import DTYPES, compiled, lanes_of

from fastmlp.kernels.loops.elementwise import UNROLL, add_pairs


@compiled
def pairs_of(w, g, apart, pairs, joint, count, keep):
    add_pairs(w, g, apart, pairs, joint, count, keep)


@pytest.mark.parametrize("dtype", DTYPES)
def test_pairs_are_added_in_their_order(dtype):
    rng, zero = np.random.default_rng(0), np.dtype(dtype).type(0)
    for vectors, pairs in itertools.product((1, UNROLL, 2 * UNROLL + 3), (1, 2, 5)):
        count = vectors * lanes_of(dtype)
        g = rng.normal(size=(2 * pairs, count + 5)).astype(dtype)
        for joint, keep in itertools.product(range(2**pairs), (0, 1, 0.5)):
            given, expected = g.copy(), np.full(count, zero)
            for pair in range(pairs):
                if joint >> pair & 1:
                    given[2 * pair + 1] = np.nan  # not read
                    expected += g[2 * pair, :count]
                else:
                    expected += g[2 * pair, :count] + g[2 * pair + 1, :count]
            old = rng.normal(size=count + 1).astype(dtype)
            w = old.copy()
            if keep == 0:
                w[:count] = np.nan
            pairs_of(w, given, given.strides[0], pairs, joint, count, zero.dtype.type(keep))
            kept = zero.dtype.type(keep) * old[:count] if keep else zero
            close = {"rtol": 4 * np.finfo(dtype).eps, "atol": 4 * np.finfo(dtype).eps}
            np.testing.assert_allclose(w[:count], kept + expected, **close)
            if keep == 0:
                np.testing.assert_array_equal(w[:count], expected)
            assert w[count] == old[count]
