"""Answers for many rows or pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fastmlp import Network
from fastmlp.cli.answers import answer
from fastmlp.cli.screen import Screen


def test_a_file_whose_name_is_no_text_has_the_same_name_among_the_answers(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    given = {"output": path, "probabilities": False, "index": 0, "count": None, "json": False}
    given |= {"backend": "numpy", "model": Path("m"), "image": Path("photos")}
    name = b"\xe4.png".decode(errors="surrogateescape")  # as Python reads it from a folder
    answer(Network((3, 2)), np.ones((1, 3)), [name], given, Screen(False))
    assert path.read_bytes().splitlines()[1].startswith(b"\xe4.png,")
