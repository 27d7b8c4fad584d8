"""The output of the command line: lines and tables for people, or one JSON document."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from fastmlp.cli import steps
from fastmlp.cli.wording import as_options

if TYPE_CHECKING:
    from rich.table import Table

    from fastmlp.datasets import Dataset

REDRAW_SECONDS = 0.05
UNKNOWN_WIDTH = 80


class Screen:
    """Prints lines and tables to standard output, or with --json to standard error.

    With --json, standard output contains only the document.
    """

    def __init__(self, as_json: bool) -> None:
        from fastmlp.cli.console import Console

        file = sys.stderr if as_json else sys.stdout
        self.console = Console(file=file, highlight=False, markup=False, emoji=False)
        if not self.console.width:  # COLUMNS=0, where a shell does not know it
            self.console.width = UNKNOWN_WIDTH
        self.as_json, self.name = as_json, ""
        self.live = not as_json and self.console.is_interactive and sys.stdout.isatty()
        self.ascii_only = self.console.options.ascii_only

    def say(self, *lines: str, style: str | None = None) -> None:
        """Print lines, each after the name of the data set, once it is loaded."""
        prefix = f"{self.name}: " if self.name else ""
        for line in lines:
            self.console.print(prefix + line, style=style, soft_wrap=not self.console.is_terminal)

    def show(self, document: dict[str, Any], *tables: Table) -> None:
        """Print the tables between empty lines, or with --json only the document.

        A table that would be cut is printed wider than the screen.
        """
        from fastmlp.report import fitted, to_json

        if self.as_json:
            click.echo(to_json(document))
            return
        self.console.print()
        for table in tables:
            width = self.console.width
            narrow, self.console.width = fitted(self.console, table)
            self.console.print(narrow)
            self.console.width = width
            self.console.print()

    def row(self, line: str, style: str | None = None) -> None:
        """Print a line of a table at once, as wide as it is."""
        self.console.print(line, style=style, soft_wrap=True)

    def fail(self, message: str, kind: str = "Error") -> None:
        """Print an error or a warning to standard error; the command continues."""
        command = click.get_current_context().command
        click.echo(f"{kind}: {as_options(message, command.params)}", err=True)

    def data(self, given: dict[str, Any]) -> Dataset:
        """Load the data set of the arguments; all later lines start with its name."""
        from fastmlp.report import dataset_lines

        with self.line() as draw:
            data = steps.find_data(given, self.say, draw)
        self.name, params = data.name, click.get_current_context().command.params
        data = replace(data, notes=tuple(as_options(note, params) for note in data.notes))
        for line in dataset_lines(data):
            self.say(line, style="bold" if line.startswith("to predict: ") else None)
        return data

    @contextmanager
    def line(self) -> Iterator[Callable[[Any], None]]:
        """Yield a function that redraws one line of the terminal; at the end the line is deleted.

        If the output is not a terminal, the function does nothing.
        """
        if not self.live:
            yield lambda _: None
            return
        from rich.live import Live

        drawn = 0.0
        with Live(console=self.console, auto_refresh=False, transient=True) as live:

            def draw(renderable: Any) -> None:
                nonlocal drawn
                if time.monotonic() - drawn > REDRAW_SECONDS:
                    live.update(renderable, refresh=True)
                    drawn = time.monotonic()

            yield draw
