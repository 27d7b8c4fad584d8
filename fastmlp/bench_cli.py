"""The commands of `fastmlp bench`: measure epochs, kernels, time to an accuracy; compare runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from fastmlp import arguments, steps
from fastmlp.errors import DataError
from fastmlp.screen import Screen

ALL = "numpy,torch,torch-compile,torch-dataloader,jax,sklearn"


class _Bench(click.Group):
    """Takes `fastmlp bench 784-128-10/64` for `fastmlp bench epochs 784-128-10/64`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ("-h", "--help")):
            args = ["epochs", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Bench)
def bench() -> None:
    """Measure epochs, kernels and machine, against NumPy and the frameworks installed.

    Without a command it measures epochs: fastmlp bench 784-128-10/64
    """


@bench.command()
@arguments.BENCH_EPOCHS
def epochs(**given: Any) -> None:
    """Time epochs of plain SGD, each implementation in a process of its own, in turn.

    Without names, the seven workloads from 784-16-16-10/1 to 784-1024-1024-10/512.
    """
    from fastmlp import report
    from fastmlp.bench import summary, workload
    from fastmlp.bench.epochs import QUICK, measure_epochs

    screen, against = Screen(given["json"]), given["against"] or ALL
    rounds, timed, names = given["rounds"], given["epochs"], given["workloads"] or workload.SEVEN
    if given["quick"]:
        against, rounds, timed, names = "numpy", 2, 2, given["workloads"] or QUICK
    names = [workload.named(name).name for name in names]
    steps.prepared("float32", "compiled", screen.say)
    document = measure_epochs(
        names,
        _implementations(against),
        rounds=rounds,
        epochs=timed,
        threads=given["threads"],
        dataset=given["dataset"],
        folder=given["data_folder"],
        limit=given["limit"],
        say=screen.say,
    )
    peak = document["limits"]["peak_flops"]["all"]
    rows = [(each["name"], summary.summarise(each, peak)) for each in document["workloads"]]
    tables = [report.limits_table(document["limits"])]
    tables += [table for name, of in rows for table in report.epochs_tables(name, of)]
    doubts = summary.doubts(document)
    _deliver(screen, given, document, tables, doubts, rows)
    if document["absent"]:
        screen.say(f"not installed, so not measured: {', '.join(document['absent'])}")


@bench.command()
@arguments.BENCH_KERNELS
def kernels(**given: Any) -> None:
    """Time every kernel over a grid of shapes against the NumPy reference, and compare errors."""
    from fastmlp import report
    from fastmlp.bench.kernel_grid import measure_kernels
    from fastmlp.bench.summary import doubts

    screen = Screen(given["json"])
    steps.prepared("float32", "compiled", screen.say)
    document = measure_kernels(threads=given["threads"], say=screen.say)
    tables = [report.limits_table(document["limits"])]
    tables += report.kernels_tables(document, given["every"])
    if given["roofline"]:
        from fastmlp.report.charts import roofline_chart, to_png

        given["roofline"].write_bytes(to_png(roofline_chart(document)))
        screen.say(f"roofline drawn to {given['roofline']}")
    _deliver(screen, given, document, tables, doubts(document))


@bench.command()
@arguments.BENCH_ACCURACY
def accuracy(**given: Any) -> None:
    """Time to a test accuracy, with the same recipe for all, over some seeds.

    784-128-10, batch 32, at most six epochs, a rate that rises to 0.5 and falls to 0.
    """
    from fastmlp import report
    from fastmlp.bench.accuracy import measure_accuracy
    from fastmlp.bench.summary import doubts, to_target

    screen = Screen(given["json"])
    steps.prepared("float32", "compiled", screen.say)
    document = measure_accuracy(
        _implementations(given["against"] or "numpy,torch,jax,sklearn"),
        target=given["target"],
        seeds=given["seeds"],
        threads=given["threads"],
        dataset=given["dataset"],
        folder=given["data_folder"],
        say=screen.say,
    )
    tables = [report.accuracy_table(document, to_target(document))]
    _deliver(screen, given, document, tables, doubts(document))
    if document["absent"]:
        screen.say(f"not installed, so not measured: {', '.join(document['absent'])}")


@bench.command()
@arguments.BENCH_COMPARE
def compare(**given: Any) -> None:
    """Tell which differences between two saved runs are larger than their noise."""
    from dataclasses import asdict

    from fastmlp import report
    from fastmlp.bench.compare import compare as differences

    found = differences(*(read_run(given[name]) for name in ("first", "second")))
    document = {"differences": [{**asdict(one), "is_real": one.is_real} for one in found]}
    Screen(given["json"]).show(document, report.differences_table(found))


def read_run(path: Path) -> dict[str, Any]:
    """Return a saved run. Raises DataError when the file is something else."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if {"kind", "environment"} <= set(document):
            return dict(document)
    except (ValueError, TypeError):
        pass
    raise DataError(f"{path} is no run that fastmlp bench saved with --save.")


def _implementations(against: str) -> list[str]:
    """Return fastmlp and those named, which are checked."""
    from fastmlp.bench.peers import implementation

    names = ["fastmlp", *(name.strip() for name in against.split(",") if name.strip())]
    for name in names:
        implementation(name)
    return list(dict.fromkeys(names))


def _deliver(
    screen: Screen,
    given: dict[str, Any],
    document: dict[str, Any],
    tables: Sequence[Any],
    doubts: Sequence[str],
    workloads: Sequence[Any] = (),
) -> None:
    """Show a run, and save it where that was asked for."""
    from fastmlp import report

    if given["save"]:
        given["save"].write_text(report.to_json(document) + "\n", encoding="utf-8")
    screen.show({**document, "doubts": list(doubts)}, *tables)
    for doubt in doubts:
        screen.say(doubt, style="bold yellow")
    if given["save"]:
        screen.say(f"run saved to {given['save']}")
    if given["html"]:
        text = report.page(document, tables, doubts, workloads)
        given["html"].write_text(text, encoding="utf-8")
        screen.say(f"report written to {given['html']}")
