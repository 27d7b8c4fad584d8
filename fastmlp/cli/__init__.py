"""The command line: arguments in, exit status out."""

from fastmlp.cli.commands import main

__all__ = ["main"]
