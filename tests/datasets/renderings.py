"""Pictures of MNIST-like digits as people hand them in: photographed, scanned, drawn on a screen.

A look is a row of LOOKS. A scene is light * (paper, with ink where the digit is), in levels of 0 to
255. Everywhere in it the paper is at least 60, and the ink at least 40 and three deviations of the
noise below the paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw, ImageFont

DARKEST_PAPER, LEAST_CONTRAST, DEVIATIONS = 60, 40, 3
SIDES = (28, 600)


@dataclass(frozen=True)
class Look:
    """How a picture differs from ink on white paper. Numbers are the most that is drawn.

    fall : share of the light that is lost across the picture; shadow : the same in a soft shadow
    noise : deviation in levels; quality : JPEG of this quality up to 95; table : dark surroundings
    negative : light ink on black; specks : dots on the paper; lines : ruled paper
    encoding : how the levels become a file; sides : of the pictures, in pixels
    """

    fall: float = 0
    shadow: float = 0
    noise: float = 0
    quality: int = 0
    table: bool = False
    negative: bool = False
    specks: int = 0
    lines: bool = False
    encoding: str = "grey"
    sides: tuple[int, ...] = SIDES


LOOKS = {
    "paper and ink": Look(),
    "falling light": Look(fall=0.5),
    "soft shadow": Look(shadow=0.4),
    "noise": Look(noise=15),
    "JPEG": Look(quality=30),
    "dark surroundings": Look(table=True),
    "all of these": Look(0.5, 0.4, 15, 30, True, sides=(600,)),
    "two of these": Look(fall=0.5, noise=15),
    "black paper": Look(negative=True, noise=5),
    "specks": Look(specks=5, sides=(600,)),
    "ruled paper": Look(fall=0.3, noise=5, lines=True, sides=(600,)),
    "light on transparency": Look(encoding="transparent"),
    "10 bits of 16": Look(encoding="ten bits"),
    "dithered": Look(encoding="dithered", sides=(600,)),
}


def render(digit: np.ndarray, look: Look, side: int, rng: np.random.Generator) -> bytes:
    """Return a picture file of a digit, uint8 `(28, 28)` with ink 255 on 0."""
    light = _draw_light(look, side, rng)
    noise = rng.uniform(0, look.noise)
    # paper * light.min() >= 60, and so on, must hold where it is darkest
    floor = max(LEAST_CONTRAST, DEVIATIONS * noise) / light.min()
    paper = rng.uniform(max(DARKEST_PAPER / light.min(), floor), 255)
    contrast = rng.uniform(floor, paper)
    if look.encoding == "transparent":
        return _encode_transparent(_place(digit, side, side, (0, 0)), rng)
    size = side if side == 28 else round(side * rng.uniform(0.6, 0.75 if look.table else 1))
    corner = tuple(rng.integers(0, side - size + 1, 2))
    if look.table and side != 28:
        corner = ((side - size) // 2,) * 2
    scene = paper - contrast * _place(digit, size, side, corner)
    if look.lines:
        scene = np.minimum(scene, paper - contrast * rng.uniform(0.3, 0.9) * _draw_lines(side, rng))
    for _ in range(look.specks):
        y, x = rng.integers(0, side - 8, 2)
        scene[y : y + 6, x : x + 6] = paper - contrast
    if look.table:
        on_paper = _draw_sheet(side, rng)
        scene = np.where(on_paper, scene, rng.uniform(0, paper - floor))
    if look.negative:
        scene = paper - scene + rng.uniform(0, 255 - paper)
    grey = scene * light + rng.normal(0, 1, scene.shape) * noise
    return _encode(grey, look, rng)


def _place(digit: np.ndarray, size: int, side: int, corner: tuple[int, ...]) -> np.ndarray:
    """Return the share of ink in each pixel, `(side, side)`, with the digit resized to `size`."""
    image = Image.fromarray(digit).resize((size, size), Image.Resampling.BICUBIC)
    share = np.zeros((side, side))
    y, x = corner
    share[y : y + size, x : x + size] = np.asarray(image) / 255
    return share


def _draw_light(look: Look, side: int, rng: np.random.Generator) -> np.ndarray:
    """Return the light at each pixel, at most 1: it falls to one side; a shadow has an edge."""
    y, x = np.mgrid[:side, :side] / (side - 1) - 0.5

    def across() -> np.ndarray:
        angle = rng.uniform(0, 2 * np.pi)
        along = np.cos(angle) * x + np.sin(angle) * y
        return along / np.ptp(along)  # from -1/2 to 1/2

    falling = 1 - rng.uniform(0, look.fall) * (across() + 0.5)
    width = rng.uniform(0.05, 0.15)
    shade = 1 / (1 + np.exp(-(across() - rng.uniform(-0.3, 0.3)) / width))
    return falling * (1 - rng.uniform(0, look.shadow) * shade)


def _draw_sheet(side: int, rng: np.random.Generator) -> np.ndarray:
    """Return where the paper lies: a turned rectangle; if small, all but up to 2 rows a side."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    if side == 28:
        left, right, top, bottom = 14 - rng.integers(0, 3, 4)
        return (x > -left) & (x < right) & (y > -top) & (y < bottom)
    turn = rng.uniform(-0.12, 0.12)
    x, y = np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x
    width, height = rng.uniform(0.39, 0.47, 2) * side
    return (abs(x) < width) & (abs(y) < height)


def _draw_lines(side: int, rng: np.random.Generator) -> np.ndarray:
    """Return the share of ink of the lines of ruled paper, a little turned."""
    y, x = np.mgrid[:side, :side].astype(float)
    distance, width = side / rng.uniform(4, 12), rng.uniform(0.003, 0.008) * side
    place = (y + rng.uniform(-0.03, 0.03) * x + rng.uniform(0, distance)) % distance
    return (place < width).astype(float)


def _encode(grey: np.ndarray, look: Look, rng: np.random.Generator) -> bytes:
    """Return the bytes of a PNG or JPEG of these levels."""
    out = BytesIO()
    levels = np.rint(grey).clip(0, 255).astype(np.uint8)
    if look.quality:
        quality = int(rng.integers(look.quality, 96))
        Image.fromarray(levels).save(out, "JPEG", quality=quality)
    elif look.encoding == "ten bits":
        Image.fromarray(np.rint(grey.clip(0, 255) * (1023 / 255)).astype(np.uint16)).save(
            out, "PNG"
        )
    elif look.encoding == "dithered":
        Image.fromarray(levels).convert("1").save(out, "PNG")
    else:
        Image.fromarray(levels).save(out, "PNG", compress_level=1)
    return out.getvalue()


def _encode_transparent(share: np.ndarray, rng: np.random.Generator) -> bytes:
    """Return a PNG of ink of a light colour on nothing."""
    image = np.full((*share.shape, 4), rng.integers(190, 256), np.uint8)
    image[..., 3] = np.rint(share * 255)
    out = BytesIO()
    Image.fromarray(image).save(out, "PNG", compress_level=1)
    return out.getvalue()


def draw_other(kind: str, rng: np.random.Generator) -> bytes:
    """Return a PNG, 300 x 300, of something that is no digit: a kind of OTHERS."""
    image = Image.new("L", (300, 300), 240)
    draw = ImageDraw.Draw(image)
    width = int(rng.integers(6, 22))
    if kind == "letter":
        font = ImageFont.load_default(200)
        letter = "ABCDEFGHJKLMNPQRTUVWXYabdefhikmnprtwxy"[rng.integers(0, 38)]  # none like a digit
        draw.text((80, 30), letter, 20, font)
    elif kind == "house":
        left, right, roof, floor = 150 + np.array([-90, 90, -20, 110]) + rng.integers(-20, 21, 4)
        draw.rectangle((left, roof, right, floor), outline=20, width=width)
        draw.line([(left, roof), (150, roof - 80), (right, roof)], 20, width)
        draw.rectangle((160, floor - 60, 200, floor), outline=20, width=width // 2 + 1)
        if rng.random() < 0.5:
            draw.rectangle((100, roof + 30, 130, roof + 60), outline=20, width=width // 2 + 1)
    elif kind == "scribble":
        points = [tuple(point) for point in rng.integers(40, 261, (rng.integers(7, 14), 2))]
        draw.line(points, 20, width, "curve")
    levels = np.asarray(image) + rng.normal(0, 40 if kind == "noise" else 3, (300, 300))
    return _encode(levels, Look(), rng)


OTHERS = ("blank", "noise", "letter", "house", "scribble")
