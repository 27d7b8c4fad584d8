"""Random changes of square images in JAX, distributed as those of `fastmlp.functions.augmentation`.

The random numbers are JAX's. Positions are float32, and pixels that are interpolated stay float32.
"""

from __future__ import annotations

from math import ceil, radians
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.ndimage import map_coordinates

from fastmlp.functions.augmentation import FIELDS, Augmentation


class Changes(NamedTuple):
    """What is done to images, float32; the shape `(...)` is that of the images.

    turns : `(..., 2)`: cosine and sine of the rotation, divided by the scale
    shifts : `(..., 2)`: to the right, and down, in pixels
    picks : int32 `(..., 2)`: the numbers of the fields that are added to x, and to y
    """

    turns: Any
    shifts: Any
    picks: Any


def draw_changes(augmentation: Augmentation, key: Any, shape: tuple[int, ...]) -> Changes:
    """Return independent changes of images of that shape."""
    keys = jax.random.split(key, 4)
    angle, scale = jax.random.uniform(keys[0], (2, *shape), minval=-1, maxval=1)
    angle, scale = radians(augmentation.rotation) * angle, 1 + augmentation.scale * scale
    turns = jnp.stack([jnp.cos(angle), jnp.sin(angle)], -1) / scale[..., None]
    most = augmentation.shift
    shifts = jax.random.randint(keys[1], (*shape, 2), -most, most + 1).astype(jnp.float32)
    return Changes(turns, shifts, jax.random.randint(keys[2], (*shape, 2), 0, 2 * FIELDS))


def draw_fields(augmentation: Augmentation, key: Any, side: int) -> Any:
    """Return the displacements that the images of an epoch share, float32 `(2 FIELDS, S, S)`.

    They are alpha g u g^T with uniform noise u and the weights g of a Gaussian, and the same with
    the other sign; without elastic distortion, None.
    """
    if augmentation.elastic is None:
        return None
    alpha, sigma = augmentation.elastic
    noise = jax.random.uniform(key, (FIELDS, side, side), minval=-1, maxval=1)
    distance = jnp.subtract.outer(jnp.arange(side), jnp.arange(side))
    reach = jnp.arange(-ceil(4 * sigma), ceil(4 * sigma) + 1)
    # noise outside an image is 0, so the weights of a pixel near the border add up to less than 1
    weights = jnp.exp(-(distance**2) / (2 * sigma**2)) / jnp.exp(-(reach**2) / (2 * sigma**2)).sum()
    smooth = alpha * (weights @ noise @ weights)
    return jnp.concatenate([smooth, -smooth])


def change(images: Any, changes: Changes, fields: Any) -> Any:
    """Return images `(B, S, S)` as their changes have them, float32, interpolated bilinearly.

    The pixel p shows what the image has at middle + R^-1 (p - middle - shift) / scale, plus the
    displacement; outside an image is 0.
    """
    side = images.shape[-1]
    row, column = jnp.mgrid[:side, :side]
    middle = (side - 1) / 2

    def look(image: Any, turn: Any, shift: Any, pick: Any) -> Any:
        right, down = column - middle - shift[0], row - middle - shift[1]
        x = middle + turn[0] * right + turn[1] * down
        y = middle - turn[1] * right + turn[0] * down
        if fields is not None:
            x, y = x + fields[pick[0]], y + fields[pick[1]]
        return map_coordinates(image, [y, x], order=1)

    return jax.vmap(look)(images.astype(jnp.float32), *changes)
