"""How many threads an estimator may use where others may be at work beside it."""

from __future__ import annotations

import os
import threading

from fastmlp.system.cores import usable_cores, useful_threads

# joblib's workers have them, and so have many clusters
LIMITS = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")


def team_limit(threads: int | None) -> int | None:
    """Return the most threads; None lets the engine choose.

    threads : what the user wants. If None, it is the least of the environment's LIMITS; outside of
        the main thread 1, as a pool of threads then probably has a fit for each core.
    """
    if threads is not None:
        return useful_threads(int(threads))
    if threading.current_thread() is not threading.main_thread():
        return 1
    values = (os.environ.get(name, "").split(",")[0].strip() for name in LIMITS)
    limits = [int(value) for value in values if value.isdecimal() and int(value) > 0]
    least = min(limits, default=usable_cores())
    return least if least < usable_cores() else None
