"""The document of a bench: begun, or an interrupted one that goes on; and what failed in it.

It grows by one measurement at a time, and whoever keeps it receives it after each.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from fastmlp.bench import summary
from fastmlp.bench.environment import environment
from fastmlp.bench.limits import measure_limits
from fastmlp.errors import refuse

Document = dict[str, Any]
Say = Callable[[str], object]
Keep = Callable[[Document], object]

# What must be equal in a run that goes on; the limit may be raised for what took too long
SURROUNDINGS = ("machine", "affinity", "governor", "versions", "blas", "commit")
FREE = "settings.limit_seconds"
MOST_NAMED, MOST_SHOWN = 3, 60


def ignore(*_: object) -> None:
    """Do nothing: the default of `say`, `keep` and `show`."""


def begun(
    kind: str, settings: Document, earlier: Document | None, *, with_limits: bool = True
) -> Document:
    """Return the document of a run that is about to be measured, without measurements.

    earlier : the document of a run to go on with, whose surroundings and limits are taken over
    Raises ArgumentError when it is a run of another bench.
    """
    document: Document = {"kind": kind, "complete": False, "environment": environment()}
    document |= {"settings": settings}
    if earlier is not None:
        check_same(earlier, document)
        now = {name: document["environment"][name] for name in ("time", "load_average")}
        document["environment"] = earlier["environment"]
        if summary.failures(earlier) or not earlier.get("complete"):
            document["environment"].setdefault("resumed", []).append(now)
    if with_limits:
        known = (earlier or {}).get("limits")
        document["limits"] = known or measure_limits(settings["threads"])
    return document


def check_same(earlier: Document, document: Document) -> None:
    """Refuse to go on with the document of another bench: name what differs."""
    found = list(_differences(_identity(earlier), _identity(document)))
    if found:
        got = "; ".join(
            f"{name} {one} there and {two} here" for name, one, two in found[:MOST_NAMED]
        )
        remedy = "Give the same options on the same machine, or --save another file."
        raise refuse("resume", "must go on with a run of the same bench", got, remedy)


def _identity(document: Document) -> Document:
    """Return what must be equal in all parts of one run, as it is read from a file."""
    surroundings = document.get("environment", {})
    parts = {name: document.get(name) for name in ("kind", "settings")}
    parts |= {name: surroundings.get(name) for name in SURROUNDINGS}
    return dict(json.loads(json.dumps(parts)))


def _differences(one: Any, two: Any, name: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield the dotted name and both values, as text, of what differs."""
    if isinstance(one, dict) and isinstance(two, dict):
        for key in {**two, **one}:
            yield from _differences(one.get(key), two.get(key), f"{name}.{key}" if name else key)
    elif one != two and name != FREE:
        yield name, _short(one), _short(two)


def _short(value: Any) -> str:
    text = "missing" if value is None else json.dumps(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]} ..."


def worked(runs: list[Document]) -> list[Document]:
    """Return the runs that did not fail: those that an interrupted bench keeps."""
    return list(filter(summary.worked, runs))
