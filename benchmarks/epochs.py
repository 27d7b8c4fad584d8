"""Compare epochs: each implementation in a process of its own, interleaved, ratio by ratio.

python benchmarks/epochs.py --rounds 5 fastmlp numpy torch jax sklearn
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import click

WORKLOADS = [
    "784-128-10/64",
    "784-128-10/32",
    "784-16-16-10/10",
    "784-16-16-10/1",
    "784-512-512-10/128",
    "784-1024-1024-10/512",
    "784-512-512-10/128 dense",
]
SCRIPT = Path(__file__).with_name("epoch.py")


def measure(implementation: str, workload: str) -> float:
    """Return the median seconds of an epoch in one fresh process."""
    command = [sys.executable, "-W", "ignore", str(SCRIPT), implementation, *workload.split()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    return statistics.median(json.loads(done.stdout.splitlines()[-1]))


@click.command(help=__doc__)
@click.option("--rounds", default=5, show_default=True)
@click.option("--workload", "workloads", multiple=True, default=WORKLOADS)
@click.argument("implementations", nargs=-1)
def main(rounds: int, workloads: list[str], implementations: tuple[str, ...]) -> None:
    """Measure and print."""
    names = implementations or ("fastmlp", "numpy")
    for workload in workloads:
        seconds: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(rounds):
            for name in names:
                seconds[name].append(measure(name, workload))
        first = seconds[names[0]]
        click.echo(workload)
        for name, values in seconds.items():
            ratios = [other / own for other, own in zip(values, first, strict=True)]
            click.echo(
                f"  {name:8} {statistics.median(values):8.4f} s "
                f"({min(values):.4f} to {max(values):.4f})  "
                f"{statistics.median(values) / statistics.median(first):6.2f} x "
                f"({min(ratios):.2f} to {max(ratios):.2f})"
            )


if __name__ == "__main__":
    main()
