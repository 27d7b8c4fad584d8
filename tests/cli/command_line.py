"""Runs commands of fastmlp in this process, and reads what they print."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner, Result

from fastmlp.cli import main

SMALL = ("--backend", "numpy", "--hidden-layers", "24", "--epochs", "3")


def run(*arguments: object, status: int = 0) -> Result:
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == status, result.output
    return result


def document(*arguments: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*arguments, "--json").stdout)
    return found


def error(*arguments: object, status: int = 1) -> str:
    """Return the one line on standard error of a command that fails."""
    result = run(*arguments, status=status)
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert lines[-1].startswith("Error: ")
    assert "Traceback" not in result.stderr
    assert status == 2 or len(lines) == 1
    return lines[-1]
