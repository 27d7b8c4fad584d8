"""The kernels with the lowest versions that pyproject.toml allows, and with narrow vectors.

A sample of the kernels' tests is run again: compiling and all cases would take many minutes.
"""

from pathlib import Path

import pytest

from fastmlp.kernels.llvm.emitter import WIDEST

pytestmark = pytest.mark.install
ROOT = Path(__file__).parents[2]


def test_the_kernels_are_right_with_the_lowest_versions(lowest):
    where = "import fastmlp; print(fastmlp.__file__)"
    found = lowest.run("python", "-P", "-c", where, folder=ROOT)
    assert found.stdout.startswith(str(lowest.bin.parent)), found.stdout + found.stderr
    done = lowest.run(
        *("python", "-P", "-m", "pytest", "-p", "no:cacheprovider"),
        *("tests/kernels", "--every", "7"),
        folder=ROOT,
        seconds=900,
    )
    assert done.returncode == 0, done.stdout[-4000:]


@pytest.mark.parametrize("vector_bytes", [n for n in (16, 32) if n < WIDEST])
def test_the_kernels_are_right_with_narrow_vectors(lowest, vector_bytes):
    done = lowest.run(
        *("python", "-P", "-m", "pytest", "-p", "no:cacheprovider"),
        *(
            "tests/kernels/test_twins.py",
            "tests/kernels/loops",
            "tests/kernels/step",
            "tests/functions",
            *("--every", "7"),
        ),
        folder=ROOT,
        seconds=900,
        FASTMLP_VECTOR_BYTES=str(vector_bytes),
    )
    assert done.returncode == 0, done.stdout[-4000:]
