"""A benchmark document as one self-contained HTML page: charts, tables, environment."""

from __future__ import annotations

import html
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console

from fastmlp.report.bench import bench_notes
from fastmlp.report.charts import epochs_chart, roofline_chart, to_svg
from fastmlp.report.documents import to_json

if TYPE_CHECKING:
    from rich.table import Table

    from fastmlp.bench.summary import Row

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
pre { font: 13px/1.45 ui-monospace, monospace; overflow-x: auto }
pre { background: #f6f7f9; padding: 1rem }
svg { max-width: 100%; height: auto }
.doubt { color: #a33a00 }
"""
WIDTH = 110


def page(
    document: dict[str, Any],
    tables: Sequence[Table],
    doubts: Sequence[str] = (),
    workloads: Sequence[tuple[str, Sequence[Row]]] = (),
) -> str:
    """Return the page. Raises MissingExtraError without matplotlib."""
    machine = document["environment"]["machine"]
    title = f"fastmlp: {document['kind']} on {machine['processor']}"
    measured = [(name, rows) for name, rows in workloads if not all(row.failure for row in rows)]
    charts = [to_svg(epochs_chart(name, rows)) for name, rows in measured]
    if document.get("rows"):
        charts.append(to_svg(roofline_chart(document)))
    parts = ("environment", "settings", "limits")
    details = to_json({key: document[key] for key in parts if key in document})
    notes = [*doubts, *bench_notes(document)]
    lines = [
        "<!doctype html>",
        f'<html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>',
        f"<style>{STYLE}</style><h1>{html.escape(title)}</h1>",
        f"<p>{html.escape(document['environment']['time'])}</p>",
        *(f'<p class="doubt">{html.escape(note)}</p>' for note in notes),
        *charts,
        *(f"<pre>{html.escape(plain(table))}</pre>" for table in tables),
        f"<details><summary>Environment, settings, limits</summary><pre>{html.escape(details)}"
        "</pre></details></html>",
    ]
    return "\n".join(lines) + "\n"


def plain(table: Table) -> str:
    """Return a table as text."""
    out = io.StringIO()
    Console(file=out, width=WIDTH, color_system=None).print(table)
    return out.getvalue().rstrip()
