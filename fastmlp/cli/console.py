"""The console of rich, for which a closed pipe is an error as any other."""

from __future__ import annotations

import errno
import os

import rich.console


class Console(rich.console.Console):
    """A console that does not end Python when its output is closed: a run saves its model first."""

    def on_broken_pipe(self) -> None:
        """Raise the error again; rich raises SystemExit."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
