"""What this machine offers to the kernels: processor, vectors, threads and what limits them."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from fastmlp import __version__
from fastmlp.system.cores import affinity, cgroup_quota
from fastmlp.system.paths import cache_folder

PACKAGES = ("numba", "llvmlite", "numpy", "click", "rich", "safetensors", "pillow")
CPUINFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Limit:
    """One thing that limits the threads: its name, how many it allows (None: it does not)."""

    name: str
    allows: float | None


@dataclass(frozen=True)
class Machine:
    """The facts that decide how fast the kernels run here.

    processor : the maker's name, and the name by which LLVM compiles for it
    features : the instruction sets that LLVM sees; vector_bits : the width that is used
    cores : in the machine; threads : what a run uses at most; limits : what decides that
    threading_layer : the one that Numba loaded, or why it loaded none
    """

    processor: str
    llvm_name: str
    features: tuple[str, ...]
    vector_bits: int
    cores: int
    threads: int
    limits: tuple[Limit, ...]
    threading_layer: str
    versions: dict[str, str]
    cache: str
    kernels_compiled: bool


def describe_machine() -> Machine:
    """Look at this machine. Imports Numba and starts its threads; compiles nothing."""
    import llvmlite.binding as llvm
    import numpy as np

    from fastmlp.kernels import is_compiled
    from fastmlp.kernels.launch import available_threads
    from fastmlp.kernels.llvm.emitter import VECTOR_BYTES

    features = llvm.get_host_cpu_features()
    return Machine(
        processor=processor_name(),
        llvm_name=llvm.get_host_cpu_name(),
        features=tuple(sorted(name for name, present in features.items() if present)),
        vector_bits=8 * VECTOR_BYTES,
        cores=os.cpu_count() or 1,
        threads=available_threads(),
        limits=thread_limits(),
        threading_layer=_threading_layer(),
        versions=_versions(),
        cache=str(
            cache_folder() or "none: there is no home folder, and FASTMLP_CACHE leads to no other"
        ),
        kernels_compiled=is_compiled(np.dtype(np.float32)),
    )


def processor_name() -> str:
    """Return the processor's name from its maker, or its architecture where it is not told."""
    try:
        lines = CPUINFO.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip().lower() in ("model name", "cpu model") and value.strip():
            return value.strip()
    return platform.processor() or platform.machine()


def thread_limits() -> tuple[Limit, ...]:
    """Return everything that may limit the threads, also what does not."""
    allowed = len(affinity()) or None
    variables = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OMP_THREAD_LIMIT")
    return (
        Limit("affinity mask", allowed),
        *(Limit(name, _number(os.environ.get(name))) for name in variables),
        Limit("cgroup quota", cgroup_quota()),
    )


def _number(text: str | None) -> float | None:
    """Return the first number of a variable such as OMP_NUM_THREADS, "4,2"."""
    try:
        return float(int((text or "").split(",")[0]))
    except ValueError:
        return None


def _threading_layer() -> str:
    import numba
    from numba.np.ufunc import parallel

    try:
        # Numba names its layer only once the threads run
        parallel._launch_threads()
        return str(numba.threading_layer())
    except Exception as error:
        return f"none: {' '.join(str(error).split())}"


def _versions() -> dict[str, str]:
    found = {"fastmlp": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
