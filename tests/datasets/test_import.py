"""Importing the data sets loads nothing that only a download or the compiler needs."""

from __future__ import annotations

import subprocess
import sys


def test_importing_the_package_is_light() -> None:
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]; import fastmlp.datasets;"
        "heavy = {'numba', 'pooch', 'requests', 'platformdirs', 'rich', 'concurrent.futures'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, *sys.path]
    out = subprocess.run(command, capture_output=True, text=True, check=True)
    assert out.stdout == "[]\n"
