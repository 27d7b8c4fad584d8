"""Numbers, names and reasons as people read them, in plain ASCII but for names of their own."""

from __future__ import annotations

from collections.abc import Sequence


def percent(share: float) -> str:
    """Return a share of 0 to 1 as "98.12 %"."""
    return f"{100 * share:.2f} %"


def number(value: float) -> str:
    """Return a cost as "0.0612", or as "1.42e+28" where training went astray."""
    return f"{value:.4f}" if abs(value) < 10_000 else f"{value:.3g}"


def duration(seconds: float) -> str:
    """Return seconds with the digits that matter: "0.412 s", "4.12 s", "41.2 s", "412 s"."""
    digits = 3 if seconds < 1 else 2 if seconds < 10 else 1 if seconds < 100 else 0
    return f"{seconds:.{digits}f} s"


def layer_sizes(sizes: Sequence[int]) -> str:
    """Return (784, 128, 10) as "784-128-10"."""
    return "-".join(map(str, sizes))


def printable(name: str) -> str:
    """Return a name from a file with all that a terminal would obey, not show, as "?"."""
    return "".join(c if c.isprintable() else "?" for c in name)


def class_names(names: Sequence[str] | None, classes: int) -> tuple[str, ...]:
    """Return the names to print for so many classes: their numbers where there are none."""
    if names is None or len(names) != classes:
        return tuple(map(str, range(classes)))
    return tuple(map(printable, names))


def reason(error: Exception) -> str:
    """Return an error's message in one line, without the remedy and the addresses tried.

    A list of attempts, indented and each "address: why", becomes its different whys.
    """
    first, *rest = str(error).splitlines() or [type(error).__name__]
    whys = [line.split(": ", 1)[-1].strip() for line in rest if line.startswith("  ")]
    if whys:
        return first.rstrip(":") + ": " + "; ".join(dict.fromkeys(whys))
    return first.split(". ")[0].rstrip(".")
