"""The type Array, and the checks of numbers that users pass."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastmlp.errors import refuse

Array = NDArray[Any]
P = ParamSpec("P")
R = TypeVar("R")


def quiet(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function with NumPy's floating-point warnings turned off.

    The setting of `np.seterr` has no effect inside. Results are checked instead.
    """

    @wraps(function)
    def called(*arguments: P.args, **named: P.kwargs) -> R:
        with np.errstate(all="ignore"):
            return function(*arguments, **named)

    return called


@cache
def largest(dtype: Any) -> Any:
    """Return the largest number of a type of floats."""
    return np.finfo(dtype).max


def check_finite(name: str, arrays: Sequence[Array]) -> None:
    """Refuse NaN and infinity in parameters; the error names the array."""
    for number, array in enumerate(arrays):
        bad = ~np.isfinite(array)
        if bad.any():
            raise refuse(
                name,
                "must be finite",
                f"NaN or infinity in {int(bad.sum())} of {array.size} numbers of {name}[{number}]",
                "Load another model, or build a new network.",
            )


def check_scale(scale: Any, dtype: Any) -> None:
    """Refuse a scale that is not positive, or so large that scaled pixels overflow."""
    most = float(np.sqrt(largest(dtype))) / 255
    is_number = isinstance(scale, (int, float, np.number)) and not isinstance(scale, np.timedelta64)
    if not is_number or not 0 < scale <= most:
        raise refuse(
            "pixel_scale",
            f"must be a number above 0, and at most {most:.3g}",
            repr(scale),
            "Set network.pixel_scale = 1 / 255, for example.",
        )


def check_at_least(argument: str, value: Any, least: float, kind: type = int) -> None:
    """Refuse a value that is not of that kind (int or float), is below `least`, or is NaN.

    So are whole numbers above the largest int64 or float64.
    """
    allowed = (int, np.integer) if kind is int else (int, float, np.integer, np.floating)
    other = isinstance(value, (bool, np.timedelta64))  # which are integers of Python and NumPy
    if other or not isinstance(value, allowed) or not value >= least:
        name = "a whole number" if kind is int else "a number"
        raise refuse(
            argument,
            f"must be {name} of at least {least:g}",
            repr(value),
            f"Pass {argument} >= {least:g}.",
        )
    most = sys.maxsize if kind is int else sys.float_info.max
    if isinstance(value, (int, np.integer)) and int(value) > most:
        got = f"a number of {int(value).bit_length()} bits"
        raise refuse(argument, f"must be at most {most:.4g}", got, "Pass a smaller number.")


def check_flag(argument: str, value: Any) -> None:
    """Refuse a value that is neither True nor False."""
    if not isinstance(value, (bool, np.bool_)):
        raise refuse(argument, "must be True or False", repr(value), f"Pass {argument}=True.")


def as_generator(seed: Any) -> np.random.Generator:
    """Return the random generator of a seed; a Generator is returned unchanged.

    seed : what `numpy.random.default_rng` accepts. Raises ArgumentError for anything else.
    """
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError, DeprecationWarning) as error:  # of a timedelta64
        rule = "must be a whole number of at least 0, or a numpy.random.Generator"
        raise refuse("seed", rule, f"{seed!r} ({error})", "Pass seed=0.") from None


def check_between(argument: str, value: Any, low: float, high: float) -> None:
    """Refuse a value that is not a number above `low` and below `high`."""
    check_at_least(argument, value, low, float)
    if not low < value < high:
        rule = f"must lie between {low:g} and {high:g}, without these"
        raise refuse(argument, rule, value, f"Pass {argument}=0.1, for example.")


def check_out(name: str, out: Any, shape: tuple[int, ...], dtype: np.dtype, images: Any) -> None:
    """Refuse an output that compiled code cannot write to as it is, or that overlaps images.

    images : an array, or sparse rows
    """
    fresh = f"Pass numpy.empty({shape}, {dtype.name!r})."
    if not isinstance(out, np.ndarray):
        raise refuse(name, "must be a NumPy array", type(out).__name__, fresh)
    if out.shape != shape:
        raise refuse(name, f"must have shape {shape}", f"shape {out.shape}", fresh)
    if out.dtype != dtype:
        raise refuse(name, f"must be {dtype.name}", str(out.dtype), fresh)
    if not (out.flags.c_contiguous and out.flags.aligned):
        rule, got = "must be C-contiguous and aligned", f"strides {out.strides}"
        raise refuse(name, rule, got, fresh)
    if not out.flags.writeable:
        raise refuse(name, "must be writable", "a read-only array", fresh)
    if np.may_share_memory(out, getattr(images, "values", images)):
        raise refuse(name, "must not overlap images", "overlapping memory", fresh)


def check_indices(name: str, numbers: Array, below: int) -> None:
    """Refuse numbers that are not in 0, …, below - 1: compiled code uses them as addresses."""
    # as an unsigned number, a negative one is large
    if numbers.size and not np.asarray(numbers, np.int64).view(np.uint64).max() < below:
        found = f"{numbers.min()} to {numbers.max()}"
        remedy = "Pass indices of rows or classes."
        raise refuse(name, f"must lie in 0 … {below - 1}", found, remedy)
