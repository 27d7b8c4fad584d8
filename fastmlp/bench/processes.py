"""Run a measurement in its own process: its environment, its start and its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import perf_counter
from typing import Any

# -P: with -m, the working folder would come first in the path
COMMAND = (sys.executable, "-P", "-W", "ignore", "-m", "fastmlp.bench.child")
# The variables with the number of threads of a library
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
# Variables that make a library use other kernels than those it selects for this processor. They
# are often set for one old program, and then slow down the implementations that read them.
KERNEL_VARIABLES = {
    "OpenBLAS": ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OPENBLAS_BLOCK_FACTOR"),
    "MKL": ("MKL_DEBUG_CPU_TYPE", "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR"),
    "BLIS, AOCL": ("BLIS_ARCH_TYPE", "BLIS_MODEL_TYPE", "AOCL_ENABLE_INSTRUCTIONS"),
    "NVPL": ("NVPL_BLAS_DEBUG_CPU_TYPE",),
    "NumPy": ("NPY_DISABLE_CPU_FEATURES", "NPY_ENABLE_CPU_FEATURES"),
    "PyTorch": ("ATEN_CPU_CAPABILITY",),
    "oneDNN": (
        *("ONEDNN_MAX_CPU_ISA", "ONEDNN_CPU_ISA_HINTS", "ONEDNN_DEFAULT_FPMATH_MODE"),
        *("DNNL_MAX_CPU_ISA", "DNNL_CPU_ISA_HINTS", "DNNL_DEFAULT_FPMATH_MODE"),
    ),
    "XLA": ("XLA_FLAGS", "TF_XLA_FLAGS", "TF_ENABLE_ONEDNN_OPTS", "JAX_DEFAULT_MATMUL_PRECISION"),
}


def kernel_choices() -> dict[str, str]:
    """Return the variables of KERNEL_VARIABLES that are set, and their values."""
    names = (name for names in KERNEL_VARIABLES.values() for name in names)
    return {name: os.environ[name] for name in names if name in os.environ}


def without_kernel_choices() -> dict[str, str]:
    """Return the environment of this process without the variables of KERNEL_VARIABLES."""
    chosen = kernel_choices()
    return {name: value for name, value in os.environ.items() if name not in chosen}


def run_in_process(task: dict[str, Any], limit: float) -> dict[str, Any]:
    """Do a task in a new process; return its result, or the reason for its failure.

    limit : seconds after which the process is killed. Any exception here kills it too.
    """
    began = perf_counter()
    with _start(task) as process:
        try:
            out, err = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            return {"failure": f"took more than {limit:g} s"}
    if process.returncode:
        lines = err.strip().splitlines() or [_describe_status(process.returncode)]
        return {"failure": lines[-1]}
    try:
        result: dict[str, Any] = json.loads(out.splitlines()[-1])
    except (IndexError, ValueError):
        return {"failure": "printed no result"}
    return {**result, "process_seconds": perf_counter() - began}


@contextmanager
def _start(task: dict[str, Any]) -> Iterator[subprocess.Popen[str]]:
    """Start the process of a task; kill it and its children at the end of the block."""
    pipe: Any = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    # in a new group, so that Ctrl-C reaches only this process, which then kills the whole group
    with subprocess.Popen(
        [*COMMAND, json.dumps(task)],
        **pipe,
        text=True,
        env=_make_environment(task),
        process_group=0,
    ) as process:
        try:
            yield process
        finally:
            if hasattr(os, "killpg"):
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
            else:  # Windows has no groups of processes
                process.kill()


def _make_environment(task: dict[str, Any]) -> dict[str, str]:
    """Return the environment of a task's process, which imports as this one does."""
    threads = {name: str(task["threads"]) for name in THREAD_VARIABLES}
    if task.get("side") == "fastmlp":  # NumPy computes the exact results: its threads would spin
        threads = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    if task.get("fixed_team"):
        threads["FASTMLP_FIXED_TEAM"] = "1"
    return without_kernel_choices() | threads | {"PYTHONPATH": os.pathsep.join(sys.path)}


def _describe_status(status: int) -> str:
    """Return how a process without an error message ended: its exit status, or a signal."""
    if status > 0:
        return f"exit status {status}"
    hint = "; not enough memory, perhaps" if status == -signal.SIGKILL else ""
    return f"ended by {signal.Signals(-status).name}{hint}"
