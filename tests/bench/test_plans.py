"""What `fastmlp info NETWORK/BATCH` tells of a step, without a machine of so many cores."""

from dataclasses import replace
from io import StringIO

from rich.console import Console

from fastmlp.bench.plans import describe_plan
from fastmlp.report import plans_table


def shown(plan):
    """Return the table of a plan as text."""
    console = Console(file=StringIO(), width=200)
    console.print(plans_table([plan]))
    return console.file.getvalue()


def test_members_beyond_the_panels_share_a_step_by_columns():
    few, many = (describe_plan("784-128-10/64", threads) for threads in (2, 16))
    assert (few.plan, few.barriers) == ("columns, then rows", 1)
    assert (many.plan, many.barriers) == ("by columns", 4)
    assert many.lines["shared panels"] > sum(few.lines.values())
    assert "of shared panels" in shown(many)


def test_the_first_team_is_shown_once_if_near_and_far_cores_have_the_same():
    plan = describe_plan("784-128-10/64", 2)
    assert plan.first == {"near": 2, "far": 2}
    assert "near" not in shown(plan)
    assert "8 near, 5 far" in shown(replace(plan, first={"near": 8, "far": 5}))
