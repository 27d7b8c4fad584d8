"""The facts of this machine: processor, vectors, threads and their limits, versions."""

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
    """A possible limit on the threads: its name, and the number it allows (None: no limit)."""

    name: str
    allows: float | None


@dataclass(frozen=True)
class Machine:
    """The facts that determine how fast the kernels run here.

    processor : its name; llvm_name : LLVM's name for it
    features : the instruction sets that LLVM finds; vector_bits : the width in use
    cores : of the machine; threads : the most that a run uses; limits : the reasons for that
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
    """Return the facts of this machine. Imports Numba and starts its threads; compiles nothing."""
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
        versions={"fastmlp": __version__, "python": platform.python_version()}
        | {package: installed(package) or "not installed" for package in PACKAGES},
        cache=str(
            cache_folder() or "none: there is no home folder, and FASTMLP_CACHE names no other one"
        ),
        kernels_compiled=is_compiled(np.dtype(np.float32)),
    )


def processor_name() -> str:
    """Return the name of the processor, or its architecture if the system has no name."""
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
    """Return all possible limits on the threads, including those that are not set."""
    allowed = len(affinity()) or None
    variables = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OMP_THREAD_LIMIT")
    return (
        Limit("affinity mask", allowed),
        *(Limit(name, _number(os.environ.get(name))) for name in variables),
        Limit("cgroup quota", cgroup_quota()),
    )


def _number(text: str | None) -> float | None:
    """Return the first number of a variable; OMP_NUM_THREADS, for example, can be "4,2"."""
    try:
        return float(int((text or "").split(",")[0]))
    except ValueError:
        return None


def _threading_layer() -> str:
    import numba
    from numba.np.ufunc import parallel

    try:
        # Numba chooses its layer when the threads start
        parallel._launch_threads()
        return str(numba.threading_layer())
    except Exception as error:
        return f"none: {' '.join(str(error).split())}"


def installed(package: str) -> str | None:
    """Return the version of a package; None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
