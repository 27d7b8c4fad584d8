"""The error message of a run that diverged: where, at which learning rate, and the remedy."""

from __future__ import annotations

from collections.abc import Sequence

from fastmlp.arrays import Array, Rows
from fastmlp.errors import DivergedError
from fastmlp.network.scaling import reach

# Inputs and targets should be of the order of 1; larger ones than this are named as the cause
LARGE = 100.0


def divergence_error(
    epoch: int, rate: float, what: str, large: Sequence[str], first: bool = False
) -> DivergedError:
    """Return the error for an epoch, counted from 0, in which `what` became NaN or infinite.

    large : the result of `find_large_data`; if it is empty, the learning rate is the likely cause
    first : whether `what` is the cost of the epoch's first step, computed before any update
    """
    where = f"training diverged in epoch {epoch + 1}: {what} became NaN or infinite"
    untrained = first and epoch == 0
    at = "before the first step" if untrained else f"at learning rate {rate:g}"
    causes = " and ".join(large)
    if causes:
        scaled = ', with scaling="standardize" for example' if " images reach" in causes else ""
        remedy = (
            f"{causes[0].upper()}{causes[1:]}. Scale them to about 1{scaled}, or try a lower rate."
        )
    elif untrained:
        remedy = "The network's parameters are too large. Start with a new network."
    else:
        remedy = "Try half of it (find_learning_rate searches for one)."
    return DivergedError(f"{where} {at}. {remedy}")


def find_large_data(name: str, images: Rows, scale: float, y: Array) -> list[str]:
    """Return a text for the images, and one for the targets, of a split if they are large.

    name : of the split; scale : the factor of its images
    """
    sizes = {f"the {name} images": reach(images) * scale}
    if y.ndim == 2:
        sizes[f"the {name} targets"] = reach(y)
    return [f"{what} reach {size:.3g}" for what, size in sizes.items() if size > LARGE]
