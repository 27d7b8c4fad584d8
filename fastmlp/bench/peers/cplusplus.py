"""C++: cpp/mlp.cpp, compiled for one network and batch size, called once an epoch by ctypes."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from threadpoolctl import ThreadpoolController

from fastmlp.arrays import Array
from fastmlp.bench.peers import COMPILERS, Setup
from fastmlp.bench.peers.formulas import BETA_1, BETA_2, MOMENTUM, step_pairs
from fastmlp.system.code_folder import fault_of
from fastmlp.system.paths import cache_folder, make_folder

SOURCES = Path(__file__).with_name("cpp")
OPTIONS = (
    *("-std=c++17", "-O3", "-march=native", "-ffp-contract=fast", "-fno-math-errno"),
    *("-shared", "-fPIC", "-pthread"),
)
# How builds of OpenBLAS name the function, and the bits of its integers
SGEMM = {"scipy_cblas_sgemm64_": 64, "scipy_cblas_sgemm": 32, "cblas_sgemm64_": 64}
SGEMM |= {"cblas_sgemm": 32}
TRIAL = 400  # steps to time each number of threads


class Peer:
    """The parameters are those of the compiled code; the number of threads is all or one."""

    def __init__(self, setup: Setup) -> None:
        network, train, batch_size, optimizer, threads, _ = setup
        self.network, self.optimizer, self.done = network, optimizer, 0
        self.sizes, self.batch_size, self.threads = network.sizes, batch_size, threads
        self.images = np.ascontiguousarray(train.images)
        self.targets = network.as_targets(train.labels, len(train), "labels")
        is_sparse = self.images.dtype == np.uint8
        unused = -self.sizes[0] % 64
        bits = np.pad(self.images != 0, ((0, 0), (0, unused))) if is_sparse else np.zeros((1, 64))
        self.masks = np.packbits(bits.astype(np.bool_), axis=1, bitorder="little")
        self.blas = ThreadpoolController().select(user_api="blas")
        self.sgemm, width = find_sgemm(self.blas.info())
        shape = {"SIZES": ",".join(map(str, self.sizes)), "BATCH": batch_size, "THREADS": threads}
        shape |= {"SPARSE": int(is_sparse), "SGEMM": width}
        shape |= {"HIDDEN": (*network.hidden, "relu")[0].upper(), "OUTPUT": network.output.upper()}
        shape |= {"OPTIMIZER": optimizer.upper(), "BETA_2": BETA_2}
        shape |= {"BETA_1": BETA_1 if optimizer == "adam" else MOMENTUM}
        self.code = ctypes.CDLL(str(build([f"-D{name}={value}" for name, value in shape.items()])))
        self.code.make.restype = ctypes.c_void_p
        self.begin()
        self.is_tuned = threads == 1

    def begin(self) -> None:
        """Make the network of the compiled code, whose optimiser has a new state."""
        self.net = ctypes.c_void_p(self.code.make())
        self.copy(out=0)

    def __del__(self) -> None:
        if hasattr(self, "net"):
            self.code.destroy(self.net)

    def copy(self, out: int) -> None:
        """Copy the network's parameters out of the compiled code (1), or into it (0)."""
        pairs = zip(self.network.weights, self.network.biases, strict=True)
        for l, (w, b) in enumerate(pairs, 1):
            self.code.copy_layer(self.net, l, pointer(w), pointer(b), out)

    def epoch(self, order: Array, rates: Array) -> None:
        """Train on the samples in that order."""
        if not self.is_tuned:
            self.tune(order)
        self.train(order, rates, self.threads)
        self.done += len(rates)

    def train(self, order: Array, rates: Array, threads: int) -> None:
        """Take a step for each minibatch, by so many threads."""
        order = np.ascontiguousarray(order, np.int64)
        pairs = step_pairs(self.optimizer, rates, self.done)
        arrays = (self.images, self.masks, self.targets, order, pairs)
        samples = ctypes.c_int64(len(order))
        with self.blas.limit(limits=1):  # each thread of the team calls it
            self.code.train(self.net, self.sgemm, *map(pointer, arrays), samples, threads)

    def tune(self, order: Array) -> None:
        """Choose the faster number of threads, all or one, by timing steps with rates of 0."""
        seconds: dict[int, float] = {}
        for threads in 2 * (self.threads, 1):  # the first time warms up
            began = perf_counter()
            self.train(order[: TRIAL * self.batch_size], np.zeros(TRIAL), threads)
            seconds[threads] = perf_counter() - began
        self.threads, self.is_tuned = min(seconds, key=lambda threads: seconds[threads]), True
        self.code.destroy(self.net)
        self.begin()

    def read(self) -> None:
        """Write the parameters into the network."""
        self.copy(out=1)


def pointer(array: Array) -> ctypes.c_void_p:
    """Return the address of an array's first element."""
    return ctypes.c_void_p(array.ctypes.data)


def find_sgemm(libraries: Sequence[dict[str, Any]]) -> tuple[Any, int]:
    """Return the function of NumPy's BLAS and the bits of its integers; None and 0 if unknown."""
    for library in libraries:
        code = ctypes.CDLL(library["filepath"])
        for name, bits in SGEMM.items():
            if hasattr(code, name):
                return ctypes.cast(getattr(code, name), ctypes.c_void_p), bits
    return None, 0


def build(defined: Sequence[str]) -> Path:
    """Return the library of a shape from the cache; it is compiled if it is not there."""
    compiler = next(path for name in COMPILERS if (path := shutil.which(name)))
    processor = llvm.get_host_cpu_name() + llvm.get_host_cpu_features().flatten()
    sources = [path.read_text() for path in sorted(SOURCES.iterdir())]
    parts = "\0".join((compiler, processor, *OPTIONS, *defined, *sources))
    folder, name = library_folder(), hashlib.sha256(parts.encode()).hexdigest()[:16] + ".so"
    if not (folder / name).exists():
        with tempfile.TemporaryDirectory(dir=folder) as place:
            made = Path(place) / name
            command = [compiler, *OPTIONS, *defined, str(SOURCES / "mlp.cpp"), "-o", str(made)]
            done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
            if done.returncode:
                raise RuntimeError(f"{compiler} failed: {done.stderr.strip()}")
            os.replace(made, folder / name)
    return folder / name


def library_folder() -> Path:
    """Return a folder for libraries that only this user can write: in the cache, or a new one."""
    root = cache_folder()
    if root is not None:
        folder = root / "peers"
        with suppress(OSError):
            make_folder(folder)
            if not any(fault_of(each.stat()) for each in (root, folder)):
                return folder
    return Path(tempfile.mkdtemp())
