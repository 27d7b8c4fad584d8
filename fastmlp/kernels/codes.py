"""Images of mostly zeros, encoded as what is not zero.

The code of an image is a header of uint16, saying where each block of pixel pairs begins and the
last one ends, then the entries of all pairs that are not both zero (see `entries`), padded with
zeros to a multiple of UNROLL. The pixels 2k and 2k + 1 are pair k.

The blocks are not in their order in the image: those of a group, which one member of a team goes
through, come from all over the image and lie side by side in the code.
"""

from __future__ import annotations

from math import ceil

import numpy as np

from fastmlp.kernels.elementwise import row
from fastmlp.kernels.entries import UNROLL
from fastmlp.kernels.options import jit
from fastmlp.kernels.simd import compress_pairs

# Into how many groups blocks are dealt, so that threads find enough to do: a power of two
GROUPS = 4
# Pixels of an image at most: the number of a pair takes 16 bits
MOST_INPUTS = 2 * 0xFFFF
# Pixel pairs of a block at most: so many rows of weights stay in the second-level cache
LARGEST_BLOCK = 64


def block_count(inputs: int) -> int:
    """Return into how many blocks images of so many pixels are cut: as many in every group."""
    return GROUPS * ceil((inputs + 1) // 2 / (GROUPS * LARGEST_BLOCK))


def block_size(inputs: int) -> int:
    """Return how many pixel pairs a block has, but the last ones, which may be short or empty."""
    return ceil((inputs + 1) // 2 / block_count(inputs))


def largest_code(inputs: int) -> int:
    """Return how many bytes the code of an image may touch, rounded up to 64."""
    return -(-(header_bytes(block_count(inputs)) + 4 * (inputs // 2 + 2 + UNROLL)) // 64) * 64


def header_bytes(blocks: int) -> int:
    """Return how many bytes the header of a code takes: whole entries."""
    return (2 * (blocks + 1) + 3) // 4 * 4


_header_bytes = jit(header_bytes)


@jit
def block_at(slot, blocks):
    """Return which block of the image is block number `slot` of its code."""
    in_group = blocks // GROUPS
    return slot // in_group + slot % in_group * GROUPS


@jit
def group_slots(group, groups, blocks):
    """Return the first and the last-but-one slot of one of `groups` groups, 1, 2, … GROUPS."""
    return group * blocks // groups, (group + 1) * blocks // groups


@jit
def code_bytes(pixels, inputs, blocks):
    """Return how many bytes the code of the image at an address takes, with one entry to spare."""
    image, count = row(pixels, inputs, np.uint8(0)), 0
    for k in range(inputs // 2):
        count += (image[2 * k] | image[2 * k + 1]) != 0
    if inputs % 2 == 1:
        count += image[inputs - 1] != 0
    return _header_bytes(blocks) + 4 * ((count + UNROLL - 1) // UNROLL * UNROLL + 1)


@jit
def encode(pixels, inputs, size, blocks, code):
    """Write the code of the image at an address; the entry to spare may be written, too."""
    image, pairs = row(pixels, inputs, np.uint8(0)), inputs // 2
    starts = row(code, blocks + 1, np.uint16(0))
    address = code + _header_bytes(blocks)
    entries = row(address, pairs + 2 + UNROLL, np.uint32(0))
    words, end = row(pixels, pairs, np.uint16(0)), 0
    for slot in range(blocks):
        starts[slot], block = end, block_at(slot, blocks)
        k, last = block * size, min((block + 1) * size, pairs)
        while k < last and k + 16 <= pairs:
            end += compress_pairs(pixels + 2 * k, last - k, k, address + 4 * end)
            k += 16
        while k < last:
            # always written, kept only if it is not zero: no branch to predict
            entries[end] = np.uint32(k) | np.uint32(words[k]) << 16
            end += words[k] != 0
            k += 1
        if inputs % 2 == 1 and pairs // size == block and image[inputs - 1] != 0:
            entries[end] = np.uint32(pairs) | np.uint32(image[inputs - 1]) << 16
            end += 1
    starts[blocks] = end
    for spare in range(end, (end + UNROLL - 1) // UNROLL * UNROLL):
        entries[spare] = 0


@jit
def entries_of(code, blocks, first, last):
    """Return (address, how many) of the entries in the slots first, …, last - 1 of a code."""
    starts = row(code, blocks + 1, np.uint16(0))
    begin = np.int64(starts[first])
    return code + _header_bytes(blocks) + 4 * begin, np.int64(starts[last]) - begin
