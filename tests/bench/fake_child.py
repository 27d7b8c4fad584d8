"""The process of a bench with invented results; the file in the variable FAKE sets its behaviour.

That file is JSON: the behaviour of each implementation (or side) by name, by default "ok".
A line is added to the file FAKE_LOG for each task: the task, the environment, the process ids.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

from fastmlp.bench import child

SECONDS = {"fastmlp": 0.1, "numpy": 0.4}
BARRIERS = [1e-7, 1e-7]


def behave(name, task):
    how = json.loads(Path(os.environ["FAKE"]).read_text()).get(name, "ok")
    ids = [os.getpid()]
    if how.startswith("hang") and how[4:] in ("", task.get("workload"), str(task.get("seed"))):
        # its own child holds the pipes as well
        ids.append(subprocess.Popen(["sleep", "600"]).pid)
    with open(os.environ["FAKE_LOG"], "a") as log:
        log.write(json.dumps({**task, "environment": dict(os.environ), "ids": ids}) + "\n")
    if len(ids) == 2:
        time.sleep(600)
    if how == "fail":
        sys.exit(f"{name} is out of order")
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "garbage":
        sys.stdout.write("nonsense\n")
        sys.stdout.flush()
        os._exit(0)
    if how == "silent":
        os._exit(0)
    return SECONDS.get(name, 0.2)


def epochs(task):
    seconds = behave(task["implementation"], task)
    if task.get("fixed_team"):
        seconds /= task["threads"] ** 0.5
    facts = {"setup_seconds": 1.0, "first_epoch_seconds": 1.0, "accuracy": 0.9}
    own = {"barrier_seconds": BARRIERS} if task["implementation"] == "fastmlp" else {}
    return {**facts, **own, "epoch_seconds": [seconds] * task["epochs"]}


def to_target(task):
    seconds = behave(task["implementation"], task)
    facts = {"warm_up_seconds": 1.0, "accuracy": 0.99, "reached": True}
    return {**facts, "epoch_seconds": [seconds] * 2}


def measure_side(task):
    seconds = behave(task["side"], task)
    return {"rows": [[seconds, 1.0]] * len(task["kernels"])}


child.time_epochs, child.train_to_target = epochs, to_target
child.describe_blas = lambda: [
    {"internal_api": "someblas", "version": "1.2", "architecture": "Abacus", "threading_layer": "x"}
]
sys.modules["fastmlp.bench.kernel_child"] = SimpleNamespace(measure_side=measure_side)
child.main()
