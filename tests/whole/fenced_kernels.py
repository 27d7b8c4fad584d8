"""Let the compiled room compute in fenced memory: images, results, buffers, scratch.

Run as a program: fenced_kernels.py (before | behind) (verify | edges | fault) [cases]
"""

import ctypes
import itertools
import sys
from types import SimpleNamespace

import numpy as np
from fences import PAGE, fenced, forbid, pages_of, room_of

from fastmlp import kernels
from fastmlp.arrays import SparseRows
from fastmlp.functions import OPTIMIZERS
from fastmlp.kernels import engine, predictor
from fastmlp.kernels.memory import buffers, panels, records
from fastmlp.kernels.memory.tuning import ENTRY_ROWS
from fastmlp.kernels.step import source
from fastmlp.verify import verify

before = sys.argv[1] == "before"
INPUTS = {"addresses", "order", "labels", "targets", "coefficients", "factors", "table"}
INPUTS |= {"begins", "ends", "columns", "values"}
kept = []


class Numpy:
    """NumPy, whose new arrays are fenced: those in which kernels leave costs, or read images."""

    def __getattr__(self, name):
        return getattr(np, name)

    def zeros(self, *arguments, **options):
        return fenced(np.zeros(*arguments, **options), before)

    def pad(self, *arguments, **options):
        return fenced(np.pad(*arguments, **options), before)


def fenced_zeros(shape, dtype, make=np.zeros):
    return fenced(make(shape, dtype), before)


def fenced_point(record, **arrays):
    copies = {n: fenced(a, before) if n in INPUTS else a for n, a in arrays.items()}
    kept.append(copies)
    point(record, **copies)


def fenced_scratch(record, members, size):
    """As `private_memory`: a fence at the scratch of each member, which is as small as it says."""
    pages = pages_of(size)
    stride = (pages + 1) * PAGE
    room, start = room_of(members * stride)
    for member in range(members):
        forbid(start + member * stride + (0 if before else pages * PAGE))
    record["scratch"] = start + (PAGE if before else pages * PAGE - size)
    record["scratch_bytes"] = stride
    return np.frombuffer(room, np.uint8)


def fenced_rows(rows):
    if isinstance(rows, SparseRows):
        return SparseRows(*(fenced(part, before) for part in rows.parts), rows.shape[1])
    return fenced(rows, before)


class Predictor(predictor.Predictor):
    """A predictor, all of whose arrays are fenced."""

    def __init__(self, weights, biases, *rest):
        super().__init__(*([fenced(p, before) for p in ps] for ps in (weights, biases)), *rest)

    def __call__(self, images, what, out, threads=None):
        found = fenced(out, before)
        super().__call__(fenced_rows(images), what, found, threads)
        out[...] = found


class Engine(engine.Engine):
    """An engine whose images are fenced."""

    def _steps(self, images, *arguments, **named):
        return super()._steps(fenced_rows(images), *arguments, **named)


point = records.point
for module in (buffers, panels, predictor, source):
    module.aligned_zeros = fenced_zeros
for module in (engine, predictor):
    own = {"point": fenced_point, "private_memory": fenced_scratch}
    module.records, module.np = SimpleNamespace(**{**vars(records), **own}), Numpy()
source.np = Numpy()
kernels.Engine, kernels.Predictor = Engine, Predictor


def wide():
    """Train networks whose output layer needs more scratch than all other phases."""
    rng = np.random.default_rng(0)
    for dtype in (np.float32, np.float64):
        for outputs, count in ((700, 37), (1100, 5)):
            w, b = rng.normal(size=(6, outputs)).astype(dtype), np.zeros(outputs, dtype)
            images, y = rng.normal(size=(count, 6)), rng.integers(0, outputs, count)
            for optimizer in OPTIMIZERS:
                for threads in (1, 2):
                    what = ("softmax",), "cross_entropy", count, optimizer, {}, threads
                    one = kernels.Engine([w], [b], *what)
                    one.train(images, y, np.arange(count), np.full(1, 0.1))
                    kept.clear()


def tall():
    """Train on minibatches so large that slices of samples have more rows than the scratch."""
    rng, sizes, count = np.random.default_rng(0), (5, 5, 100, 3), 40_000
    for dtype, threads in itertools.product((np.float32, np.float64), (1, 2)):
        w = [rng.normal(size=shape).astype(dtype) for shape in itertools.pairwise(sizes)]
        b = [np.zeros(size, dtype) for size in sizes[1:]]
        names = ("relu", "relu", "softmax")
        one = kernels.Engine(w, b, names, "cross_entropy", count, "sgd", {}, threads)
        assert one.plan_name == "by samples"
        images, y = rng.normal(size=(count, 5)).astype(dtype), rng.integers(0, 3, count)
        one.train(images, y, np.arange(count), np.full(1, 0.1))
        kept.clear()


def entries():
    """Train and predict with sparse rows: few or no entries, at the edges of rows and blocks."""
    last = ENTRY_ROWS + 2
    edges = [0, ENTRY_ROWS - 1, ENTRY_ROWS, last]
    # the columns of each of four rows
    found = [[[]] * 4, [[], edges, edges, []], [edges, [], [], edges], [[last], [], [0], [last]]]
    found = [(last + 1, rows) for rows in found] + [(1, [[]] * 4), (1, [[0], [], [0], []])]
    steps = ("sgd", {}), ("sgd", {"weight_decay": 0.1}), ("adam", {})
    for (inputs, rows), hidden, dtype in itertools.product(
        found, ([], [20], [20, 20]), (np.float32, np.float64)
    ):
        columns, starts = [k for row in rows for k in row], np.cumsum([0, *map(len, rows)])
        data = SparseRows(np.ones(len(columns), dtype), np.array(columns, np.int32), starts, inputs)
        sizes, names = [inputs, *hidden, 3], [*(["relu"] * len(hidden)), "softmax"]
        w = [np.ones(shape, dtype) for shape in itertools.pairwise(sizes)]
        b = [np.zeros(size, dtype) for size in sizes[1:]]
        for step, threads in itertools.product(steps, (1, 2)):
            one = kernels.Engine(w, b, names, "cross_entropy", 3, *step, threads)
            one.train(data, np.arange(4) % 3, np.arange(4), np.full(2, 0.1))
        kernels.Predictor(w, b, names, 1.0)(data, "outputs", np.empty((4, 3), dtype))
        kept.clear()


if sys.argv[2] == "fault":  # the fence works: this must die
    outside = fenced(np.zeros(8, np.uint8), before)
    ctypes.string_at(outside.ctypes.data - (1 if before else -8), 1)
    sys.exit("no fault")
if sys.argv[2] == "edges":
    wide()
    tall()
    entries()
else:
    outcome = verify(cases=int(sys.argv[3]), follow=lambda *_: kept.clear())
    assert outcome.passed, outcome.failures
sys.stdout.write("inside\n")
