"""No command cuts a number or its summary, however narrow the screen is."""

from __future__ import annotations

import re
from pathlib import Path

import click
import numpy as np
import pytest
from command_line import SMALL, run
from test_confusion import drawn
from test_rows import history

from fastmlp.cli import main
from fastmlp.datasets import Dataset
from fastmlp.report import progress_line
from fastmlp.training import Progress

COMMANDS = {
    "train": ("train", *SMALL, "--validation", "0.2"),
    "evaluate": ("evaluate", "some.safetensors", "--backend", "numpy"),
    "predict": ("predict", "some.safetensors", "one.npy"),
    "info": ("info", "784-128-10/64"),
}


@pytest.mark.parametrize("width", [40, 80])
@pytest.mark.parametrize("group", [main, main.commands["bench"]], ids=lambda group: group.name)
def test_help_has_whole_summaries(
    width: int, group: click.Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    text = " ".join(run(*["bench"] * (group is not main), "--help").stdout.split())
    for command in group.commands.values():
        assert " ".join(str(command.help).partition("\n\n")[0].split()) in text


def numbers(text: str) -> list[str]:
    """Return the numbers in a text, without those that a run measures."""
    return re.findall(r"\d+\.\d{4}\b|\d+\.\d\d\b", text)


@pytest.mark.parametrize("name", COMMANDS)
def test_numbers_are_whole_at_any_width(
    name: str, data: Path, model: Path, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save("one.npy", digits.test.images[0])
    Path("some.safetensors").write_bytes(model.read_bytes())
    options = () if name in ("predict", "info") else ("--dataset", data)
    found = {}
    for width in (10, 30, 54, 200):
        monkeypatch.setenv("COLUMNS", str(width))
        found[width] = run(*COMMANDS[name], *options).stdout
        assert "..." not in found[width]
        assert "…" not in found[width]
    wanted = numbers(found.pop(200))
    assert wanted or name == "info"
    for text in found.values():
        assert numbers(text) == wanted


@pytest.mark.parametrize(
    ("width", "parts"), [(14, 1), (20, 1), (26, 2), (40, 3), (60, 6), (200, 6)]
)
def test_the_progress_line_leaves_out_what_does_not_fit(width: int, parts: int) -> None:
    progress = Progress(3, 9, 5, 10, 0.1234, 1.0, 1234567.0, False, history(1))
    lines = drawn(progress_line("mnist", progress), width).splitlines()
    every = ("epoch 3/9", "cost 0.1234", "100.00 %", "mnist", "1,234,567/s")
    assert len(lines) == 1
    assert [part in lines[0] for part in every] == [n < min(parts, 5) for n in range(5)]
