"""How every command ends: an error is one line, and a signal has its exit status."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from fastmlp.errors import FastMLPError
from fastmlp.system.interrupts import Terminated

# The exit status of a program that a signal ended: 128 + its number
EXIT_STATUS = {"interrupted": 130, "terminated": 143}

# What only writing gives: in an error that names no file, it is of what is printed
OF_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


@contextmanager
def _errors_in_one_line() -> Iterator[None]:
    try:
        yield
    except FastMLPError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise
        place = error.filename or ("standard output" if error.errno in OF_WRITING else None)
        said = f"{place}: {error.strerror}" if place and error.strerror else str(error)
        raise click.ClickException(said) from None
    except MemoryError as error:
        raise click.ClickException(f"not enough memory. {error}") from None


class Commands(click.Group):
    """Ends every command in order: an error is one line, and Ctrl-C is exit status 130."""

    def make_context(self, *arguments: Any, **named: Any) -> click.Context:
        """Read a command's arguments; help and the version are printed here."""
        with _errors_in_one_line():
            return super().make_context(*arguments, **named)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command, and end with its exit status."""
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):  # a name it cannot encode must not end the program
                stream.reconfigure(errors="replace")
        try:
            with _errors_in_one_line():
                return super().invoke(ctx)
        except Terminated:
            click.echo("Terminated.", err=True)
            ctx.exit(EXIT_STATUS["terminated"])
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(EXIT_STATUS["interrupted"])
