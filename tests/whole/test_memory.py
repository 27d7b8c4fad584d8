"""No kernel reads or writes outside its arrays: each ends, or begins, at an unreadable page."""

import os
import subprocess
import sys

import pytest

GUARDED = """
import ctypes, itertools, mmap, sys
import numpy as np
from fastmlp import kernels

PAGE, rng = mmap.PAGESIZE, np.random.default_rng(0)
libc = ctypes.CDLL(None, use_errno=True)
before = sys.argv[1] == "before"
kept = []

def fenced(array):
    '''Return a copy that ends right before an unreadable page, or begins right behind one.'''
    pages = -(-max(array.nbytes, 1) // PAGE)
    room = mmap.mmap(-1, (pages + 1) * PAGE)
    kept.append(room)
    start = ctypes.addressof(ctypes.c_char.from_buffer(room))
    fence = start if before else start + pages * PAGE
    assert libc.mprotect(ctypes.c_void_p(fence), PAGE, 0) == 0
    offset = PAGE if before else pages * PAGE - array.nbytes
    view = np.frombuffer(room, array.dtype, array.size, offset).reshape(array.shape)
    view[...] = array
    return view

def of(*shape, dtype=np.float32):
    return fenced(rng.normal(size=shape).astype(dtype))

if sys.argv[2] == "fault":  # the fence works: this must die
    outside = fenced(np.zeros(8, np.uint8))
    ctypes.string_at(outside.ctypes.data - (1 if before else -8), 1)
    sys.exit("no fault")

SIZES = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33)
for dtype in (np.float32, np.float64):
    for batch, inputs, outputs in itertools.product(SIZES[::2], SIZES, SIZES[1::2]):
        x, dx = (of(batch, inputs, dtype=dtype) for _ in range(2))
        a, dz = (of(batch, outputs, dtype=dtype) for _ in range(2))
        w, b = of(inputs, outputs, dtype=dtype), of(outputs, dtype=dtype)
        packed, y = fenced(kernels.pack_weights(w)), fenced(rng.integers(0, outputs, batch))
        kernels.forward(x, packed, b, "tanh", a)
        kernels.output(a, y, "softmax", "cross_entropy", fenced(a), dz)
        kernels.delta(dz, packed, fenced(x), "relu", dx)
        kernels.gradient(x, dz, packed, b)
        kept.clear()
BATCHES, INPUTS = (1, 3, 8, 17, 65), (1, 2, 3, 15, 31, 32, 33, 64, 65, 98)
HIDDEN = (1, 16, 33, 64, 65)
for batch, inputs, hidden, dense in itertools.product(BATCHES, INPUTS, HIDDEN, (0, 1)):
    images = rng.integers(1, 256, (batch + 2, inputs), np.uint8)
    if not dense:
        images[rng.random(images.shape) > 0.25] = 0
    images, labels = fenced(images), fenced(rng.integers(0, 3, batch + 2))
    ws, bs = [of(inputs, hidden), of(hidden, 3)], [of(hidden), of(3)]
    order, rates = fenced(rng.permutation(batch + 2)), fenced(np.full(2 if batch > 1 else 3, 0.1))
    for momentum, threads in ((0.0, 1), (0.9, 1), (0.0, 2)):
        settings = (("relu", "softmax"), "cross_entropy", batch, momentum, False, 0.0, threads)
        engine = kernels.Engine(ws, bs, *settings)
        engine.train(images, labels, order, rates, 1 / 255)
        engine.read(ws, bs)
    for rows in (images, images[:1], fenced(images.astype(np.float32))):
        kernels.infer(ws, bs, ("relu", "softmax"), rows, of(len(rows), 3), 1 / 255)
    kept.clear()
print("inside")
"""


def guarded(where, what="run"):
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", GUARDED, where, what],
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.skipif(sys.platform != "linux", reason="mprotect is called through libc")
@pytest.mark.parametrize("where", ["before", "behind"])
def test_no_kernel_leaves_its_arrays(where):
    done = guarded(where)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == "inside\n"


@pytest.mark.skipif(sys.platform != "linux", reason="mprotect is called through libc")
@pytest.mark.parametrize("where", ["before", "behind"])
def test_a_step_outside_would_be_a_fault(where):
    assert guarded(where, "fault").returncode == -11
