"""The results of `fastmlp bench scaling` as tables and lines."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import TYPE_CHECKING

from rich.table import Table

from fastmlp.report.bench import seconds, table
from fastmlp.report.text import microseconds

if TYPE_CHECKING:
    from fastmlp.bench.scaling import Team

# In two lines, so that the table fits into 40 columns
COLUMNS = ("threads", "s an\nepoch", "speed-\nup", "effi-\nciency", "barrier\nus")


def scaling_table(name: str, teams: Sequence[Team]) -> Table:
    """Return the results of all teams on a workload as a table."""
    shown = table(name, COLUMNS, map(_cells, teams))
    shown.columns[-1].no_wrap = False  # the only one that may become narrower
    return shown


def scaling_line(name: str, teams: Sequence[Team]) -> str:
    """Return the results of all teams on a workload in a line."""
    return f"{name}: " + ", ".join(f"{team.threads}: {_result(team)}" for team in teams)


def _result(team: Team) -> str:
    if team.failure:
        return "failed"
    if team.threads == 1 or isnan(team.speed_up):
        return f"{seconds(team.seconds)} s an epoch"
    return f"{team.speed_up:.2f} x as fast"


def _cells(team: Team) -> tuple[str, ...]:
    if team.failure:
        return str(team.threads), "failed"
    known = not isnan(team.speed_up)
    return (
        str(team.threads),
        seconds(team.seconds),
        f"{team.speed_up:.2f}" * known,
        f"{team.efficiency:.0%}" * known,
        microseconds(team.barriers),
    )
