"""The result of a verification, as tables and a line."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from rich.table import Table

from fastmlp.report.bench import table

if TYPE_CHECKING:
    from fastmlp.verify import Outcome


def verification_table(outcome: Outcome) -> Table:
    """Return the largest error of each kernel, as a share of the allowed error."""
    rows = [(name, f"{worst:.3f}") for name, worst in outcome.worst.items()]
    return table("largest error / allowed error", ("kernel", "ratio"), rows)


def rows_table(outcome: Outcome) -> Table:
    """Return a table of how many cases used each row of the tables, over all kernels."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for cases in outcome.rows.values():
        for row, count in cases.items():
            name, value = row.split(": ")
            counts[name][value] += count
    shown = Table(title="cases with each row", title_justify="left", title_style="bold")
    shown.box, shown.pad_edge, shown.show_header = None, False, False
    shown.add_column(no_wrap=True)
    shown.add_column()
    for name, found in counts.items():
        shown.add_row(name, "; ".join(f"{value}: {count:,}" for value, count in found.items()))
    return shown


def verification_line(outcome: Outcome) -> str:
    """Return the verdict and the numbers of results and cases."""
    verdict = "all right" if outcome.passed else f"{len(outcome.failures):,} FAILURES"
    return (
        f"{verdict}: {outcome.checks:,} results of {outcome.cases:,} cases on "
        f"{outcome.vector_bits}-bit vectors in {outcome.seconds:.1f} s; {outcome.mistrusted:,} "
        "cases prove little, because nearly all their results are zero"
    )
