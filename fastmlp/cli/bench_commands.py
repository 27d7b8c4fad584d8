"""The commands of `fastmlp bench`: epochs, kernels, accuracy, scaling, compare."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import click

from fastmlp.bench.peers import OWN, PEERS, TITLES, implementation
from fastmlp.cli import arguments
from fastmlp.cli.bench_output import STATUS, Output, View, read_run
from fastmlp.cli.screen import Screen
from fastmlp.cli.wording import Command, Summarised


class _Bench(Summarised, click.Group):
    """Reads `fastmlp bench 784-128-10/64` as `fastmlp bench epochs 784-128-10/64`."""

    command_class = Command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ("-h", "--help")):
            args = ["epochs", *args]
        return super().parse_args(ctx, args)


class _Epochs(Command):
    """Its help lists the words of workloads, from a table that is imported only then."""

    may_be_empty = ("against",)  # for no other

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from fastmlp.bench.workload import WORDS

        with formatter.section("Words of a workload, one of a kind at most"):
            formatter.write_dl([(kind, ", ".join(words)) for kind, words in WORDS.items()])
        super().format_epilog(ctx, formatter)


@click.group(cls=_Bench, epilog=STATUS)
def bench() -> None:
    """Compare fastmlp with NumPy and other frameworks.

    Without a command it measures epochs: fastmlp bench 784-128-10/64
    """


@bench.command(cls=_Epochs, epilog=STATUS)
@arguments.BENCH_EPOCHS
def epochs(**given: Any) -> None:
    """Time epochs of training.

    Each implementation runs in its own process, in turn. A workload is plain SGD of ReLU layers
    with softmax, unless words say otherwise: 784-128-10/64/tanh/adam. Without names, the standard
    workloads are measured: six networks on images, from 784-16-16-10/1 to 784-1024-1024-10/512,
    four on dense numbers, such as 28-64-64-2/256/dense, and three with other optimisers.
    """
    from fastmlp import report
    from fastmlp.bench import summary, workload
    from fastmlp.bench.epochs import QUICK, measure_epochs

    quick, output = given["quick"], Output(given)
    names = given["workloads"] or (QUICK if quick else workload.STANDARD)
    measure = partial(
        measure_epochs,
        [workload.parse(name).name for name in names],
        _implementations(given["against"], ("numpy",) if quick else PEERS),
        rounds=given["rounds"] or (2 if quick else 3),
        epochs=given["epochs"] or (2 if quick else 3),
        **_passed(given, "threads", "dataset", "limit"),
    )

    def view(document: dict[str, Any]) -> View:
        peak = document["limits"]["peak_flops"]["all"]
        works = document["workloads"]
        rows = [(each["name"], summary.summarise(each, peak)) for each in works]
        tables = [report.limits_table(document["limits"])]
        for (name, of), work in zip(rows, works, strict=True):
            tables += [*report.epochs_tables(name, of), *report.barriers_tables(work)]
        return View(tables, rows)

    def line(work: dict[str, Any]) -> str:
        return report.epochs_line(work["name"], summary.summarise(work, 1.0))

    output.measure(measure, line, view)


@bench.command(epilog=STATUS)
@arguments.BENCH_KERNELS
def kernels(**given: Any) -> None:
    """Time each kernel, and compare its errors.

    A grid of shapes is measured, against the NumPy reference.
    """
    from fastmlp import report
    from fastmlp.bench.kernel_grid import measure_kernels
    from fastmlp.report.charts import roofline_chart, to_png

    output = Output(given)

    def view(document: dict[str, Any]) -> View:
        tables = [report.limits_table(document["limits"])]
        tables += report.kernels_tables(document, given["every"])
        draw = given["roofline"] and document["rows"]
        files = {"roofline": lambda: to_png(roofline_chart(document))} if draw else {}
        return View(tables, files=files)

    output.measure(
        partial(measure_kernels, threads=given["threads"], rounds=given["rounds"]),
        report.pass_line,
        view,
    )


@bench.command(epilog=STATUS)
@arguments.BENCH_ACCURACY
def accuracy(**given: Any) -> None:
    """Measure the time to a test accuracy.

    All implementations train 784-128-10 with batch 32, for at most six epochs, with a rate that
    rises to 0.5 and falls to 0, over several seeds.
    """
    from fastmlp import report
    from fastmlp.bench.accuracy import measure_accuracy
    from fastmlp.bench.summary import to_target

    output = Output(given)
    measure = partial(
        measure_accuracy,
        _implementations(given["against"], TITLES),
        **_passed(given, "target", "seeds", "threads", "dataset"),
    )

    def view(document: dict[str, Any]) -> View:
        return View([report.accuracy_table(document, to_target(document))])

    output.measure(measure, report.accuracy_line, view)


@bench.command(epilog=STATUS)
@arguments.BENCH_SCALING
def scaling(**given: Any) -> None:
    """Time epochs of fastmlp alone, on 1, 2, 4, ... threads.

    Each team runs in its own process, in turn, and keeps its size. Without names, three workloads
    are measured.
    """
    from fastmlp import report
    from fastmlp.bench import workload
    from fastmlp.bench.epochs import QUICK
    from fastmlp.bench.scaling import measure_scaling, summarise_teams

    output = Output(given)
    measure = partial(
        measure_scaling,
        [workload.parse(name).name for name in given["workloads"] or QUICK],
        **_passed(given, "rounds", "epochs", "threads", "dataset", "limit"),
    )

    def view(document: dict[str, Any]) -> View:
        works = document["workloads"]
        return View([report.scaling_table(work["name"], summarise_teams(work)) for work in works])

    def line(work: dict[str, Any]) -> str:
        return report.scaling_line(work["name"], summarise_teams(work))

    output.measure(measure, line, view)


@bench.command()
@arguments.BENCH_COMPARE
def compare(**given: Any) -> None:
    """Compare two saved runs.

    Shows which differences are larger than the noise of the runs.
    """
    from dataclasses import asdict

    from fastmlp import report
    from fastmlp.bench import compare as runs

    pair, screen = [read_run(given[name]) for name in ("first", "second")], Screen(given["json"])
    found, doubts = runs.compare(*pair), runs.conditions(*pair)
    document = {"differences": [{**asdict(one), "is_real": one.is_real} for one in found]}
    screen.show(document | {"doubts": doubts}, report.differences_table(found))
    screen.say(*doubts, style="bold yellow")


def _passed(given: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return arguments of a command, and the folder, for a function that has them too."""
    return {"folder": given["data_folder"], **{name: given[name] for name in names}}


def _implementations(against: str | None, default: Iterable[str]) -> list[str]:
    """Return fastmlp and the named implementations. Raises ArgumentError for an unknown name."""
    named = default if against is None else against.split(",")
    names = [OWN, *(name.strip() for name in named if name.strip())]
    for name in names:
        implementation(name)
    return list(dict.fromkeys(names))
