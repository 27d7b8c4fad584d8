"""Print the speed of one layer's three products on one core, beside NumPy's and the FMA peak.

python benchmarks/microkernel.py

All figures come from one run, the sides in turn: medians over the rounds, and shares of the peak
measured in the same round. useful GFLOP/s = 2 B I O / seconds; the peak is the same tile loop on
operands that never leave the first-level cache.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Callable
from time import perf_counter
from typing import Any

import click
import numpy as np
from threadpoolctl import threadpool_limits

from fastmlp import kernels
from fastmlp.bench.processes import kernel_choices, without_kernel_choices
from fastmlp.kernels import records
from fastmlp.kernels.job import Job
from fastmlp.kernels.launch import prepare, run
from fastmlp.kernels.layout import aligned_zeros, panel_width, round_up, row_stride
from fastmlp.kernels.options import Shared
from fastmlp.kernels.tiles import TILE_ROWS

SHAPES = [(64, 784, 128), (256, 784, 512), (512, 1024, 1024)]
FLOAT32 = np.dtype(np.float32)
ROUNDS = 41
# Floating-point operations of one measurement of the peak
PEAK_WORK = 2**28


def seconds(call: Callable[[], object]) -> float:
    """Return what one call takes, of so many that the clock's own time does not count."""
    began = perf_counter()
    call()
    times = max(1, int(2e-3 / (perf_counter() - began)))
    began = perf_counter()
    for _ in range(times):
        call()
    return (perf_counter() - began) / times


def peak() -> Callable[[], object]:
    """Return a call of PEAK_WORK operations that needs no memory."""
    multiply = Shared.by_name["multiply"].compiled["float32"].ctypes
    c, p, q = (aligned_zeros((64, 64), FLOAT32) for _ in range(3))
    columns = panel_width(2**30, FLOAT32)
    length = PEAK_WORK // 2 // (TILE_ROWS * columns)
    place = (c.ctypes.data, columns, p.ctypes.data, 64, 0, 0, 0, q.ctypes.data, 0)
    return lambda: multiply(*place, TILE_ROWS, columns, length, 0.0) or (c, p, q)


def calls(batch: int, inputs: int, outputs: int) -> dict[str, tuple[Any, Any]]:
    """Return, for each product, the call of ours and NumPy's."""
    rng = np.random.default_rng(0)

    def draw(*shape: int) -> Any:
        columns = round_up(shape[1], panel_width(shape[1], FLOAT32))
        room = aligned_zeros((shape[0], row_stride(columns, FLOAT32)), FLOAT32)
        room[:, : shape[1]] = rng.normal(size=shape)
        return room

    x, dz, a = draw(batch, inputs), draw(batch, outputs), draw(batch, outputs)
    dx = draw(batch, inputs)
    w = rng.normal(size=(inputs, outputs)).astype(np.float32) * np.float32(0.01)
    layers = np.zeros(2, records.LAYER)
    below, layer = layers
    below["inputs"] = 1
    for record, columns in ((below, inputs), (layer, outputs)):
        width = panel_width(columns, FLOAT32)
        record["outputs"], record["width"] = columns, width
        record["panels"] = round_up(columns, width) // width
        record["a_row"] = row_stride(round_up(columns, width), FLOAT32)
        record["a_panel"] = width
    packed, b = kernels.pack_weights(w), aligned_zeros((round_up(outputs, 64),), FLOAT32)
    layer["inputs"], layer["panel_rows"], layer["w_row"] = inputs, *packed.shape[1:]
    layer["panel_step"] = packed.shape[1] * packed.shape[2]
    layer["w"], layer["b"], layer["a"] = packed.ctypes.data, b.ctypes.data, a.ctypes.data
    layer["dz"], below["dz"], below["a"] = dz.ctypes.data, dx.ctypes.data, x.ctypes.data

    def ours(kind: int, used: Any) -> Callable[[], object]:
        job = Job(used, FLOAT32, 1)
        job.record["kind"], job.record["samples"], job.record["x_row"] = kind, batch, x.shape[1]
        job.record["batch_size"], job.record["keep"], job.record["keep_b"] = batch, 1.0, 1.0
        job.record["steps"] = 1
        job.point(x=x)
        run(job.record, used, 1, FLOAT32)
        work = Shared.by_name["work"].compiled["float32"].ctypes
        place = (job.record.ctypes.data, used.ctypes.data, len(used), 0, 0, 1, 0.0)
        return lambda: work(*place) or (job, packed, b, a, dz, dx)

    xs, dzs = (np.ascontiguousarray(v[:, :n]) for v, n in ((x, inputs), (dz, outputs)))
    out, dxs, dw = np.empty_like(dzs), np.empty_like(xs), np.empty_like(w)
    return {
        "forward": (ours(records.FORWARD, layers[1:]), lambda: np.matmul(xs, w, out=out)),
        "delta": (ours(records.DELTA, layers), lambda: np.matmul(dzs, w.T, out=dxs)),
        "update": (ours(records.UPDATE, layers[1:]), lambda: np.matmul(xs.T, dzs, out=dw)),
    }


@click.command(help=__doc__)
def main() -> None:
    """Measure and print."""
    if chosen := kernel_choices():  # NumPy has read them: begin again without
        click.echo(f"without {', '.join(chosen)}")
        os.execve(sys.executable, [sys.executable, *sys.argv], without_kernel_choices())
    prepare(FLOAT32)
    best = peak()
    click.echo("product  batch x inputs x outputs    GFLOP/s  of peak   NumPy  of peak")
    with threadpool_limits(1):
        for shape in SHAPES:
            for name, (ours, numpys) in calls(*shape).items():
                work = 2e-9 * np.prod(shape)
                speeds: list[list[float]] = []
                for _ in range(ROUNDS):
                    top = PEAK_WORK * 1e-9 / seconds(best)
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
