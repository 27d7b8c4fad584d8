"""Words and lists against NumPy, at the end of memory that may be read and written."""

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from direct import DTYPES, compiled, lanes_of, shared
from fences import fenced
from networks import pixels

from fastmlp.kernels.loops.bits import (
    LISTED,
    WORD_BYTES,
    group_shape,
    list_pairs,
    nonzero_outputs,
    nonzero_samples,
    words_bytes,
    words_of,
)
from fastmlp.kernels.memory.panels import units
from fastmlp.kernels.memory.records import numbers_at
from fastmlp.kernels.memory.tuning import GROUP, PANEL_VECTORS, PART, QUAD

SQUARES = (14, 16, 17, 18, 28, 30, 48)  # sides of images
INPUTS = (1, 2, 3, 14, 15, 16, 17, 18, 31, 32, 33, 34, 48, 127, 128, 129, 130, 255, 256, 784, 785)
DENSITIES = (0.0, 0.02, 0.2, 0.6, 1.0)
ROWS = (1, 2, 7, 63, 64)


@compiled
def lists(image, inputs, scale, target, like):
    list_pairs(image, inputs, scale, target, like)


@compiled
def outputs_word(address, word, like):
    numbers_at(word, 1, np.int64(0))[0] = nonzero_outputs(address, like)


@compiled
def samples_word(address, word, like):
    numbers_at(word, 1, np.int64(0))[0] = nonzero_samples(address, like)


def even(images):
    """Return images with a zero behind the last pixel of an odd number."""
    return np.pad(images, ((0, 0), (0, images.shape[1] % 2)))


def check_lists(inputs, fence=np.array):
    rng = np.random.default_rng(inputs)
    for density in DENSITIES:
        for image in even(pixels(rng, 4, inputs, density)):
            pairs = len(image) // 2
            for dtype in DTYPES:
                check_list(image, pairs, np.dtype(dtype), fence)


def check_list(image, pairs, dtype, fence):
    target = fence(np.full(words_bytes(2 * pairs, np.dtype(dtype), True), 0xEE, np.uint8))
    lists(fence(image), 2 * pairs, 0.25, target, dtype.type(0))
    wanted = np.flatnonzero(image.view(np.uint16))
    count, begin, space = int(target[:WORD_BYTES].view(np.int64)[0]), WORD_BYTES, pairs + LISTED
    assert count == len(wanted) + len(wanted) % 2
    numbers = target[begin : begin + 4 * count].view(np.int32)[: len(wanted)]
    np.testing.assert_array_equal(numbers, 2 * wanted)
    begin += 4 * space
    factors = target[begin : begin + 2 * space * dtype.itemsize].view(dtype).reshape(2, space)
    for pixel in (0, 1):
        exact = 0.25 * image[2 * wanted + pixel].astype(dtype)
        np.testing.assert_array_equal(factors[pixel][: len(wanted)], exact)
        assert not factors[pixel][len(wanted) : count].any()


def quads_of(images, stride):
    """Return the pixels of images by quads: four in a row, or squares."""
    if stride > 2:
        rows = images.reshape(len(images), stride // 2, 2, stride // 2, 2)
        images = rows.transpose(0, 1, 3, 2, 4)
    return images.reshape(len(images), -1, QUAD)


def check_words(inputs, fence=np.array):
    rng, (stride, unit) = np.random.default_rng(inputs), group_shape(inputs)
    for rows, density in itertools.product(ROWS, DENSITIES):
        images = pixels(rng, rows, inputs, density)
        images = np.pad(images, ((0, 0), (0, -inputs % unit)))
        # scattered, as the order has them; a part always has all addresses
        places = [fence(image) for image in images]
        places += [places[-1]] * (PART - rows)
        addresses = fence(np.array([image.ctypes.data for image in places]))
        part = fence(np.full(PART * words_bytes(inputs, np.dtype(np.float32)), 0xEE, np.uint8))
        words = part[words_of(0, inputs) :]
        middle = units(inputs, unit) // 2 * unit
        for low, high in ((0, middle), (middle, images.shape[1])):  # in two goes
            mark = shared("mark_samples", "float32")
            mark(addresses, rows, low, high, stride, words, part)
        quads = quads_of(images, stride)
        x_t = part[: len(part) - len(words)].reshape(-1, PART, QUAD)
        np.testing.assert_array_equal(x_t[: quads.shape[1], :rows], quads.transpose(1, 0, 2))
        wanted = (quads.reshape(rows, -1, GROUP) != 0).any(axis=2)
        found = words[: wanted.shape[1] * WORD_BYTES].view(np.uint64)
        bits = found >> np.arange(PART, dtype=np.uint64)[:, None] & np.uint64(1)
        np.testing.assert_array_equal(bits[:rows], wanted)
        assert not bits[rows:].any()


def test_groups_are_squares_in_images_that_have_whole_ones():
    square = GROUP == QUAD
    assert group_shape(784) == ((28, 56) if square else (2, 16))
    assert group_shape(256) == ((16, 32) if square else (2, 16))
    for inputs in (196, 289, 785, 3072):  # a small side, an odd one, and no square
        assert group_shape(inputs) == (2, 16)


@pytest.mark.parametrize("inputs", INPUTS)
def test_a_list_has_every_pair_of_pixels_that_is_not_zero_in_order(inputs):
    check_lists(inputs)


@pytest.mark.parametrize("inputs", [*INPUTS, *(side * side for side in SQUARES)])
def test_a_word_has_a_bit_for_each_sample_that_the_group_is_in(inputs):
    check_words(inputs)


def in_fences():
    """Check lists and words whose images, addresses and results end at an unreadable page."""
    for before in (False, True):
        for inputs in INPUTS:
            check_lists(inputs, lambda array, before=before: fenced(array, before))
        for inputs in (*INPUTS, *(side * side for side in SQUARES)):
            check_words(inputs, lambda array, before=before: fenced(array, before))
    sys.stdout.write("inside\n")


@pytest.mark.skipif(sys.platform != "linux", reason="mprotect is called through libc")
def test_nothing_is_read_or_written_outside():
    folders = [str(Path(__file__).parent), *(p for p in sys.path if Path(p).parent.name == "tests")]
    code = f"import sys; sys.path[:0] = {folders}; import test_bits; test_bits.in_fences()"
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == "inside\n"


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_word_has_a_bit_for_each_number_that_is_not_zero(dtype):
    rng, count = np.random.default_rng(0), PANEL_VECTORS * lanes_of(dtype)
    for share, (function, size) in itertools.product(
        (0.0, 0.3, 1.0), ((outputs_word, count), (samples_word, PART))
    ):
        numbers = rng.normal(size=size).astype(dtype)
        numbers[rng.random(size) >= share] = rng.choice([0.0, -0.0])
        if share == 1:
            numbers[:2] = np.nan, 1e-45
        word = np.zeros(1, np.uint64)
        function(numbers, word, numbers.dtype.type(0))
        bits = word >> np.arange(64, dtype=np.uint64) & np.uint64(1)
        np.testing.assert_array_equal(bits[:size], numbers != 0)
        assert not bits[size:].any()
