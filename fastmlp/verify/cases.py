"""The kinds of cases by name, and the tables from which each is drawn."""

from __future__ import annotations

from collections.abc import Callable

from fastmlp.verify.checks import Case, Check
from fastmlp.verify.layers import trace
from fastmlp.verify.networks import NETWORK, TRAINED, WEIGHTED, gradients, infer, step, steps
from fastmlp.verify.tables import Draw

__all__ = ["CASES", "DRAWN_FROM", "Case", "Check", "Draw"]

CASES: dict[str, Callable[[Draw], Case]] = {
    case.__name__: case for case in (trace, gradients, step, steps, infer)
}
# the cases of a kind must use every row of these tables
DRAWN_FROM = {
    "trace": (*NETWORK, "precision", "batch", "answers", "threads"),
    "gradients": (*WEIGHTED, "precision"),
    "step": TRAINED,
    "steps": (*TRAINED, "last batch", "calls", "dropout"),
    "infer": (*NETWORK, "precision", "batch", "threads"),
}
