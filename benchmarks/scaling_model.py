"""Predict how fast a training step is on 2 to 64 cores, from its times with 1 and 2 threads.

python benchmarks/scaling_model.py --measure run.json
python benchmarks/scaling_model.py --from run.json --figure benchmarks/scaling.svg

The model is in step_model.py. Any run that `fastmlp bench scaling --save` saved can be read.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import click
from step_model import HIGH, LOW, TEAMS, Model, Row, terms

from fastmlp.bench.scaling import measure_scaling, summarise_teams
from fastmlp.bench.workload import PLAIN, parse
from fastmlp.cli.bench_output import read_run
from fastmlp.cli.group import errors_in_one_line
from fastmlp.cli.screen import Screen
from fastmlp.report import to_json
from fastmlp.report.bench import table
from fastmlp.report.charts import figure, to_svg
from fastmlp.system.files import write_whole

SAVED = click.Path(exists=True, dir_okay=False, path_type=Path)
SOCKETS = {1: "one socket", 2: "two sockets"}
# Times of two threads that were measured again and again differ by about so much
SPREAD = 0.03


def model_of(document: dict[str, Any]) -> Model:
    """Return the model of a saved run of `fastmlp bench scaling`; other teams are not used."""
    rows, found = [], []
    for each in document["workloads"]:
        teams = {team.threads: team for team in summarise_teams(each) if not team.failure}
        if {1, 2} <= teams.keys():
            work, found = parse(each["name"]), [*found, *teams[2].barriers]
            steps = -(-each["samples"] // work.batch_size)
            skipped = each["flops_per_sample"] - each["executed_flops_per_sample"]
            nonzero = 1 - skipped / (4 * work.sizes[0] * work.sizes[1])
            rows.append(Row(work, *(teams[n].seconds / steps for n in (1, 2)), nonzero))
    if not found:
        raise click.ClickException("the run has no workload with 1 and 2 threads")
    return Model(tuple(rows), median(found))


def fit_table(model: Model) -> Any:
    """Return a table of the measured steps, of R, and of what the predictions depend on.

    model : a step of two members; more than measured where R would be below 0
    c : how many times as fast the best team is on one socket, with the highest and lowest costs
    SPREAD : and if two threads had taken so much longer, or less
    """
    costs = model.costs(not model.is_near)
    ends = [replace(model, end=end) for end in (HIGH, LOW)]
    cells = []
    for row in model.rows:
        own = model.repeated(row)
        times = row.one, row.two, sum(terms(row, own, 2, costs).values())
        around = [replace(row, two=row.two * (1 + sign * SPREAD)) for sign in (1, -1)]
        bests = [
            "-".join(f"{max(each.speed_ups(of, 1)):.1f}" for each, of in pairs)
            for pairs in ([(end, row) for end in ends], [(model, of) for of in around])
        ]
        shown = (f"{seconds * 1e6:.1f}" for seconds in times)
        cells.append((row.work.name, *shown, f"{own / row.one:.0%}", *bests))
    where = "near" if model.is_near else "far"
    title = f"microseconds of a step; cores were {where}: a barrier took {model.barrier * 1e6:.2f}"
    columns = ("", "1", "2", "model", "R", "c", f"2 by {SPREAD:.0%}")
    return table(title, columns, cells)


def speed_table(model: Model, sockets: int) -> Any:
    """Return a table of the speed-ups of all teams, the best team, and what limits 64 members."""
    cells = []
    for row in model.rows:
        found = model.speed_ups(row, sockets)
        best, shown = TEAMS[found.index(max(found))], (f"{value:.1f}" for value in found[1:])
        cells.append((row.work.name, *shown, str(best), model.limit(row, sockets)))
    columns = ("", *map(str, TEAMS[1:]), "best", "limit")
    repeats = "" if model.repeats else ", nothing repeated"
    return table(f"times as fast as one thread, {SOCKETS[sockets]}{repeats}", columns, cells)


def chart(model: Model) -> Any:
    """Return a figure of the speed-ups, with a panel for each number of sockets.

    Dotted lines: if members repeated nothing.
    """
    drawn = figure(9, 4.2)
    panels = drawn.subplots(1, len(SOCKETS), sharey=True)
    for (sockets, title), axes in zip(SOCKETS.items(), panels, strict=True):
        axes.plot(TEAMS, TEAMS, color="#bbbbbb", lw=0.8)
        for row in model.rows:
            label = row.work.name if sockets == 1 else None
            (line,) = axes.plot(TEAMS, model.speed_ups(row, sockets), marker="o", ms=3, label=label)
            most = replace(model, repeats=False).speed_ups(row, sockets)
            axes.plot(TEAMS, most, color=line.get_color(), ls=":", lw=1)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log", base=2)
        axes.set(xlabel="members of the team", ylim=(0.25, TEAMS[-1]))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter("{x:g}")
        axes.set_title(title, loc="left", size=10)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("times as fast as one thread")
    drawn.legend(loc="outside right upper", fontsize=8, frameon=False)
    return drawn


@click.command(help=__doc__)
@click.option("--measure", type=click.Path(path_type=Path), help="Measure, and save the run.")
@click.option("--from", "saved", type=SAVED, help="Use a saved run.")
@click.option("--figure", "drawing", type=click.Path(path_type=Path), help="Write an SVG.")
@click.option("--tree", is_flag=True, help="As if barriers were trees.")
@click.option("--rounds", default=1, show_default=True)
@click.option("--epochs", default=3, show_default=True)
@errors_in_one_line()
def main(
    measure: Path | None, saved: Path | None, drawing: Path | None, tree: bool, **given: int
) -> None:
    """Measure or read a run, print the predictions, and draw them."""
    if measure:

        def keep(run: dict[str, Any]) -> None:
            write_whole(measure, (to_json(run) + "\n").encode())

        measure_scaling(PLAIN, threads=2, say=click.echo, keep=keep, **given)
    elif not saved:
        raise click.UsageError("pass --measure or --from")
    model = replace(model_of(read_run(saved or measure, "scaling")), tree=tree)
    cases = [(model, 1), (model, 2), (replace(model, repeats=False), 1)]
    Screen(False).show({}, fit_table(model), *(speed_table(*case) for case in cases))
    if drawing:
        import matplotlib

        # text as text, and the same names in each run
        with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": drawing.name}):
            write_whole(drawing, to_svg(chart(model)).encode())


if __name__ == "__main__":
    main()
