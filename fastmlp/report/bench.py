"""Benchmark documents as tables and lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isnan, nan
from statistics import geometric_mean, mean, stdev
from typing import TYPE_CHECKING, Any

from rich.table import Table

from fastmlp.bench.summary import SIDES, run_name
from fastmlp.report.text import duration, with_barrier
from fastmlp.training.rows import percent

if TYPE_CHECKING:
    from fastmlp.bench.compare import Difference
    from fastmlp.bench.summary import Row


# What only a team of threads has: its name, its key in the limits, the decimals of microseconds
TEAM_LIMITS = (("barrier", "meeting_seconds", 2), ("parallel region", "region_seconds", 0))


def seconds(value: float) -> str:
    """Return seconds with three digits: "0.0641", "2.31", "25.3"."""
    return f"{value:#.3g}".rstrip(".")


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Return a plain table; the first column contains text, the others numbers."""
    shown = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    shown.min_width = min(len(title), 78)
    for number, name in enumerate(columns):
        shown.add_column(name, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        shown.add_row(*row)
    return shown


def epochs_tables(name: str, rows: Sequence[Row]) -> list[Table]:
    """Return two tables of a workload: its times, and its use of the machine."""
    metric = next((row.metric for row in rows if not row.failure), "")
    times = ("", "s an epoch", "low to high", "x fastmlp", "low to high", metric)
    costs = ("", "samples/s", "GFLOP/s", "of peak", "nonzero", "MiB", "first s", "set-up s")
    title = with_barrier(name, barriers_of(rows))
    good = [row for row in rows if not row.failure]
    failed = [(row.name, "failed") for row in rows if row.failure]
    return [
        table(title, times, [*map(_times, good), *failed]),
        table("", costs, map(_costs, good)),
    ]


def barriers_of(rows: Iterable[Row]) -> list[float]:
    """Return the seconds of the barriers that the processes of some rows measured."""
    return [seconds for row in rows for seconds in row.barriers]


def epochs_line(name: str, rows: Sequence[Row]) -> str:
    """Return the result of one workload in a line."""
    parts = [f"{row.name} {_result(row)}" for row in rows]
    return with_barrier(f"{name}: {', '.join(parts)}", barriers_of(rows))


def _result(row: Row) -> str:
    if row.failure:
        return "failed"
    if row.is_own or isnan(row.ratio):
        return f"{seconds(row.seconds)} s an epoch"
    return f"{seconds(row.ratio)} x" + " !" * (not row.comparable)


def accuracy_line(run: dict[str, Any]) -> str:
    """Return the result of one process of `bench accuracy` in a line."""
    name = run_name(run)
    if run.get("failure"):
        return f"{name}: failed"
    spent = duration(sum(run["epoch_seconds"]))
    return f"{name}: {percent(run['accuracy'])} after {spent} of training"


def pass_line(run: dict[str, Any]) -> str:
    """Return the result of one process of `bench kernels` in a line."""
    spent = "failed" if run.get("failure") else f"took {duration(run['process_seconds'])}"
    return f"{run_name(run)}: {spent}"


def bench_notes(document: dict[str, Any]) -> list[str]:
    """Return notes on how a run was measured, a line each."""
    environment, notes = document["environment"], []
    for library in environment.get("blas") or []:
        made_for = f", kernels for {library['architecture']}" if library["architecture"] else ""
        notes.append(
            f"NumPy multiplies with {library['internal_api']} {library['version']}{made_for}"
        )
    removed = environment.get("removed_variables")
    if removed:
        settings = ", ".join(f"{name}={value}" for name, value in removed.items())
        notes.append(f"not passed to the processes, because it selects kernels: {settings}")
    if document.get("absent"):
        names = ", ".join(document["absent"])
        notes.append(f'not installed, so not measured: {names}; pip install "fastmlp[peers]"')
    for work in document.get("workloads", []):
        lacks = work.get("absent", {}).items()
        notes += [f"{work['name']}: {name} is absent: {reason}" for name, reason in lacks]
    return notes


def _times(row: Row) -> tuple[str, ...]:
    return (
        row.name,
        seconds(row.seconds),
        f"{seconds(row.low)} to {seconds(row.high)}",
        "" if isnan(row.ratio) else f"{row.ratio:.2f}",
        "" if isnan(row.ratio) else f"{row.ratio_low:.2f} to {row.ratio_high:.2f}",
        percent(row.accuracy) + " !" * (not row.comparable),
    )


def _costs(row: Row) -> tuple[str, ...]:
    return (
        row.name,
        f"{row.samples_per_second:,.0f}",
        f"{row.gflops:.1f}",
        f"{row.peak_share:.0%}",
        "" if isnan(row.nonzero_share) else f"{row.nonzero_share:.0%}",
        "" if isnan(row.peak_bytes) else f"{row.peak_bytes / 2**20:.0f}",
        seconds(row.first_epoch),
        seconds(row.setup),
    )


def limits_table(limits: dict[str, Any]) -> Table:
    """Return the measured limits of the machine as a table."""
    peak, threads = limits["peak_flops"], limits["threads"]
    rows = [("fused multiply-adds", *(f"{peak[k] / 1e9:.0f} GFLOP/s" for k in ("one", "all")))]
    for level, speed in limits["bytes_per_second"].items():
        rows.append((f"bandwidth, {level}", *(f"{speed[k] / 1e9:.0f} GB/s" for k in speed)))
    for name, key, digits in TEAM_LIMITS:
        taken = limits[key] or nan  # null in a saved run, 0 in one of earlier versions
        rows += [] if isnan(taken) else [(name, "", f"{taken * 1e6:.{digits}f} us")]
    together = f"{threads} thread{'s' * (threads > 1)}"
    return table("measured, float32", ("", "one core", together), rows)


def kernels_tables(document: dict[str, Any], every: bool = False) -> list[Table]:
    """Return two tables: the means of the kernels, and the shapes where NumPy is faster, or all.

    every : whether to show all shapes
    """
    if not document["rows"]:
        return []
    kinds: dict[str, list[dict[str, Any]]] = {}
    for row in document["rows"]:
        kinds.setdefault(row["kernel"], []).append(row)
    means = [
        (
            kernel,
            f"{geometric_mean(row['ratio'] for row in rows):.2f}",
            f"{sum(row['ratio'] < 1 for row in rows)} of {len(rows)}",
            f"{max(row['fastmlp_error'] for row in rows):.1f}",
            f"{max(row['numpy_error'] for row in rows):.1f}",
        )
        for kernel, rows in kinds.items()
    ]
    whole = geometric_mean(row["ratio"] for row in document["rows"])
    means.append(("all", f"{whole:.2f}", "", "", ""))
    columns = ("kernel", "x NumPy", "NumPy faster", "error", "NumPy's")
    title = "geometric means; errors in eps times the sum of the terms"
    detail = [row for row in document["rows"] if every or row["ratio"] < 1]
    detail.sort(key=lambda row: row["ratio"])
    shapes = ("kernel", "B", "I", "O", "GFLOP/s", "NumPy's", "x NumPy", "error", "NumPy's")
    heading = "all shapes" if every else "shapes where NumPy is faster"
    return [table(title, columns, means), table(heading, shapes, map(_shape, detail))]


def _shape(row: dict[str, Any]) -> tuple[str, ...]:
    speeds = (row["flops"] / row[f"{side}_seconds"] / 1e9 for side in SIDES)
    return (
        row["kernel"],
        str(row["batch"]),
        str(row["inputs"] or ""),
        str(row["outputs"]),
        *(f"{speed:.1f}" for speed in speeds),
        f"{row['ratio']:.2f}",
        f"{row['fastmlp_error']:.1f}",
        f"{row['numpy_error']:.1f}",
    )


def accuracy_table(document: dict[str, Any], rows: Sequence[dict[str, Any]]) -> Table:
    """Return the times of the implementations to the target as a table."""
    columns = ("", "reached", "accuracy", "training s", "x fastmlp", "whole process s")
    target = f"{100 * document['settings']['target']:g} %"
    title = f"to {target} test accuracy, mean and deviation over the seeds that reached it"
    lines = [
        (row["name"], row["failure"])
        if row["failure"]
        else (
            row["name"],
            f"{row['reached']} of {row['seeds']}",
            percent(row["accuracy"]),
            _spread(row["training"]),
            "" if isnan(row["ratio"]) else f"{row['ratio']:.2f}",
            _spread(row["process"]),
        )
        for row in rows
    ]
    return table(title, columns, lines)


def _spread(values: Sequence[float]) -> str:
    deviation = f" +- {stdev(values):.2g}" if len(values) > 1 else ""
    return seconds(mean(values)) + deviation if values else ""


def differences_table(differences: Sequence[Difference]) -> Table:
    """Return the differences between two runs as a table, those larger than the noise first."""
    columns = ("", "first s", "second s", "change", "noise", "")
    ordered = sorted(differences, key=lambda one: (not one.is_real, -abs(one.change)))
    verdicts = {True: "slower", False: "faster"}
    rows = [
        (
            one.name,
            seconds(one.first),
            seconds(one.second),
            f"{one.change:+.1%}",
            f"{one.noise:.1%}" if one.noise == one.noise else "unknown",
            verdicts[one.change > 0] if one.is_real else "within the noise" * (one.noise >= 0),
        )
        for one in ordered
    ]
    return table("second run against the first", columns, rows)
