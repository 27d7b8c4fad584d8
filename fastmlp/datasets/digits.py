"""The built-in digits: 28 x 28 images of handwriting-like digits, drawn with random variations.

Each class has a set of written forms. A form is stored as its distance field: the distance of each
grid point from the path of the pen. For an image, a random affine and elastic distortion maps each
pixel to a point of the field, and a pixel nearer than half the width of the pen is ink. Training
and test images use the same forms. The same seed gives the same bytes on any machine: the
only sum whose order a BLAS can choose is exact, and all else is elementwise + - * / and sqrt.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fastmlp.arrays import check_at_least
from fastmlp.datasets.dataset import Dataset, Split
from fastmlp.datasets.strokes import STYLES, Style
from fastmlp.errors import checked_call, refuse
from fastmlp.system.cores import usable_cores

Floats = NDArray[np.float32]

SIDE = 28
UNIT = 9.6  # pixels for each unit of the strokes: digits are about 20 pixels high, as in MNIST
FORMS = 144  # written forms of each class, a multiple of every number of styles
WOBBLE = 0.10  # the deviation of a form's points, in units
GRID = 56  # points of a field in each direction
REACH = 1.4  # the fields cover -REACH to REACH
STEP = 0.05  # distance between points on the path of the pen, in units
# Elastic distortion: cosines of up to 3 half waves in each direction, without the affine ones
WAVES = tuple((i, j) for i in range(4) for j in range(4) if i + j > 1)
MOST = 10**7  # images
CHUNK = 100  # images drawn at once; another value gives other images for the same seed


@checked_call
def generate_digits(train: int = 60_000, test: int = 10_000, seed: int = 0) -> Dataset:
    """Return generated digits: uint8 images `(N, 784)`, and random labels from 0 to 9.

    The test images depend on the seed, but not on the number of training images.

    Raises ArgumentError for what is no whole number, or out of range.
    """
    for argument, value, least in (("train", train, 1), ("test", test, 1), ("seed", seed, 0)):
        check_at_least(argument, value, least)
        if argument != "seed" and value > MOST:
            raise refuse(argument, f"must be at most {MOST:,}", value, "Pass a smaller number.")
    from concurrent.futures import ThreadPoolExecutor

    forms, *splits = np.random.SeedSequence(seed).spawn(3)
    bank, basis = _make_bank(np.random.default_rng(forms)), _make_basis()
    images = np.empty((train + test, SIDE * SIDE), np.uint8)
    labels = np.empty(train + test, np.uint8)

    def fill(start: int, stop: int, own: np.random.SeedSequence) -> None:
        rng = np.random.default_rng(own)
        labels[start:stop] = rng.integers(0, 10, stop - start)
        _draw(rng, bank, basis, labels[start:stop], images[start:stop])

    chunks = []  # each has its own seed, so that any thread can draw it
    for split, begin, end in zip(splits, (0, train), (train, train + test), strict=True):
        starts = range(begin, end, CHUNK)
        seeds = split.spawn(len(starts))
        chunks += [(s, min(s + CHUNK, end), own) for s, own in zip(starts, seeds, strict=True)]
    try:
        with ThreadPoolExecutor(usable_cores()) as pool:
            list(pool.map(lambda chunk: fill(*chunk), chunks))
    except RuntimeError:  # no thread can start
        for chunk in chunks:
            fill(*chunk)
    return Dataset(
        name="digits",
        train=Split(images[:train], labels[:train]),
        test=Split(images[train:], labels[train:]),
        class_names=tuple("0123456789"),
        image_shape=(SIDE, SIDE),
        source=f"generated, seed {seed}",
    )


def _spread(rng: np.random.Generator, *shape: int) -> Floats:
    """Return numbers of mean 0 and standard deviation 1, within ±3: sums of three uniform ones."""
    a, b, c = rng.random((3, *shape), np.float32)
    return np.asarray(2 * (a + b + c) - 3, np.float32)


def _make_bank(rng: np.random.Generator) -> Floats:
    """Return the distance fields of every form of every class, in pixels, `(10, F, G, G)`."""
    pairs = [(style, FORMS // len(styles)) for styles in STYLES for style in styles]
    fields = [_make_fields(rng, style, forms) for style, forms in pairs]
    return np.concatenate(fields).reshape(10, FORMS, GRID, GRID)


def _make_fields(rng: np.random.Generator, style: Style, forms: int) -> Floats:
    """Return the distance fields of `forms` variations of one style, `(forms, G, G)`."""
    grid = np.linspace(-REACH, REACH, GRID, dtype=np.float32)
    square = np.full((forms, GRID, GRID), np.inf, np.float32)
    here = np.empty_like(square)
    for stroke in style:
        points = np.array(stroke, np.float32) + WOBBLE * _spread(rng, forms, len(stroke), 2)
        for x, y in _trace_curve(points):
            across, down = (grid - x[:, None]) ** 2, (grid - y[:, None]) ** 2
            np.add(down[:, :, None], across[:, None, :], out=here)
            np.minimum(square, here, out=square)
    return np.asarray(np.sqrt(square) * UNIT, np.float32)


def _trace_curve(points: Floats) -> Iterator[Floats]:
    """Yield (x, y), each `(forms,)`, along Catmull-Rom curves through `(forms, n, 2)` points."""
    ends = 2 * points[:, :1] - points[:, 1:2], 2 * points[:, -1:] - points[:, -2:-1]
    p = np.concatenate([ends[0], points, ends[1]], axis=1)
    for i in range(points.shape[1] - 1):
        a, b, c, d = p[:, i], p[:, i + 1], p[:, i + 2], p[:, i + 3]
        steps = max(2, int(float(np.abs(c - b).max()) / STEP))
        for t in np.arange(steps + 1, dtype=np.float32) / np.float32(steps):
            bend = (2 * a - 5 * b + 4 * c - d) + (3 * (b - c) + d - a) * t
            yield (b + ((c - a) + bend * t) * t / 2).T


def _make_basis() -> Floats:
    """Return the functions of the pixel whose sums are distortions, `(K, 784)`, times 2^7.

    They are 1, x, y, and products of cosines, rounded so that sums of products are exact.
    """
    pixel = (np.arange(SIDE) - (SIDE - 1) / 2) / (SIDE / 2)
    y, x = np.meshgrid(pixel, pixel, indexing="ij")
    waves = [np.cos(np.pi / 2 * i * (x + 1)) * np.cos(np.pi / 2 * j * (y + 1)) for i, j in WAVES]
    basis = np.stack([np.ones_like(x), x, y, *waves]).reshape(-1, SIDE * SIDE)
    return np.asarray(np.rint(basis * 2**7), np.float32)


def _draw_warps(rng: np.random.Generator, n: int) -> Floats:
    """Return the coefficients of n distortions from pixel to field, `(n, 2, K)`, times 2^-7.

    They map pixels to the field, so a scale above 1 makes the digit smaller.
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
    field = _draw_warps(rng, n) @ basis  # n products, too small for a BLAS to start threads
    x, y = field[:, 0], field[:, 1]
    np.clip(x, 0, GRID - 1.01, out=x)
    np.clip(y, 0, GRID - 1.01, out=y)
    left, top = x.astype(np.int32), y.astype(np.int32)
    x -= left
    y -= top
    form = labels.astype(np.int32) * FORMS + rng.integers(0, FORMS, n, np.int32)
    at = top * GRID + left + (form * GRID * GRID)[:, None]
    flat = bank.ravel()

    def read(step: int) -> Floats:
        found: Floats = flat.take(at + step, mode="clip")  # the fastest mode; all are inside
        return found

    above, below = read(0), read(GRID)
    above += (read(1) - above) * x
    below += (read(GRID + 1) - below) * x
    distance = above + (below - above) * y
    radius = 1.25 + 0.24 * _spread(rng, n, 1)  # half the pen's width, in pixels
    edge = 0.90 + 0.13 * _spread(rng, n, 1)  # how much ink fades per pixel: low values blur
    ink = (radius - distance) * edge + 0.5
    np.clip(ink, 0, 1, out=ink)
    out[:] = np.rint(ink * 255)
