"""The facts of the machine as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from fastmlp.report.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastmlp.bench.machine import Machine
    from fastmlp.bench.plans import SharedStep

# The features that determine the width and the speed of vectors
VECTOR_FEATURES = (
    *("sse2", "sse4.2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512vl", "avx512bw"),
    *("avx512dq", "avx512vnni", "avx512bf16", "amx-tile", "neon", "sve", "sve2"),
)


def machine_table(machine: Machine) -> Table:
    """Return a table of the names and values of all facts."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    features = [name for name in VECTOR_FEATURES if name in machine.features]
    lanes = f"{machine.vector_bits // 32} float32 or {machine.vector_bits // 64} float64"
    kernels = "compiled" if machine.kernels_compiled else "not yet compiled"
    for name, value in (
        ("processor", machine.processor),
        ("LLVM's name", machine.llvm_name),
        ("features", " ".join(features) or "no vector features"),
        ("vector", f"{machine.vector_bits} bits: {lanes}"),
        ("threads", f"{machine.threads} of {machine.cores} cores"),
        *((f"  {limit.name}", _allows(limit.allows)) for limit in machine.limits),
        ("threading layer", machine.threading_layer),
        ("versions", ", ".join(f"{name} {number}" for name, number in machine.versions.items())),
        ("cache", machine.cache),
        ("float32 kernels", kernels),
    ):
        table.add_row(name, Text(printable(value)))
    return table


def plans_table(plans: Sequence[SharedStep]) -> Table:
    """Return a table of how threads share a step of each workload."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.title, table.title_justify = f"a step of a team of {plans[0].members}", "left"
    for title in ("network / batch", "plan", "barriers", "lines that change cores", "first team"):
        table.add_column(title, overflow="fold")
    for plan in plans:
        lines = ", ".join(f"{count:,} of {what}" for what, count in plan.lines.items() if count)
        slices = f", {plan.slices} slices" if plan.slices > 1 else ""
        sizes = [f"{size} {where}" for where, size in plan.first.items()]
        first = ", ".join(sizes) if len({*plan.first.values()}) > 1 else sizes[0].split()[0]
        table.add_row(plan.workload, plan.plan + slices, str(plan.barriers), lines or "none", first)
    return table


def _allows(number: float | None) -> str:
    return "no limit" if number is None else f"{number:g}"
