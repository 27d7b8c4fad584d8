"""How to read data of one's own: the arguments of `load_dataset` that are for some kinds only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from fastmlp.arrays import plain_label
from fastmlp.errors import refuse

TASKS = ("classification", "regression")
FILLS = ("median",)
UNKNOWN = ("refuse", "ignore")
LARGEST = 4096  # pixels of a side
# Of what type each argument must be, if it is not None
KINDS = {
    "target_column": ((str, int), "a name or a number"),
    "drop_columns": ((tuple,), "names of columns"),
    "impute": ((str,), "one of its values"),
    "task": ((str,), "one of its values"),
    "image_size": ((tuple,), "a whole number, or a width and a height"),
    "columns": ((Mapping,), "the columns of a Network or a Dataset"),
    "seed": ((int,), "a whole number"),
    "whole": ((bool,), "True or False"),
    "unknown": ((str,), "one of its values"),
}


@dataclass(frozen=True)
class Options:
    """The arguments; `load_dataset` describes them."""

    target_column: str | int | None = None
    drop_columns: tuple[str, ...] = ()
    impute: str | None = None
    task: str | None = None
    image_size: tuple[int, int] | None = None
    columns: Mapping[str, Any] | None = None
    seed: int = 0
    whole: bool | None = None
    unknown: str = "refuse"

    def __post_init__(self) -> None:
        for name, (kinds, rule) in KINDS.items():
            value = _plain(getattr(self, name), name)
            object.__setattr__(self, name, value)
            is_bool = isinstance(value, bool) and bool not in kinds
            if is_bool or not isinstance(value, (*kinds, type(getattr(Options, name)))):
                raise refuse(name, f"must be {rule}", repr(value), "Leave it out for the default.")
        dropped = [plain_label(name) for name in self.drop_columns]
        if not all(type(name) in (str, int) for name in dropped):
            rule = "must be names of columns"
            raise refuse("drop_columns", rule, repr(dropped), "Pass their names as texts.")
        object.__setattr__(self, "drop_columns", tuple(map(str, dropped)))
        for name, allowed in (("impute", FILLS), ("task", TASKS), ("unknown", UNKNOWN)):
            value = getattr(self, name)
            if value is not None and value not in allowed:
                rule, names = "must be one of its values", ", ".join(map(repr, allowed))
                raise refuse(name, rule, repr(value), f"Choose from {names}, or leave it out.")
        sides: Any = self.image_size
        are_right = all(type(n) is int and 1 <= n <= LARGEST for n in sides or ())
        if sides is not None and not (are_right and len(sides) == 2):
            rule = f"must be two whole numbers, width and height, from 1 to {LARGEST}"
            raise refuse("image_size", rule, repr(sides), "Pass (28, 28), for example.")

    def given(self) -> list[str]:
        """Return the names of the arguments that have other values than the defaults.

        `columns` is not among them: where data have none, it has no effect.
        """
        names = [one.name for one in fields(self) if getattr(self, one.name) != one.default]
        return [name for name in names if name != "columns"]


def _plain(value: Any, name: str) -> Any:
    """Return what users pass in the types of KINDS: NumPy's scalars and arrays as Python's."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    value = plain_label(value) if isinstance(value, str) else value
    value = tuple(value) if isinstance(value, (list, set, frozenset)) else value
    if name == "drop_columns":
        return () if value is None else (value,) if isinstance(value, str) else value
    return (value, value) if name == "image_size" and type(value) is int else value
