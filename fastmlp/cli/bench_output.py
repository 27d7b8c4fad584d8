"""Show and save the results of a bench: the screen, and the files of --save, --html, --roofline.

The paths are checked before the first measurement. The file of --save is written after each
measurement, so that an interrupted run leaves its finished results.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from fastmlp.cli import steps
from fastmlp.cli.screen import Screen
from fastmlp.errors import DataError, UnwritableError, refuse
from fastmlp.system.files import write_whole
from fastmlp.system.interrupts import hold_interrupts, raise_terminated
from fastmlp.system.reading import read_whole

Document = dict[str, Any]
PATH_OPTIONS = ("save", "html", "roofline")
STATUS = """Exit status: 0 if every comparison has a result and all files were written; 1 if one
failed or took too long, if an implementation named with --against is not installed, or if a file
could not be written; 130 after Ctrl-C and 143 after SIGTERM, after which the finished results are
shown and saved."""


@dataclass
class View:
    """The view of a document: tables, the rows of its charts, and functions that make files."""

    tables: Sequence[Any]
    workloads: Sequence[Any] = ()
    files: dict[str, Callable[[], bytes]] = field(default_factory=dict)


class Output:
    """Shows and saves one run; `given` are the arguments of the command."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.given, self.screen = given, Screen(given["json"])
        self.document: Document | None = None
        self.rescues: dict[str, tuple[Path]] = {}  # where files were written instead
        self.problem = ""
        self.paths = check_paths(given)
        self.earlier = read_earlier_run(given)

    def measure(
        self,
        measure: Callable[..., Document],
        line: Callable[[Document], str],
        view: Callable[[Document], View],
    ) -> None:
        """Measure, show and save; then exit with a status as in STATUS.

        line : returns the line for a finished row; view : returns the view of a document
        """
        from fastmlp.bench.summary import failures

        if self.earlier is not None:
            self.screen.say(f"continuing {self.given['save']}")
        with raise_terminated():
            try:
                steps.prepare_kernels("float32", "compiled", self.screen.say)
                self.document = measure(
                    say=self.screen.say,
                    keep=self.keep,
                    show=lambda row: self.screen.say(line(row)),
                    earlier=self.earlier,
                )
            finally:  # also after Ctrl-C, SIGTERM, and an error in a later row
                if self.document is not None:
                    self.deliver(self.document, view(self.document))
        absent = self.given.get("against") is not None and self.document.get("absent")
        if failures(self.document) or absent or self.problem:
            click.get_current_context().exit(1)

    def keep(self, document: Document) -> None:
        """Save the document after a measurement.

        An older file of the same name is replaced when there is a first result, not before.
        """
        from fastmlp.bench.summary import has_result

        self.document = document
        if self.given["save"] and has_result(document):
            self.save(document)

    def save(self, document: Document) -> None:
        """Write the run; print an error that is not that of the last time."""
        from fastmlp.report import to_json

        problem = self._put("save", (to_json(document) + "\n").encode())
        if problem not in ("", self.problem):
            self.screen.fail(problem)
        self.problem = problem

    def deliver(self, document: Document, view: View) -> None:
        """Show the results of a run, and write all files."""
        from fastmlp import report
        from fastmlp.bench.summary import doubts, has_result

        saves = self.given["save"] and has_result(document)
        if saves:
            self.save(document)
        found = doubts(document)
        self.screen.show({**document, "doubts": found}, *view.tables)
        self.screen.say(*found, style="bold yellow")
        self.screen.say(*report.bench_notes(document))
        if saves and not self.problem:
            self.screen.say(f"run saved to {self.given['save']}")
        if self.given["html"]:
            page = report.page(document, view.tables, found, view.workloads)
            view.files["html"] = page.encode
        for name, data in view.files.items():
            self.write(name, data())

    def write(self, name: str, data: bytes) -> None:
        """Write one of the other files."""
        problem = self._put(name, data)
        if problem:
            self.screen.fail(problem)
            self.problem = self.problem or problem
        else:
            self.screen.say(f"report written to {self.given[name]}")

    def _put(self, name: str, data: bytes) -> str:
        """Write a file to its path; if that fails, to another one. Return the error, or ""."""
        with hold_interrupts():  # so that a file that is written is known
            try:
                others = self.rescues.get(name, ())
                kept = steps.save_file(
                    self.paths[name], lambda path: write_whole(path, data), *others
                )
            except UnwritableError as error:
                return str(error)
            if kept.error:
                self.rescues[name] = (kept.path,)
            return str(kept.error or "")


def check_paths(given: dict[str, Any]) -> dict[str, Path]:
    """Return the absolute paths of the files to write, by the names of their options.

    Raises an error before the measurements if a file cannot be written, or charts cannot be drawn.
    """
    paths = {name: steps.check_path(given[name], name) for name in PATH_OPTIONS if given.get(name)}
    if len({path.resolve() for path in paths.values()}) < len(paths):
        names = " and ".join(f"--{name}" for name in paths)
        raise refuse(names, "must name different files", "the same", "Name another file.")
    if paths.keys() & {"html", "roofline"}:
        from fastmlp.report.charts import figure_class

        figure_class()  # raises MissingExtraError without matplotlib
    if "roofline" in paths and paths["roofline"].suffix.lower() != ".png":
        got = str(given["roofline"])
        raise refuse("roofline", "must name a file that ends with .png", got, "Name such a file.")
    return paths


def read_earlier_run(given: dict[str, Any]) -> Document | None:
    """Return the run to continue; None without --resume, or if its file does not exist yet."""
    if not given["resume"]:
        return None
    if not given["save"]:
        raise click.UsageError("--resume needs --save, the file to continue from")
    if not given["save"].exists():
        return None
    return read_run(given["save"])


def read_run(path: Path, kind: str = "") -> Document:
    """Return a saved run. Raises DataError if the file is not one, or of another kind."""
    from fastmlp.bench.compare import samples

    try:
        document = json.loads(read_whole(path))
        if {"kind", "environment"} <= set(document) and kind in ("", document["kind"]):
            samples(document)
            return dict(document)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass
    command = f"fastmlp bench {kind}".strip()
    raise DataError(f"{path} is not a run that {command} saved with --save.")
