"""Processes of this Python that share a piece of work, and then end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from time import monotonic

# A worker that takes longer hangs, and is ended
MOST_SECONDS = 600.0


def run_workers(count: int, statement: str, variables: Mapping[str, str]) -> None:
    """Run a Python statement in `count` new processes at once, and wait until they have ended.

    They find the modules that this process finds, and have its environment with other variables;
    what they print is lost. A program that only contains Python starts none, as it would start
    itself again; nor does one that is forbidden to. If it is interrupted, the workers are ended.
    """
    if getattr(sys, "frozen", False) or not Path(sys.executable or "").stem.startswith("python"):
        return
    line = f"import sys; sys.path[:] = {[*map(str, sys.path)]!r}; {statement}"
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    command = [sys.executable, *flags, "-c", line]
    environment, end = os.environ | variables, monotonic() + MOST_SECONDS
    workers: list[subprocess.Popen[bytes]] = []
    try:
        with suppress(Exception):  # of an audit hook, any
            for _ in range(count):
                workers.append(_start(command, environment))
            for worker in workers:
                worker.wait(max(0.0, end - monotonic()))
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


def _start(command: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a process that has no terminal, nor a window; Ctrl-C reaches its parent alone."""
    nowhere, no_window = subprocess.DEVNULL, getattr(subprocess, "CREATE_NO_WINDOW", 0)
    return subprocess.Popen(
        command,
        env=environment,
        stdin=nowhere,
        stdout=nowhere,
        stderr=nowhere,
        creationflags=no_window,
        process_group=0,
    )
