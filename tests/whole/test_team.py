"""Threads: a team never hangs, whatever the machine or its settings do to it.

Each case is a process of its own with a time limit, and has to print the same fingerprint.
"""

import os
import subprocess
import sys

import pytest

RUN = """
import hashlib, sys
import numpy as np
import fastmlp
rng = np.random.default_rng(0)
images = rng.integers(1, 256, (600, 784), np.uint8)
images[rng.random(images.shape) > 0.2] = 0
network = fastmlp.Network((784, 64, 32, 10))
fastmlp.train(network, (images, rng.integers(0, 10, 600)), epochs=3, batch_size=32,
              learning_rate=0.1, threads={threads})
parameters = (*network.weights, *network.biases)
print(hashlib.sha256(b"".join(p.tobytes() for p in parameters)).hexdigest())
"""
SECONDS = 120


def run(code, command=(), **environment):
    done = subprocess.run(
        [*command, sys.executable, "-W", "ignore", "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.fixture(scope="module")
def fingerprint():
    return run(RUN.format(threads=1))


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_more_threads_than_cores(fingerprint, threads):
    assert run(RUN.format(threads=threads), NUMBA_NUM_THREADS="8") == fingerprint


@pytest.mark.parametrize("layer", ["workqueue", "omp", "tbb"])
def test_each_threading_layer_that_is_here(fingerprint, layer):
    probe = "import numba\nfrom numba.np.ufunc.parallel import _launch_threads\n_launch_threads()"
    available = subprocess.run(
        [sys.executable, "-c", probe],
        env=os.environ | {"NUMBA_THREADING_LAYER": layer},
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    if available.returncode:
        pytest.skip(f"Numba cannot load {layer} here")
    assert run(RUN.format(threads=2), NUMBA_THREADING_LAYER=layer) == fingerprint


@pytest.mark.parametrize(
    "limit",
    [{"OMP_THREAD_LIMIT": "1"}, {"NUMBA_NUM_THREADS": "1"}, {"OMP_NUM_THREADS": "1"}],
    ids=str,
)
def test_fewer_threads_than_asked_for(fingerprint, limit):
    assert run(RUN.format(threads=4), **limit) == fingerprint


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
def test_one_core_for_two_threads(fingerprint):
    pin = "import os\nos.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
    assert run(pin + RUN.format(threads=2), NUMBA_NUM_THREADS="2") == fingerprint


@pytest.mark.parametrize("count", [1, os.cpu_count() or 1])
def test_busy_neighbours_on_one_core_and_on_every_core(fingerprint, count):
    spin = [sys.executable, "-c", "while True: pass"]
    neighbours = [subprocess.Popen(spin) for _ in range(count)]
    try:
        assert run(RUN.format(threads=2)) == fingerprint
    finally:
        for neighbour in neighbours:
            neighbour.kill()
            neighbour.wait()


def test_many_python_threads_train_at_once(fingerprint):
    code = """
import threading
import numpy as np
import fastmlp
rng = np.random.default_rng(0)
images, labels = rng.random((300, 40), np.float32), rng.integers(0, 5, 300)
found = {}
def one_by_one(network):
    return b"".join(network.predict_proba(image).tobytes() for image in images)
def work(number):
    network = fastmlp.Network((40, 30 + number, 5), seed=number)
    fastmlp.train(network, (images, labels), epochs=5, batch_size=20, learning_rate=0.1,
                  threads=1 + number % 3)
    found[number] = network.predict_proba(images).tobytes(), one_by_one(network)
work(0)
alone = {}
for number in range(8):
    work(number)
alone, found = found, {}
threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(found == alone and len(found) == 8)
"""
    assert run(code) == ["True"]


def test_the_thread_count_of_numba_is_restored():
    code = (
        """
import numba
before = numba.get_num_threads()
"""
        + RUN.format(threads=1).replace("threads=1", "threads=2")
        + "\nprint(before == numba.get_num_threads())"
    )
    assert run(code)[-1] == "True"
