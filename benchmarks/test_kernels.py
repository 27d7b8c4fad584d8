"""Each kernel at shapes of the standard workloads, compiled and NumPy in the same group.

CALLS calls are timed together, and the table shows the time of one. Those of compiled kernels are
repeated in compiled code, as in training.
"""

from time import perf_counter, sleep

import numpy as np
import pytest

from fastmlp.bench.kernel_child import CASES
from fastmlp.bench.kernel_grid import work_of

CALLS = 20
# NumPy computes the exact result, and its threads keep the cores busy for a while
SETTLE_SECONDS = 0.3
PRODUCTS = [(64, 784, 128), (10, 784, 16), (128, 512, 512), (512, 1024, 1024), (64, 128, 10)]
PRODUCTS += [(256, 28, 64), (256, 64, 64), (200, 54, 100), (200, 100, 7), (32, 30, 100)]
SHAPES = [(kernel, *shape) for kernel in ("forward", "delta", "update") for shape in PRODUCTS]
SHAPES += [(kernel, batch, 0, 10) for kernel in ("output", "exp") for batch in (64, 512)]


def clock():
    """Return the seconds of a clock that is CALLS times as slow, to time one of the calls."""
    return perf_counter() / CALLS


@pytest.mark.benchmark(timer=clock, max_time=1 / CALLS)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "-".join(map(str, shape)))
def test_kernel(benchmark, side, shape):
    kernel, batch, inputs, outputs = shape
    benchmark.group = f"{kernel} {batch} x {inputs} x {outputs}"
    rng = np.random.default_rng(0)
    case = CASES[kernel](rng, batch, inputs, outputs, side == "compiled")
    sleep(SETTLE_SECONDS)
    benchmark(case.run, CALLS)
    seconds, work = benchmark.stats.stats.median, work_of(*shape)
    benchmark.extra_info |= {
        "gflops": work["flops"] / seconds / 1e9,
        "gigabytes_per_second": work["bytes"] / seconds / 1e9,
        "samples_per_second": batch / seconds,
        "error_in_eps": case.error(),
    }
