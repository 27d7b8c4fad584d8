"""The document of a bench: create it, or continue that of an interrupted run.

After each measurement the document is passed to `keep`, which saves it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from fastmlp.bench import summary
from fastmlp.bench.compare import MOST_NAMED, SURROUNDINGS, differing
from fastmlp.bench.environment import environment
from fastmlp.bench.limits import measure_limits
from fastmlp.errors import refuse

Document = dict[str, Any]
Say = Callable[[str], object]
Keep = Callable[[Document], object]

# Must be equal in a resumed run. The limit may differ, to repeat what took too long
SAME = (*SURROUNDINGS, "affinity", "commit")
FREE = "settings.limit_seconds"


def ignore(*_: object) -> None:
    """Do nothing; the default of `say`, `keep` and `show`."""


def begin_document(
    kind: str, settings: Document, earlier: Document | None, *, with_limits: bool = True
) -> Document:
    """Return the document of a run before its first measurement.

    earlier : the document of a run to resume; its environment and limits are used
    Raises ArgumentError if `earlier` is a run of another bench.
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
    """Raise ArgumentError, with the differences, if the documents are of different benches."""
    found = [each for each in differing(_identity(earlier), _identity(document)) if each[0] != FREE]
    if found:
        got = "; ".join(
            f"{name} {one} there and {two} here" for name, one, two in found[:MOST_NAMED]
        )
        remedy = "Pass the same options on the same machine, or --save another file."
        raise refuse("resume", "must continue a run of the same bench", got, remedy)


def _identity(document: Document) -> Document:
    """Return what must be equal in all parts of one run, in the form in which JSON returns it."""
    surroundings = document.get("environment", {})
    parts = {name: document.get(name) for name in ("kind", "settings")}
    parts |= {name: surroundings.get(name) for name in SAME}
    return dict(json.loads(json.dumps(parts)))


def drop_failed(runs: list[Document]) -> list[Document]:
    """Return the runs without failure."""
    return list(filter(summary.succeeded, runs))
