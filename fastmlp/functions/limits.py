"""What limits the gradients of a step, whatever the optimiser: settings and their formula."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from fastmlp.arrays import Array, check_at_least
from fastmlp.errors import refuse
from fastmlp.functions.coefficients import CLIP, CLIP_NORM, COEFFICIENTS

CLIP_EPSILON = 1e-6  # added to a norm, as it may be 0


@dataclass(frozen=True)
class Setting:
    """A number that users can set: its default and its bounds, least <= number < below.

    tried : another value, with which verification and tests try the setting
    """

    default: float
    least: float = 0.0
    below: float = float("inf")
    tried: float | None = None

    def check(self, name: str, value: Any) -> None:
        """Refuse a value that is not a finite number within the bounds."""
        check_at_least(name, value, self.least, float)
        if not isfinite(value):
            raise refuse(name, "must be finite", value, "Pass a finite number.")
        if value >= self.below:
            remedy = f"Pass {self.default}, for example."
            raise refuse(name, f"must be below {self.below:g}", value, remedy)


# Settings that any optimiser may have. clip_value limits the gradients of the cost, and clip_norm
# their norm; then l1 sign(w) is added to those of the weights, before the optimiser's own formula
LIMITS = {
    "l1": Setting(0.0, tried=0.01),
    "clip_value": Setting(float("inf"), 1e-30, tried=0.05),
    "clip_norm": Setting(float("inf"), 1e-30, tried=0.1),
}


def clip(gradients: Sequence[Array], row: Array) -> None:
    """Limit all gradients of a step, in place: before the step of each parameter.

    g = min(max(g, -clip_value), clip_value), then g = g min(1, clip_norm / (norm + 1e-6)), where
    norm is the root of the sum of g^2 of all parameters, as in torch.nn.utils.clip_grad_norm_.

    row : any coefficients of the step; those of a fused one have no limits
    """
    if len(row) < COEFFICIENTS:
        return
    if row[CLIP] < np.inf:
        for g in gradients:
            np.clip(g, -g.dtype.type(row[CLIP]), g.dtype.type(row[CLIP]), out=g)
    if row[CLIP_NORM] < np.inf:
        squares = sum(float(np.square(g, dtype=np.float64).sum()) for g in gradients)
        factor = row[CLIP_NORM] / (np.sqrt(squares) + CLIP_EPSILON)
        if not factor >= 1:  # of NaN, too
            for g in gradients:
                g *= g.dtype.type(factor)
