"""The end of each command: an error is printed in one line, and a signal has its exit status."""

from __future__ import annotations

import errno
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from fastmlp.cli.wording import Command
from fastmlp.errors import FastMLPError
from fastmlp.system.interrupts import Terminated

# The exit status after a signal: 128 + its number
EXIT_STATUS = {"interrupted": 130, "terminated": 143}

# The exit status of a run that has not learnt, with --strict
NOT_LEARNT = 3

# Errors of writing: if such an error has no file name, it is of standard output
OF_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


@contextmanager
def errors_in_one_line() -> Iterator[None]:
    """Turn errors of this package and of the system into errors of click, which it prints."""
    try:
        yield
    except FastMLPError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise
        name = error.filename or ("standard output" if error.errno in OF_WRITING else None)
        said = f"{name}: {error.strerror}" if name and error.strerror else str(error)
        if not name and not _has_working_folder():
            said = "the working folder was deleted. Change to another one."
        raise click.ClickException(said) from None
    except MemoryError as error:
        raise click.ClickException(f"not enough memory. {error}") from None


def _has_working_folder() -> bool:
    """Return whether the working folder exists."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return False
    return True


def _warn_in_one_line(message: Warning | str, *_: Any, **__: Any) -> None:
    click.echo(f"Warning: {' '.join(str(message).split())}", err=True)


class Commands(click.Group):
    """The group of all commands; prints errors in one line, and exits with 130 after Ctrl-C."""

    command_class = Command

    def make_context(self, *arguments: Any, **named: Any) -> click.Context:
        """Read the arguments of a command; this also prints help and the version."""
        with errors_in_one_line():
            return super().make_context(*arguments, **named)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command, and end with its exit status."""
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if stream is None:  # it is closed, and a file that is opened would take its place
                setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
            elif hasattr(stream, "reconfigure"):  # characters it cannot encode are printed as "?"
                stream.reconfigure(errors="replace")
        try:
            with errors_in_one_line(), warnings.catch_warnings():
                warnings.showwarning = _warn_in_one_line
                return super().invoke(ctx)
        except Terminated:
            click.echo("Terminated.", err=True)
            ctx.exit(EXIT_STATUS["terminated"])
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(EXIT_STATUS["interrupted"])
