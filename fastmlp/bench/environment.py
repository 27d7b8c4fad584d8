"""The environment of a measurement: machine, versions, load."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Any

from fastmlp.bench.machine import describe_machine, installed
from fastmlp.bench.processes import kernel_choices, run_in_process
from fastmlp.system.cores import affinity
from fastmlp.system.memory import memory_bytes

GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
PACKAGES = ("torch", "jax", "tensorflow", "tensorflow-cpu", "scikit-learn", "scipy")
BLAS_SECONDS = 60.0


def environment() -> dict[str, Any]:
    """Return everything about the machine that can affect the results, as plain values.

    blas : the BLAS libraries of NumPy in the processes of the bench
    removed_variables : variables that select kernels; the processes run without them
    """
    machine, memory = asdict(describe_machine()), memory_bytes()
    for private in ("cache", "kernels_compiled"):
        machine.pop(private)
    versions = {name: number for name in PACKAGES if (number := installed(name))}
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": machine,
        "memory_bytes": int(memory) if isfinite(memory) else None,
        "governor": _governor(),
        "affinity": affinity(),
        "versions": machine.pop("versions") | versions,
        "blas": run_in_process({"blas": True, "cores": [], "threads": 1}, BLAS_SECONDS).get("blas"),
        "removed_variables": kernel_choices(),
        "commit": _commit(),
        "load_average": load_average(),
    }


def load_average() -> float | None:
    """Return the load average of the last minute, if the system has one."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def _governor() -> str | None:
    try:
        return GOVERNOR.read_text().strip()
    except OSError:
        return None


def _commit() -> str | None:
    """Return the commit of this package's repository, with "+" if files were changed."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        git = ["git", "-C", str(root)]
        commit = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True)
        changes = subprocess.run([*git, "status", "--porcelain"], capture_output=True)
    except OSError:
        return None
    return (commit.stdout.decode().strip() + "+" * bool(changes.stdout.strip())) or None
