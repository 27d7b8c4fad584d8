"""The command line: arguments in, exit status out. The only place that prints.

What takes time to import is imported by the command that needs it: help answers at once.
"""

from __future__ import annotations

import errno
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fastmlp import __version__, arguments, steps
from fastmlp.errors import FastMLPError

if TYPE_CHECKING:
    from fastmlp.datasets import Dataset

INTERRUPTED = 130  # the exit status of a program that Ctrl-C ended: 128 + SIGINT
REDRAW_SECONDS = 0.05


class _Commands(click.Group):
    """Ends every command in order: an error is one line, and Ctrl-C is exit status 130."""

    def invoke(self, ctx: click.Context) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):  # a name it cannot encode must not end the program
                stream.reconfigure(errors="replace")
        try:
            return super().invoke(ctx)
        except FastMLPError as error:
            raise click.ClickException(str(error)) from None
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            place = f"{error.filename}: " if error.filename else ""
            raise click.ClickException(f"{place}{error.strerror or error}") from None
        except MemoryError as error:
            raise click.ClickException(f"not enough memory. {error}") from None
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(INTERRUPTED)


class _Screen:
    """Standard output for people: lines and tables. With --json it is kept for the document."""

    def __init__(self, as_json: bool) -> None:
        from rich.console import Console

        file = sys.stderr if as_json else sys.stdout
        self.console = Console(file=file, highlight=False, markup=False, emoji=False)
        self.as_json, self.name = as_json, ""
        self.live = not as_json and self.console.is_interactive and sys.stdout.isatty()
        self.ascii_only = self.console.options.ascii_only

    def say(self, *lines: str, style: str | None = None) -> None:
        """Print lines, each of which begins with the data set's name once there is one."""
        prefix = f"{self.name}: " if self.name else ""
        for line in lines:
            self.console.print(prefix + line, style=style, soft_wrap=not self.console.is_terminal)

    def show(self, document: dict[str, Any], *tables: Any) -> None:
        """Print the tables between empty lines, or the document in their stead."""
        from fastmlp.report import to_json

        if self.as_json:
            click.echo(to_json(document))
            return
        self.console.print()
        for table in tables:
            self.console.print(table)
            self.console.print()

    def data(self, given: dict[str, Any]) -> Dataset:
        """Load the data set that the arguments ask for, and name it in every line from here on."""
        from fastmlp.report import dataset_lines

        with self.line() as draw:
            data = steps.found(given, self.say, draw)
        self.name = data.name
        self.say(*dataset_lines(data))
        return data

    @contextmanager
    def line(self) -> Iterator[Callable[[Any], None]]:
        """Give a function that redraws one line of a terminal; the line is gone at the end."""
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


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="fastmlp")
def main() -> None:
    """Train multi-layer perceptrons on a CPU as fast as the machine can."""


@main.command()
@arguments.TRAIN
def train(**given: Any) -> None:
    """Train a network and save it.

    Without options it reaches 98 % on MNIST. Where MNIST cannot be had it trains on digits,
    which are generated, and says so. Ctrl-C saves the network as it is then.
    """
    from fastmlp import report

    arguments.check_together(given)
    screen = _Screen(given["json"])
    data = screen.data(given)
    model = given["model"] or Path(f"{data.name or 'model'}.safetensors")
    steps.check_place(model)
    network = steps.built(data, given, screen.say)
    seconds = steps.prepared(network.dtype, given["backend"], screen.say)
    with screen.line() as draw:
        history = steps.trained(network, data, given, draw)
    network.save(model)
    interrupted, test = history.stopped == "interrupted", None
    if not interrupted:
        test = network.evaluate(data.test.images, data.test.labels, given["backend"])
    settings = {name: given[name] for name in (*steps.TRAINED, "validation")}
    document = report.training_document(data, network, settings, history, test, seconds, model)
    screen.show(document, report.training_table(data.name, history, test))
    screen.say(*report.training_summary(history, test, seconds), f"model saved to {model}")
    if interrupted:
        click.get_current_context().exit(INTERRUPTED)


@main.command()
@arguments.EVALUATE
def evaluate(**given: Any) -> None:
    """Test a saved MODEL, class by class.

    Without --dataset it is tested on the data set that its file is named after, or MNIST.
    """
    from fastmlp import report
    from fastmlp.network import Network

    screen, network = _Screen(given["json"]), Network.load(given["model"])
    data = screen.data({**given, "dataset": given["dataset"] or steps.namesake(given["model"])})
    screen.say(report.network_line(network))
    steps.prepared(network.dtype, given["backend"], screen.say)
    images, labels = data.test.images, data.test.labels
    result = network.evaluate(images, labels, given["backend"])
    classes = max(network.sizes[-1], 2)
    answers = network.predict(images, given["backend"])
    matrix = report.confusion_matrix(answers, labels, classes)
    names = report.class_names(network.class_names or data.class_names, classes)
    document = report.evaluation_document(data, network, result, matrix, names, given["model"])
    screen.show(document, *report.confusion_tables(matrix, names, screen.console.width))
    screen.say(report.evaluation_line(result, matrix))


@main.command()
@arguments.PREDICT
def predict(**given: Any) -> None:
    """Tell what an IMAGE shows.

    A saved MODEL answers for an IDX, .npy, .png or .jpg file.
    """
    from fastmlp import report
    from fastmlp.datasets.picture import read_pictures
    from fastmlp.network import Network

    screen, network = _Screen(given["json"]), Network.load(given["model"])
    pictures = read_pictures(given["image"], network.sizes[0])
    first = given["index"]
    images = steps.chosen(pictures.images, first, given["count"])
    steps.prepared(network.dtype, given["backend"], screen.say)
    outputs = network.predict_proba(images, given["backend"]).reshape(len(images), -1)
    answers = report.predictions(network, images, outputs, first)
    screen.say(*pictures.notes)
    document = report.prediction_document(answers, pictures.notes, given["model"], given["image"])
    screen.show(document, *(report.prediction_view(one, screen.ascii_only) for one in answers))


@main.command()
@arguments.FIND_LEARNING_RATE
def find_learning_rate(**given: Any) -> None:
    """Find a learning rate by halving.

    A high rate is halved until training on some of the images lowers their cost.
    """
    from fastmlp import report, training

    arguments.check_together(given)
    screen = _Screen(given["json"])
    data = screen.data(given)
    network = steps.built(data, given, screen.say)
    steps.prepared(network.dtype, given["backend"], screen.say)
    probes: list[tuple[float, float, float]] = []

    def tell(rate: float, before: float, after: float) -> None:
        probes.append((rate, before, after))
        screen.say(report.probe_line(rate, before, after))

    settings = {name: given[name] for name in steps.SEARCHED}
    rate = training.find_learning_rate(network, data.train, on_probe=tell, **settings)
    screen.show(report.search_document(data, network, settings, probes, rate))
    screen.say(f"learning rate {rate:g}; fastmlp train --learning-rate {rate:g} begins with it")


@main.command()
@arguments.WARMUP
def warmup(**given: Any) -> None:
    """Compile the kernels ahead, so that the first training does not have to."""
    screen = _Screen(given["json"])
    seconds = steps.prepared(given["dtype"], "compiled", screen.say)
    if given["json"]:
        screen.show({"dtype": given["dtype"], "compile_seconds": seconds})
    screen.say(f"kernels for {given['dtype']} are ready: {seconds:.2f} s")


@main.command()
@arguments.INFO
def info(**given: Any) -> None:
    """Show what this machine offers.

    Processor, vectors, threads and what limits them, versions, and the place of the cache.
    """
    from fastmlp import report
    from fastmlp.machine import describe_machine

    machine = describe_machine()
    _Screen(given["json"]).show(asdict(machine), report.machine_table(machine))


if __name__ == "__main__":
    main(prog_name="fastmlp")
