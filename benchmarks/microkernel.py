"""Print the speed of a layer's three products on one core, with NumPy's and the FMA peak.

python benchmarks/microkernel.py [--rounds 41]

The sides run in turn. The figures are medians over the rounds; shares of the peak use the peak of
the same round. GFLOP/s = 2e-9 B I O / seconds. The peak is that of the tile loop on operands in the
L1 cache. The phases are those of training, on its panels.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Callable
from time import perf_counter

import click
import numpy as np
from threadpoolctl import threadpool_limits

from fastmlp.bench.kernel_child import CASES
from fastmlp.bench.limits import measure_flops
from fastmlp.bench.processes import kernel_choices, without_kernel_choices
from fastmlp.kernels import prepare

SHAPES = [(64, 784, 128), (256, 784, 512), (512, 1024, 1024)]
PRODUCTS = ("forward", "delta", "update")
ROUNDS = 41


def seconds(run: Callable[[int], object]) -> float:
    """Return the seconds of one call, from so many calls that the clock's time is negligible."""
    began = perf_counter()
    run(1)
    times = max(1, int(2e-3 / (perf_counter() - began)))
    began = perf_counter()
    run(times)
    return (perf_counter() - began) / times


@click.command(help=__doc__)
@click.option("--rounds", default=ROUNDS, show_default=True)
def main(rounds: int) -> None:
    """Measure and print."""
    if chosen := kernel_choices():  # NumPy has read them already: start again without them
        click.echo(f"without {', '.join(chosen)}")
        os.execve(sys.executable, [sys.executable, *sys.argv], without_kernel_choices())
    prepare(np.dtype(np.float32))
    click.echo("product  batch x inputs x outputs    GFLOP/s  of peak   NumPy  of peak")
    with threadpool_limits(1):
        for shape in SHAPES:
            for name in PRODUCTS:
                rng = np.random.default_rng(0)
                ours, numpys = (CASES[name](rng, *shape, side, threads=1).run for side in (1, 0))
                work = 2e-9 * np.prod(shape)
                speeds: list[list[float]] = []
                for _ in range(rounds):
                    top = measure_flops(1) * 1e-9
                    speeds.append([top, work / seconds(ours), work / seconds(numpys)])
                shares = [[v / top for v in (mine, other)] for top, mine, other in speeds]
                full, mine, other = map(statistics.median, zip(*speeds, strict=True))
                of_peak, numpys_share = map(statistics.median, zip(*shares, strict=True))
                click.echo(
                    f"{name:8} {' x '.join(map(str, shape)):>24}  {mine:9.1f}  {of_peak:7.1%}  "
                    f"{other:6.1f}  {numpys_share:7.1%}"
                )
    click.echo(f"peak {full:.1f} GFLOP/s")


if __name__ == "__main__":
    main()
