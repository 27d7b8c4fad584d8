"""What is said of a run that diverged: where, at which rate, and what to change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastmlp.errors import DivergedError
from fastmlp.functions import Array

if TYPE_CHECKING:
    from fastmlp.training.run import Run

# Inputs and targets are expected to be of the order of 1
ORDINARY = 100.0
HELD = "The network holds its last good parameters."


def diverged(run: Run, epoch: int, rate: float, what: str, first: bool = False) -> DivergedError:
    """Return the error for an epoch, counted from 0, in which `what` became NaN or infinite.

    Inputs or targets that reach beyond ORDINARY are named as the likely cause, else the rate.
    first : whether it was the cost of the first step, before which the epoch changed nothing
    """
    where = f"training diverged in epoch {epoch + 1}: {what} became NaN or infinite"
    blameless = first and epoch == 0
    at = "before the first step" if blameless else f"at learning rate {rate:g}"
    large = " and ".join(_large(run))
    if large:
        remedy = f"{large}. Scale them to about 1, or try a lower rate."
    elif blameless:
        remedy = "The network's parameters are too large. Begin with a new network."
    else:
        remedy = "Try half of it (find_learning_rate searches for one)."
    return DivergedError(f"{where} {at}. {remedy} {HELD}")


def _large(run: Run) -> list[str]:
    """Return what is larger than ordinary inputs and targets, and how large."""
    data = {"split": (run.images, run.y)}
    if run.validation is not None:
        data["validation"] = run.validation
    sizes = {}
    for name, (images, y) in data.items():
        sizes[f"The {name} images"] = _reach(images) * run.network.scale_of(images)
        if y.ndim == 2:
            sizes[f"The {name} targets"] = _reach(y)
    return [f"{name} reach {size:.3g}" for name, size in sizes.items() if size > ORDINARY]


def _reach(array: Array) -> float:
    """Return the largest magnitude in an array."""
    return max(abs(float(array.max())), abs(float(array.min())))
