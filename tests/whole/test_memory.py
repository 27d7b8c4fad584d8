"""No kernel reads or writes outside its arrays: each ends, or begins, at an unreadable page."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("fenced_kernels.py")
CASES = os.environ.get("FASTMLP_FENCED", "400")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="mprotect is called through libc")


def guarded(where, what):
    return subprocess.run(
        [sys.executable, "-W", "ignore", PROGRAM, where, what, CASES],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize("what", ["verify", "edges"])
@pytest.mark.parametrize("where", ["before", "behind"])
def test_no_kernel_leaves_its_arrays(where, what):
    done = guarded(where, what)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == "inside\n"


@pytest.mark.parametrize("where", ["before", "behind"])
def test_a_step_outside_would_be_a_fault(where):
    assert guarded(where, "fault").returncode == -11
