"""`fastmlp bench` with processes that run fake_child.py: nothing is compiled or measured.

`python fake_bench.py ARGUMENTS` runs it in a new process; `install` replaces it in this one.
"""

import sys
from pathlib import Path

from fastmlp.bench import processes, record
from fastmlp.cli import steps

LIMITS = {
    "threads": 1,
    "peak_flops": {"one": 1e11, "all": 1e11},
    "bytes_per_second": {"L1": {"one": 2e11, "all": 2e11}},
    "meeting_seconds": 0.0,
    "region_seconds": 0.0,
}
CHILD = Path(__file__).with_name("fake_child.py")


def install(replace=setattr):
    replace(processes, "COMMAND", (sys.executable, "-W", "ignore", str(CHILD)))
    replace(record, "measure_limits", lambda threads: LIMITS)
    replace(steps, "prepare_kernels", lambda *_: 0.0)


if __name__ == "__main__":
    from fastmlp.cli import main

    install()
    main(["bench", *sys.argv[1:]])
