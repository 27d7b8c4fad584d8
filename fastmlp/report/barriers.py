"""The results of near and far rounds apart, where the barriers of a workload have changed."""

from __future__ import annotations

from math import isnan
from typing import Any

from rich.table import Table

from fastmlp.bench import barriers
from fastmlp.bench.summary import Row, summarise
from fastmlp.report.bench import seconds, table
from fastmlp.report.text import microseconds


def barriers_tables(workload: dict[str, Any]) -> list[Table]:
    """Return a table of the medians of near and far rounds; none if no barrier has changed."""
    found = barriers.figures(workload["runs"])
    if not barriers.have_changed(found):
        return []
    parts = barriers.near_and_far(workload)
    rows = {
        name: {row.name: row for row in summarise(part, 1.0) if not row.failure}
        for name, part in parts.items()
    }
    columns = ["", *(heading for name in parts for heading in (f"{name} s", f"{name} x"))]
    names = dict.fromkeys(name for part in rows.values() for name in part)
    lines = [
        [name, *(cell for of in rows.values() for cell in _cells(of.get(name)))] for name in names
    ]
    title = f"barrier changed, {microseconds(found)} us: " + ", ".join(map(_count, parts.items()))
    return [table(title, columns, lines)]


def _count(part: tuple[str, dict[str, Any]]) -> str:
    """Return the number of rounds of a part, and what they have in common."""
    name, workload = part
    rounds = len({run["round"] for run in workload["runs"]})
    limit = f"{barriers.NEAR_SECONDS * 1e6:.2f} us"
    return f"{rounds} {name} (below {limit})" if name == "near" else f"{rounds} {name}"


def _cells(row: Row | None) -> tuple[str, str]:
    if row is None:
        return "", ""
    return seconds(row.seconds), "" if isnan(row.ratio) else f"{row.ratio:.2f}"
