"""The progress line is drawn on a terminal, and not elsewhere."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from command_line import run

from fastmlp.cli.screen import Screen


def test_a_width_of_0_is_one_that_is_not_known(
    data: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "0")
    said = run("evaluate", model, "--dataset", data, "--backend", "numpy").stdout
    assert "test accuracy" in said


def test_the_progress_line_is_drawn_on_a_terminal_alone(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    for as_json in (False, True):
        out, err = Terminal(), Terminal()
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        with Screen(as_json).line() as draw:
            draw("epoch 1 of many")
        assert ("epoch 1 of many" in out.getvalue()) is not as_json
        assert err.getvalue() == ""
