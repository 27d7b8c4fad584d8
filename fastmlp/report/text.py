"""Numbers, names and reasons as text for people; in ASCII, except names from files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fastmlp.functions import METRICS
from fastmlp.training.rows import metric


def metrics(values: Mapping[str, float]) -> str:
    """Return metrics with their titles: "R2 0.9312, MAE 0.0612"."""
    return ", ".join(f"{METRICS[name].title} {metric(name, v)}" for name, v in values.items())


def duration(seconds: float) -> str:
    """Return seconds, with fewer decimals for longer times: "0.412 s", "4.12 s", "412 s"."""
    digits = 3 if seconds < 1 else 2 if seconds < 10 else 1 if seconds < 100 else 0
    return f"{seconds:.{digits}f} s"


def with_barrier(name: str, seconds: Sequence[float]) -> str:
    """Return a name with the lowest and highest of some barriers: "name, barrier 0.05 to 0.18 us".

    Without barriers, the name is returned unchanged.
    """
    return f"{name}, barrier {microseconds(seconds)} us" if seconds else name


def microseconds(seconds: Sequence[float]) -> str:
    """Return seconds as one figure in microseconds, or the lowest and highest: "0.05 to 0.18"."""
    ends = (f"{end(seconds) * 1e6:.2f}" for end in (min, max)) if seconds else ()
    return " to ".join(dict.fromkeys(ends))


def layer_sizes(sizes: Sequence[int]) -> str:
    """Return (784, 128, 10) as "784-128-10"."""
    return "-".join(map(str, sizes))


def printable(name: str) -> str:
    """Return a name from a file with "?" for control characters."""
    return "".join(c if c.isprintable() else "?" for c in name)


def class_names(names: Sequence[str] | None, classes: int) -> tuple[str, ...]:
    """Return the names to print for the classes: their numbers if they have no names."""
    if names is None or len(names) != classes:
        return tuple(map(str, range(classes)))
    return tuple(map(printable, names))


def reason(error: Exception) -> str:
    """Return an error's message in one line, without the remedy and the addresses.

    Of a list of attempts, indented lines of the form "address: reason", the different reasons are
    kept.
    """
    first, *rest = str(error).splitlines() or [type(error).__name__]
    reasons = [line.split(": ", 1)[-1].strip() for line in rest if line.startswith("  ")]
    if reasons:
        return first.rstrip(":") + ": " + "; ".join(dict.fromkeys(reasons))
    return first.split(". ")[0].rstrip(".")
