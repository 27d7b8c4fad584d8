"""The README's table of results, from two benchmark documents."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import isnan
from statistics import mean
from typing import TYPE_CHECKING, Any

from fastmlp.bench.peers import OWN, TITLES
from fastmlp.errors import refuse
from fastmlp.report.bench import barriers_of, seconds
from fastmlp.report.text import microseconds

if TYPE_CHECKING:
    from fastmlp.bench.summary import Row

BEGIN, END = "<!-- results -->\n", "<!-- end of results -->\n"


def results_table(
    epochs: dict[str, Any],
    workloads: Sequence[tuple[str, Sequence[Row]]],
    accuracy: dict[str, Any],
    to_target: Sequence[dict[str, Any]],
) -> str:
    """Return the table as Markdown, with a note on the machine, the trials and the command."""
    names = " | ".join(TITLES.values())
    lines = [
        f"| an epoch, by plain SGD or as named | fastmlp | {names} | barrier, us |",
        "|---|---|" + "---|" * (len(TITLES) + 1),
    ]
    for name, rows in workloads:
        by_name = {row.name: row for row in rows}
        sizes, batch, *words = name.split("/")
        label = ", ".join((shortened(sizes), f"batch {batch}", *words))
        own = f"**{seconds(by_name[OWN].seconds)} s**"
        cells = [own, *(_cell(by_name.get(k)) for k in TITLES), microseconds(barriers_of(rows))]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    target = accuracy["settings"]["target"]
    by_target = {row["name"]: row for row in to_target}
    ours = by_target[OWN]
    cells = [
        "" if (row := by_target.get(k)) is None or isnan(row["ratio"]) else f"{row['ratio']:.1f} x"
        for k in TITLES
    ]
    trials = " of ".join(map(str, dict.fromkeys((ours["reached"], ours["seeds"]))))
    label = f"{100 * target:g}% test accuracy: 784-128-10, batch 32, mean of {trials} seeds"
    own = f"**{seconds(mean(ours['training']))} s**" if ours["training"] else ""
    lines.append(f"| {label} | {own} | {' | '.join(cells)} | |")
    is_full = any("full" in name.split("/") for name, _ in workloads)
    full = "; of full data, those of a minibatch" * is_full
    settings, environment = epochs["settings"], epochs["environment"]
    machine, versions = environment["machine"], environment["versions"]
    named = (*("numpy", "torch", "jax", "tensorflow", "scikit-learn"), "numba", "python")
    software = ", ".join(f"{name} {versions[name]}" for name in named if name in versions)
    lines += [
        "",
        "How many times as long the others take, and in brackets the lowest and highest of "
        f"{_pairs(epochs)} pairs of runs; each run is a process of its own, the sides in turn, "
        f"{settings['epochs']} epochs timed after some that warm up. "
        f"An epoch has 60,000 samples, of MNIST or dense random numbers{full}. "
        "The last column is the time of a barrier, right before and after fastmlp's epochs. "
        f"{machine['processor']}, {settings['threads']} cores, "
        f"{machine['vector_bits']}-bit vectors; {software}. "
        "`scripts/bench --readme` measures it all again and writes this table.",
    ]
    return "\n".join(lines) + "\n"


def shortened(sizes: str) -> str:
    """Return layer sizes with equal neighbours, of three or more, as one: 28-5x300-1."""
    return re.sub(r"\b(\d+)(-\1){2,}\b", lambda m: f"{len(m[0].split('-'))}x{m[1]}", sizes)


def _pairs(epochs: dict[str, Any]) -> str:
    """Return the number of rounds, "3", or "3 to 6" if workloads differ."""
    counts = sorted({len({run["round"] for run in w["runs"]}) for w in epochs["workloads"]})
    return " to ".join(map(str, dict.fromkeys((counts[0], counts[-1]))))


def _cell(row: Row | None) -> str:
    if row is None or row.failure:
        return "" if row is None else row.failure.replace("took more than", "over")
    doubt = "" if row.comparable else ", not comparable"
    low, high = seconds(row.ratio_low), seconds(row.ratio_high)
    return f"{seconds(row.ratio)} x ({low} to {high}){doubt}"


def with_results(readme: str, table: str) -> str:
    """Return the README with the new table between its two markers."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        rule = f"must contain the lines {BEGIN.strip()} and {END.strip()}"
        remedy = "Add them around the table."
        raise refuse("readme", rule, "a text without them", remedy)
    return before + begin + table + end + after
