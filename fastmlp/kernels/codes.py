"""Images of mostly zeros, encoded as what is not zero.

The code of an image is the number of its entries (32 bits), then the entries of all pairs of
pixels that are not both zero (see `entries`), padded with zeros to a multiple of UNROLL. The
pixels 2k and 2k + 1 are pair k.
"""

from __future__ import annotations

import numpy as np

from fastmlp.kernels.elementwise import row
from fastmlp.kernels.entries import UNROLL
from fastmlp.kernels.options import jit
from fastmlp.kernels.simd import compress_pairs, prefetch

# Pixels of an image at most: the number of a pair takes 16 bits
MOST_INPUTS = 2 * 0xFFFF
HEADER_BYTES = 4


def largest_code(inputs: int) -> int:
    """Return how many bytes the code of an image may touch, rounded up to 64."""
    return -(-(HEADER_BYTES + 4 * (inputs // 2 + 2 + UNROLL)) // 64) * 64


@jit
def code_bytes(pixels, inputs):
    """Return how many bytes the code of the image at an address takes, with one entry to spare."""
    image, count = row(pixels, inputs, np.uint8(0)), 0
    for k in range(inputs // 2):
        count += (image[2 * k] | image[2 * k + 1]) != 0
    if inputs % 2 == 1:
        count += image[inputs - 1] != 0
    return HEADER_BYTES + 4 * ((count + UNROLL - 1) // UNROLL * UNROLL + 1)


@jit
def encode(pixels, inputs, code):
    """Write the code of the image at an address; the entry to spare may be written, too."""
    address, pairs = code + HEADER_BYTES, inputs // 2
    entries = row(address, pairs + 2 + UNROLL, np.uint32(0))
    words, k, end = row(pixels, pairs, np.uint16(0)), 0, 0
    while k + 16 <= pairs:
        end += compress_pairs(pixels + 2 * k, k, address + 4 * end)
        k += 16
    while k < pairs:
        # always written, kept only if it is not zero: no branch to predict
        entries[end] = np.uint32(k) | np.uint32(words[k]) << 16
        end += words[k] != 0
        k += 1
    if inputs % 2 == 1:
        pixel = row(pixels, inputs, np.uint8(0))[inputs - 1]
        entries[end] = np.uint32(pairs) | np.uint32(pixel) << 16
        end += pixel != 0
    row(code, 1, np.uint32(0))[0] = end
    for spare in range(end, (end + UNROLL - 1) // UNROLL * UNROLL):
        entries[spare] = 0


@jit
def entries_of(code):
    """Return (address, how many) of the entries of a code."""
    return code + HEADER_BYTES, np.int64(row(code, 1, np.uint32(0))[0])


@jit
def foresee_code(code):
    """Prefetch a code: most of them whole, and of long ones so much that the rest follows."""
    for line in range(0, 7 * 64, 64):
        prefetch(code + line)
