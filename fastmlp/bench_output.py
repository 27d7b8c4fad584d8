"""Where the result of a bench goes: the screen, and the files of --save, --html, --roofline.

The places are checked before anything is measured. What is saved is saved after each measurement,
so that whatever ends the run leaves what was finished.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from fastmlp import steps
from fastmlp.errors import DataError, refuse
from fastmlp.files import check_writable, read_whole, write_whole
from fastmlp.interrupts import interrupts_held, orderly_end
from fastmlp.screen import Screen

Document = dict[str, Any]
PLACES = ("save", "html", "roofline")
STATUS = """Exit status: 0 when every comparison that was asked for gave a result and all was
written; 1 when one failed or took too long, when an implementation named with --against is not
installed, or when a file could not be written; 130 after Ctrl-C and 143 after SIGTERM, with what
was measured until then shown and saved."""


@dataclass
class View:
    """What is shown of a document: tables, the rows of its charts, and more files to write."""

    tables: Sequence[Any]
    workloads: Sequence[Any] = ()
    files: dict[str, Callable[[], bytes]] = field(default_factory=dict)


class Output:
    """Shows and saves one run: `given` are the command's arguments."""

    def __init__(self, given: dict[str, Any], screen: Screen) -> None:
        self.given, self.screen = given, screen
        self.document: Document | None = None
        self.rescue: Path | None = None
        self.problems: list[str] = []
        check_places(given)
        self.earlier = earlier_run(given)

    def measured(
        self,
        measure: Callable[..., Document],
        line: Callable[[Document], str],
        view: Callable[[Document], View],
    ) -> None:
        """Measure, show and save; then exit with the status that STATUS describes.

        line : returns the line that shows a finished row; view : returns what a document shows
        """
        from fastmlp.bench.summary import failures

        if self.earlier is not None:
            self.screen.say(f"going on with {self.given['save']}")
        with orderly_end():
            try:
                steps.prepared("float32", "compiled", self.screen.say)
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
        if failures(self.document) or absent or self.problems:
            click.get_current_context().exit(1)

    def keep(self, document: Document) -> None:
        """Save what there is, when a measurement is finished.

        An older run under the same name is replaced as soon as there is a result, not before.
        """
        from fastmlp.bench.summary import has_result

        self.document = document
        if self.given["save"] and has_result(document):
            self.save(document)

    def save(self, document: Document) -> None:
        """Write the run to its place; where that fails, to the temporary folder."""
        from fastmlp.report import to_json

        data = (to_json(document) + "\n").encode()
        with interrupts_held():
            try:
                write_whole(self.given["save"], data)
                self.problems = []
                return
            except OSError as error:
                problem = str(error)
            try:
                self.rescue = self.rescue or new_file(self.given["save"])
                write_whole(self.rescue, data)
                problem += f" The run is saved to {self.rescue}."
            except OSError as error:
                problem += f" {error}"
        if self.problems != [problem]:
            self.screen.say(problem, style="bold red")
        self.problems = [problem]

    def deliver(self, document: Document, view: View) -> None:
        """Show the whole of a run, and write all files."""
        from fastmlp import report
        from fastmlp.bench.summary import doubts, has_result

        saves = self.given["save"] and has_result(document)
        if saves:
            self.save(document)
        found = doubts(document)
        self.screen.show({**document, "doubts": found}, *view.tables)
        self.screen.say(*found, style="bold yellow")
        self.screen.say(*report.bench_notes(document))
        if saves and not self.problems:
            self.screen.say(f"run saved to {self.given['save']}")
        if self.given["html"]:
            page = report.page(document, view.tables, found, view.workloads)
            view.files["html"] = page.encode
        for name, data in view.files.items():
            self.write(self.given[name], data())

    def write(self, place: Path, data: bytes) -> None:
        """Write one of the further files, or say why it cannot be written."""
        try:
            write_whole(place, data)
        except OSError as error:
            self.problems.append(str(error))
            self.screen.say(self.problems[-1], style="bold red")
        else:
            self.screen.say(f"report written to {place}")


def check_places(given: dict[str, Any]) -> None:
    """Refuse places that cannot be written, and what cannot be drawn, before the time is spent."""
    places = {name: given[name] for name in PLACES if given.get(name)}
    for place in places.values():
        check_writable(place)
    if len({place.resolve() for place in places.values()}) < len(places):
        names = " and ".join(f"--{name}" for name in places)
        raise refuse(names, "must name different files", "the same", "Name another file.")
    if places.keys() & {"html", "roofline"}:
        from fastmlp.report.charts import figure_class

        figure_class()  # raises MissingExtraError without matplotlib


def earlier_run(given: dict[str, Any]) -> Document | None:
    """Return the run to go on with; None without --resume, and where there is no such file yet."""
    if not given["resume"]:
        return None
    if not given["save"]:
        raise click.UsageError("--resume needs --save, the file to go on from")
    if not given["save"].exists():
        return None
    return read_run(given["save"])


def new_file(like: Path) -> Path:
    """Return a new and empty file in the temporary folder, named like another."""
    handle, name = tempfile.mkstemp(prefix=f"{like.stem}-", suffix=like.suffix)
    open(handle).close()
    return Path(name)


def read_run(path: Path) -> Document:
    """Return a saved run. Raises DataError when the file is something else."""
    from fastmlp.bench.compare import samples

    try:
        document = json.loads(read_whole(path))
        if {"kind", "environment"} <= set(document):
            samples(document)
            return dict(document)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass
    raise DataError(f"{path} is no run that fastmlp bench saved with --save.")
