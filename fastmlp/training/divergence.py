"""What is said of a run that diverged: where, at which rate, and what to change."""

from __future__ import annotations

from collections.abc import Sequence

from fastmlp.arrays import Array
from fastmlp.errors import DivergedError

# Inputs and targets are expected to be of the order of 1
ORDINARY = 100.0


def diverged(
    epoch: int, rate: float, what: str, large: Sequence[str], first: bool = False
) -> DivergedError:
    """Return the error for an epoch, counted from 0, in which `what` became NaN or infinite.

    large : what `large_data` says of the data, which is named as the likely cause, else the rate
    first : whether it was the cost of the first step, before which the epoch changed nothing
    """
    where = f"training diverged in epoch {epoch + 1}: {what} became NaN or infinite"
    blameless = first and epoch == 0
    at = "before the first step" if blameless else f"at learning rate {rate:g}"
    causes = " and ".join(large)
    if causes:
        remedy = f"{causes[0].upper()}{causes[1:]}. Scale them to about 1, or try a lower rate."
    elif blameless:
        remedy = "The network's parameters are too large. Begin with a new network."
    else:
        remedy = "Try half of it (find_learning_rate searches for one)."
    return DivergedError(f"{where} {at}. {remedy}")


def large_data(name: str, images: Array, scale: float, y: Array) -> list[str]:
    """Return which of a split's images and targets are larger than ordinary ones, and how large.

    name : of the split; scale : what its images are multiplied by
    """
    sizes = {f"the {name} images": _reach(images) * scale}
    if y.ndim == 2:
        sizes[f"the {name} targets"] = _reach(y)
    return [f"{what} reach {size:.3g}" for what, size in sizes.items() if size > ORDINARY]


def _reach(array: Array) -> float:
    """Return the largest magnitude in an array."""
    return max(abs(float(array.max())), abs(float(array.min())))
