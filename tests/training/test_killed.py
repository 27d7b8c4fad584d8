"""A killed run goes on and ends with the same bits; one that gets a signal ends in order."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from test_checkpoint import made, trained

from fastmlp.training import checkpoint

KILLED = """
import sys, numpy as np
sys.path.insert(0, {here!r})
import test_checkpoint as t
print("ready", flush=True)
def wait_for_the_next(progress, left=[int(sys.argv[2])]):
    left[0] -= progress.epoch_ended
    if not left[0]:
        sys.stdin.read()
print(t.trained(sys.argv[1], resume=True, epochs={total}, data=t.made(count=60),
                at_each=wait_for_the_next)[0])
"""
# However fast the machine is, so many processes of EPOCHS each do not come to the end
KILLS, EPOCHS = int(os.environ.get("FASTMLP_KILLS", "4")), 49
TOTAL = (EPOCHS + 1) * KILLS


def test_killed_many_times_it_ends_with_the_same_bits(tmp_path):
    """SIGKILL at random moments, mostly during a write, as the run mostly writes."""
    wanted, _ = trained(epochs=TOTAL, data=made(count=60))
    code = KILLED.format(here=str(Path(__file__).parent), total=TOTAL)
    rng, killed = random.Random(0), 0
    for _ in range(2 * KILLS):
        epochs = EPOCHS if killed < KILLS else -1
        command = [sys.executable, "-W", "ignore", "-c", code, str(tmp_path / "run"), str(epochs)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        process = subprocess.Popen(command, **pipes, text=True)
        assert process.stdout.readline() == "ready\n"
        if killed < KILLS:
            time.sleep(rng.uniform(0.005, 0.08))
            process.kill()
        rest = process.communicate(timeout=120)[0]
        killed += process.returncode == -signal.SIGKILL
        if process.returncode == 0:
            assert rest.strip() == wanted
            break
    assert killed == KILLS
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)],
)
def test_a_signal_ends_the_command_in_order(tmp_path, number, status):
    images, labels = made(count=3000)
    arrays = {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}
    np.savez(tmp_path / "data.npz", **arrays)
    # what runs the tests may ignore SIGHUP, as nohup does, and so would this process
    begin = "import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL)"
    code = f"{begin}; from fastmlp.cli import main; main()"
    command = [sys.executable, "-c", code, "train", "--backend", "numpy", "--json"]
    command += ["--dataset", "data.npz", "--epochs", "100000", "--checkpoint", "run"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list((tmp_path / "run").glob("*.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    document = json.loads(process.communicate(timeout=60)[0])
    assert process.returncode == status
    done = max((tmp_path / "run").iterdir())
    assert checkpoint.read(done).epochs == len(document["history"]["train_cost"])
