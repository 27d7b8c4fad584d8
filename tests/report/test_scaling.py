"""The results of teams as tables and lines."""

from __future__ import annotations

import io

from rich.console import Console

from fastmlp.bench.scaling import Team
from fastmlp.report import scaling_line, scaling_table

TEAMS = [
    Team(1, 0.064, 1.0),
    Team(64, 0.0123, 32.0, (5e-8, 1.8e-7)),
    Team(128, failure="no memory"),
]


def test_a_table_of_teams_fits_40_columns() -> None:
    for width in (40, 80):
        out = io.StringIO()
        Console(file=out, width=width).print(scaling_table("784-128-10/64", TEAMS))
        lines = [line.split() for line in out.getvalue().splitlines()]
        assert ["1", "0.0640", "1.00", "100%"] in lines
        assert ["128", "failed"] in lines
        shown = next(line for line in lines if line[0] == "64")
        assert shown[:5] == ["64", "0.0123", "32.00", "50%", "0.05"]
        assert "0.18" in out.getvalue()
        assert "…" not in out.getvalue()


def test_a_line_of_teams() -> None:
    assert scaling_line("w", TEAMS) == "w: 1: 0.0640 s an epoch, 64: 32.00 x as fast, 128: failed"
