"""What a verification found, as a table and a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from fastmlp.report.bench import table

if TYPE_CHECKING:
    from fastmlp.verify import Outcome


def verification_table(outcome: Outcome) -> Table:
    """Return each kernel's largest error over what is allowed."""
    rows = [(name, f"{worst:.3f}") for name, worst in outcome.worst.items()]
    return table("largest error, over what is allowed", ("kernel", "ratio"), rows)


def verification_line(outcome: Outcome) -> str:
    """Return the verdict, how much was checked, and how much of that means little."""
    verdict = "all right" if outcome.passed else f"{len(outcome.failures):,} FAILURES"
    return (
        f"{verdict}: {outcome.checks:,} results of {outcome.cases:,} cases on "
        f"{outcome.vector_bits}-bit vectors in {outcome.seconds:.1f} s; {outcome.mistrusted:,} "
        "cases are mistrusted, as nearly all of what they compute is zero"
    )
