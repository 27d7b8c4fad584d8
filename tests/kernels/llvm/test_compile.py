"""The cache of machine code: kept between processes, and never older than the source."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import pytest

import fastmlp
from fastmlp.kernels.llvm.compile import jit
from fastmlp.system import code_folder as folder

CALLEE = """
from fastmlp.kernels.llvm.compile import jit

@jit
def answer(x):
    return x + {number}
"""
CALLER = """
from __future__ import annotations
from fastmlp.kernels.llvm.compile import shared
from fastmlp.kernels.memory.records import numbers_at
from fastmlp.kernels.probe_callee import answer

@shared
def ask(target, x: float):
    numbers_at(target, 1, x)[0] = answer(x)
"""

ASK = """
import numba
import numpy as np
import fastmlp.kernels.probe
from fastmlp.kernels.llvm.compile import Shared

kernel, found = Shared.by_name["ask"], np.zeros(1)
hits = int(kernel.kept(numba.float64) is not None)
kernel.compile(numba.float64)
kernel.compiled[found.dtype](found.ctypes.data, 0.0)
print(found[0], hits)
"""


@pytest.fixture
def package(tmp_path):
    """A copy of the package whose kernels may be edited."""
    compiled = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(fastmlp.__file__).parent, tmp_path / "fastmlp", ignore=compiled)
    return tmp_path


def ask(package, number, **environment):
    kernels = package / "fastmlp" / "kernels"
    (kernels / "probe_callee.py").write_text(CALLEE.format(number=number))
    (kernels / "probe.py").write_text(CALLER)
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=package,
        # Python's own cache does not notice an edit that keeps a file's size and its second
        env=os.environ
        | {"FASTMLP_CACHE": str(package / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
        | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    value, hits = done.stdout.split()
    return float(value), int(hits), done.stderr


def test_an_edited_callee_is_never_answered_from_the_cache(package):
    assert ask(package, 1)[:2] == (1, 0)
    assert ask(package, 1)[:2] == (1, 1)
    assert ask(package, 2)[:2] == (2, 0)


def test_other_compile_settings_use_another_cache(package):
    assert ask(package, 1)[:2] == (1, 0)
    assert ask(package, 1, NUMBA_OPT="0")[:2] == (1, 0)
    assert ask(package, 1, NUMBA_NUM_THREADS="1")[:2] == (1, 1)


def test_a_cache_that_cannot_be_written_is_said_once_and_done_without(package):
    (package / "cache").write_text("a file where the folder should be")
    value, hits, messages = ask(package, 3)
    assert (value, hits) == (3, 0)
    assert messages.count("compiled kernels are not kept") == 1
    assert "set FASTMLP_CACHE to a folder that can be written" in messages


def test_the_salt_knows_every_source_of_the_kernels(monkeypatch):
    before = folder._salt()
    assert before == folder._salt()
    read = Path.read_bytes
    for name in ("emitter.py", "forward.py", "activations.py", "phases.py"):
        monkeypatch.setattr(
            Path, "read_bytes", lambda self, name=name: read(self) + b"#" * (self.name == name)
        )
        assert folder._salt() != before


def test_a_function_is_compiled_once_for_all_constants():
    @jit
    def twice(x):
        return x + x

    @numba.njit
    def both(y):
        return twice(1) + twice(2) + twice(y)

    assert both(3) == 12
    assert len(twice.overloads) == 1
