"""The built-in digits: 28 x 28 images drawn by a pen that never goes the same way twice.

Every class has a bank of written forms, each kept as its distance field: how far each place is
from the pen's way. An image looks the field up through a random affine and elastic distortion and
inks what is nearer than half a pen's width. Training and test images share the forms, as two
lots by the same writers. The same seed gives the same bytes on any machine:
the one sum whose order a BLAS may choose is exact, all else is elementwise + - * / and sqrt.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fastmlp.datasets.dataset import Dataset, Split
from fastmlp.datasets.strokes import STYLES, Style
from fastmlp.errors import refuse

Floats = NDArray[np.float32]

SIDE = 28
UNIT = 9.6  # pixels in a unit of the strokes: digits are about 20 pixels high, as in MNIST
FORMS = 144  # written forms of each class, a multiple of every number of styles
WOBBLE = 0.10  # how far a form's points stray, in units
GRID = 56  # the fields' resolution
REACH = 1.4  # the fields cover -REACH to REACH
STEP = 0.05  # between the points of a pen's way, in units
# Elastic distortion: cosines of up to 3 half waves across and down, the affine ones left out.
WAVES = tuple((i, j) for i in range(4) for j in range(4) if i + j > 1)
CHUNK = 100  # images drawn at once; part of the seed's meaning


def generate_digits(train: int = 60_000, test: int = 10_000, seed: int = 0) -> Dataset:
    """Return generated digits: uint8 images `(N, 784)`, labels 0 to 9 as chance has them.

    The test images depend on the seed and not on how many training images are asked for.
    """
    for argument, value in (("train", train), ("test", test)):
        if value < 1:
            raise refuse(argument, "must be at least 1", value, "Ask for one image or more.")
    if seed < 0:
        raise refuse("seed", "must be at least 0", seed, "Any whole number from 0 will do.")
    from concurrent.futures import ThreadPoolExecutor

    forms, *splits = np.random.SeedSequence(seed).spawn(3)
    bank, basis = _bank(np.random.default_rng(forms)), _basis()
    images = np.empty((train + test, SIDE * SIDE), np.uint8)
    labels = np.empty(train + test, np.uint8)

    def fill(start: int, stop: int, own: np.random.SeedSequence) -> None:
        rng = np.random.default_rng(own)
        labels[start:stop] = rng.integers(0, 10, stop - start)
        _draw(rng, bank, basis, labels[start:stop], images[start:stop])

    chunks = []  # each with a seed of its own, so that any thread may draw it
    for split, begin, end in zip(splits, (0, train), (train, train + test), strict=True):
        starts = range(begin, end, CHUNK)
        seeds = split.spawn(len(starts))
        chunks += [(s, min(s + CHUNK, end), own) for s, own in zip(starts, seeds, strict=True)]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        list(pool.map(lambda chunk: fill(*chunk), chunks))
    return Dataset(
        name="digits",
        train=Split(images[:train], labels[:train]),
        test=Split(images[train:], labels[train:]),
        class_names=tuple("0123456789"),
        image_shape=(SIDE, SIDE),
        source=f"generated, seed {seed}",
    )


def _spread(rng: np.random.Generator, *shape: int) -> Floats:
    """Return numbers of mean 0 and deviation 1 within ±3: the sum of three uniform ones."""
    a, b, c = rng.random((3, *shape), np.float32)
    return np.asarray(2 * (a + b + c) - 3, np.float32)


def _bank(rng: np.random.Generator) -> Floats:
    """Return the distance fields of every form of every class, in pixels, `(10, F, G, G)`."""
    fields = [_fields(rng, style, FORMS // len(styles)) for styles in STYLES for style in styles]
    return np.concatenate(fields).reshape(10, FORMS, GRID, GRID)


def _fields(rng: np.random.Generator, style: Style, forms: int) -> Floats:
    """Return the distance fields of `forms` ways to write one style, `(forms, G, G)`."""
    grid = np.linspace(-REACH, REACH, GRID, dtype=np.float32)
    square = np.full((forms, GRID, GRID), np.inf, np.float32)
    here = np.empty_like(square)
    for stroke in style:
        points = np.array(stroke, np.float32) + WOBBLE * _spread(rng, forms, len(stroke), 2)
        for x, y in _way(points):
            across, down = (grid - x[:, None]) ** 2, (grid - y[:, None]) ** 2
            np.add(down[:, :, None], across[:, None, :], out=here)
            np.minimum(square, here, out=square)
    return np.asarray(np.sqrt(square) * UNIT, np.float32)


def _way(points: Floats) -> Iterator[Floats]:
    """Yield (x, y), each `(forms,)`, along Catmull-Rom curves through `(forms, n, 2)` points."""
    ends = 2 * points[:, :1] - points[:, 1:2], 2 * points[:, -1:] - points[:, -2:-1]
    p = np.concatenate([ends[0], points, ends[1]], axis=1)
    for i in range(points.shape[1] - 1):
        a, b, c, d = p[:, i], p[:, i + 1], p[:, i + 2], p[:, i + 3]
        steps = max(2, int(float(np.abs(c - b).max()) / STEP))
        for t in np.arange(steps + 1, dtype=np.float32) / np.float32(steps):
            bend = (2 * a - 5 * b + 4 * c - d) + (3 * (b - c) + d - a) * t
            yield (b + ((c - a) + bend * t) * t / 2).T


def _basis() -> Floats:
    """Return the functions of the pixel that a distortion is a sum of, `(K, 784)`, times 2^7.

    1, x, y, and cosine waves in both directions. Rounded, so that sums of products are exact.
    """
    pixel = (np.arange(SIDE) - (SIDE - 1) / 2) / (SIDE / 2)
    y, x = np.meshgrid(pixel, pixel, indexing="ij")
    waves = [np.cos(np.pi / 2 * i * (x + 1)) * np.cos(np.pi / 2 * j * (y + 1)) for i, j in WAVES]
    basis = np.stack([np.ones_like(x), x, y, *waves]).reshape(-1, SIDE * SIDE)
    return np.asarray(np.rint(basis * 2**7), np.float32)


def _warps(rng: np.random.Generator, n: int) -> Floats:
    """Return the coefficients of n distortions from pixel to field, `(n, 2, K)`, times 2^-7.

    The distortion is the inverse of what the eye sees: a scale above 1 here makes a digit small.
    """
    span = SIDE / 2 / UNIT
    width, height = 1.06 + 0.14 * _spread(rng, n), 1.03 + 0.06 * _spread(rng, n)
    slant, turn = 0.1 + 0.22 * _spread(rng, n), 0.14 * _spread(rng, n)
    strength = np.array([0.23 / (i * i + j * j) for i, j in WAVES], np.float32)
    warp = np.empty((n, 2, 3 + len(WAVES)), np.float32)
    warp[:, :, 0] = 0.10 * _spread(rng, n, 2)
    warp[:, 0, 1], warp[:, 0, 2] = span * width, span * (slant + turn)
    warp[:, 1, 1], warp[:, 1, 2] = -span * turn, span * height
    warp[:, :, 3:] = strength * _spread(rng, n, 2, len(WAVES))
    warp *= (GRID - 1) / (2 * REACH)
    warp[:, :, 0] += (GRID - 1) / 2
    return np.asarray(np.rint(warp * 2**9) / 2**16, np.float32)


def _draw(
    rng: np.random.Generator,
    bank: Floats,
    basis: Floats,
    labels: NDArray[np.uint8],
    out: NDArray[np.uint8],
) -> None:
    """Draw an image for each label into `out`, `(n, 784)`, overwritten."""
    n = len(labels)
    field = _warps(rng, n) @ basis  # n products too small for a BLAS to start threads of its own
    x, y = field[:, 0], field[:, 1]
    np.clip(x, 0, GRID - 1.01, out=x)
    np.clip(y, 0, GRID - 1.01, out=y)
    left, top = x.astype(np.int32), y.astype(np.int32)
    x -= left
    y -= top
    form = labels.astype(np.int32) * FORMS + rng.integers(0, FORMS, n, np.int32)
    at = top * GRID + left + (form * GRID * GRID)[:, None]
    flat = bank.ravel()

    def look(step: int) -> Floats:
        found: Floats = flat.take(at + step, mode="clip")  # all are inside: the fastest mode
        return found

    above, below = look(0), look(GRID)
    above += (look(1) - above) * x
    below += (look(GRID + 1) - below) * x
    distance = above + (below - above) * y
    radius = 1.25 + 0.24 * _spread(rng, n, 1)  # half the pen's width, in pixels
    edge = 0.90 + 0.13 * _spread(rng, n, 1)  # how fast ink fades per pixel: small is blurred
    ink = (radius - distance) * edge + 0.5
    np.clip(ink, 0, 1, out=ink)
    out[:] = np.rint(ink * 255)
