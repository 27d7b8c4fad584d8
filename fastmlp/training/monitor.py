"""What early stopping and the schedule "plateau" can watch: costs and metrics."""

from __future__ import annotations

from collections.abc import Sequence

from fastmlp.errors import refuse
from fastmlp.functions import METRICS

MONITORS = ("cost", *METRICS)
PLATEAU_MONITORS = ("validation_cost", "train_cost", *METRICS)


def check_monitor(
    monitor: str, known: Sequence[str], task: str = "", argument: str = "monitor"
) -> None:
    """Refuse a monitor that is not known, or that is a metric of another task than `task`."""
    others = {name for name in METRICS if task and METRICS[name].task != task}
    if not isinstance(monitor, str) or monitor not in known or monitor in others:
        rule = "must name a cost or a metric" + (f" of the task {task!r}" if task else "")
        remedy = f"Choose from {', '.join(name for name in known if name not in others)}."
        raise refuse(argument, rule, repr(monitor), remedy)
