"""Forks: the child of a process that computes, in whatever thread and with whatever library.

Each test is one process with a time limit, whose children have limits of their own.
"""

import os
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
SECONDS = 180
PRELUDE = """
import ctypes, hashlib, os, select, signal, sys, threading, time

def trained(seed=0, threads=2):
    import numpy as np, fastmlp
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (100, 60), np.uint8)
    network = fastmlp.Network((60, 40, 10), seed=seed)
    fastmlp.train(network, (images, rng.integers(0, 10, 100)), epochs=2, batch_size=16,
                  learning_rate=0.1, threads=threads)
    answers = network.predict_proba(images), network.predict_proba(images[:1])
    arrays = (*network.weights, *answers)
    return hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest()

def in_child(work, seconds=60):
    "Return what work() does in a fork of this process: its result, or how it failed."
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            result = str(work())
        except BaseException as error:
            result = repr(error)
        os.write(writes, result.encode())
        os._exit(0)
    os.close(writes)
    ready = select.select([reads], [], [], seconds)[0]
    if not ready:
        os.kill(child, signal.SIGKILL)
    result = os.read(reads, 10000).decode() if ready else "hung"
    os.close(reads)
    status = os.waitpid(child, 0)[1]
    return result if result == "hung" or status == 0 else f"ended with status {status}"

def in_thread(work):
    found = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]

class Background:
    "Runs work() again and again in another thread."
    def __init__(self, work):
        self.work, self.ended = work, False
        self.thread = threading.Thread(target=self.run)
    def run(self):
        while not self.ended:
            self.work()
    def __enter__(self):
        self.thread.start()
    def __exit__(self, *_):
        self.ended = True
        self.thread.join()
"""


def run(code, **environment):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PRELUDE + textwrap.dedent(code)],
        env=os.environ | {"NUMBA_NUM_THREADS": "2"} | environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.fixture(scope="module")
def fingerprint():
    return run("print(trained())")


@pytest.mark.parametrize("layer", ["omp", "workqueue"])
def test_a_parallel_call_of_somebody_else_before_the_fork(fingerprint, layer):
    code = """
    import numba
    @numba.vectorize(["float64(float64)"], target="parallel")
    def foreign(x):
        return x + 1
    import numpy as np
    foreign(np.ones(10000))
    assert "fastmlp" not in sys.modules
    print(in_child(trained))
    print(in_child(lambda: in_child(trained)))
    print(in_child(lambda: in_thread(trained)))
    print(in_thread(lambda: in_child(trained)))
    import fastmlp.kernels
    print(in_child(trained))
    print(trained())
    print(in_child(lambda: in_child(trained)))
    """
    assert run(code, NUMBA_THREADING_LAYER=layer) == fingerprint * 7


@pytest.mark.skipif(sys.platform != "linux", reason="needs GNU OpenMP")
def test_a_parallel_region_of_another_library_before_the_fork(fingerprint):
    code = """
    try:
        openmp = ctypes.CDLL("libgomp.so.1")
    except OSError:
        print("none")
        sys.exit()
    region = ctypes.cast(ctypes.CDLL(None).getpid, ctypes.c_void_p)
    openmp.GOMP_parallel(region, None, 2, 0)
    print(in_child(trained))
    import fastmlp.kernels
    print(in_child(trained))
    print(in_child(lambda: in_child(trained)))
    """
    found = run(code, NUMBA_THREADING_LAYER="omp")
    if found == ["none"]:
        pytest.skip("no libgomp.so.1 here")
    assert found == fingerprint * 3


def test_a_fork_that_python_is_not_told_of(fingerprint):
    code = """
    wanted = trained()
    os.fork = ctypes.PyDLL(None).fork
    print(in_child(trained))
    """
    assert run(code) == fingerprint


def test_forks_while_other_threads_predict_and_train(fingerprint):
    code = """
    import numpy as np, fastmlp
    trained()
    rng = np.random.default_rng(0)
    network = fastmlp.Network((60, 300, 10))
    images = rng.integers(0, 2, (500, 60), np.uint8)
    few, many = network.predict_proba(images[0]), network.predict_proba(images)
    def predict():
        same = network.predict_proba(images[0]).tobytes() == few.tobytes()
        return same and network.predict_proba(images).tobytes() == many.tobytes()
    def few_only():
        network.predict_proba(images[0])
    with Background(few_only), Background(few_only), Background(predict), Background(trained):
        for _ in range(15):
            print(in_child(predict))
        print(in_child(trained))
    assert predict()
    """
    assert run(code) == ["True"] * 15 + fingerprint


def test_forks_while_other_threads_predict_many_numbers_in_float64():
    code = """
    import numpy as np, fastmlp
    network = fastmlp.Network(16, 32, 2)
    rows = np.random.default_rng(0).normal(size=(2000, 16))
    wanted = network.predict_proba(rows).tobytes()
    def predict():
        return network.predict_proba(rows).tobytes() == wanted
    with Background(predict), Background(predict):
        print(*(in_child(predict) for _ in range(50)))
    """
    # of a BLAS, whose threads would end in a fork
    assert run(code, OPENBLAS_NUM_THREADS="2") == ["True"] * 50


def test_forks_while_another_thread_compiles(fingerprint):
    code = """
    import numba
    from llvmlite import binding
    import fastmlp.kernels
    def compile():
        numba.njit("float64(float64)")(lambda x: x + 1)
        binding.parse_assembly("")
    with Background(compile):
        print(in_child(trained))
        print(in_child(trained))
    loading = threading.Thread(target=trained)
    loading.start()
    time.sleep(0.1)
    print(in_child(trained))
    loading.join()
    print(trained())
    """
    assert run(code) == fingerprint * 4


def test_forks_by_who_holds_the_locks_already(fingerprint):
    code = """
    import numpy as np, fastmlp
    from fastmlp.kernels.launch import _threads
    from numba.core.compiler_lock import global_compiler_lock
    trained()
    images = np.ones((100, 60), np.uint8)
    network, found = fastmlp.Network((60, 40, 10)), []
    def fork(progress):
        found.append(in_child(trained))
        with _threads.launching, global_compiler_lock:
            found.append(in_child(trained))
        return True
    fastmlp.train(network, (images, np.zeros(100, int)), epochs=1, batch_size=10, learning_rate=0.1,
                  threads=2, callbacks=[fork])
    signal.signal(signal.SIGALRM, lambda *_: found.append(in_child(trained)))
    for delay in (0.001, 0.0013, 0.0017):
        wanted = len(found) + 1
        signal.setitimer(signal.ITIMER_REAL, delay)
        while len(found) < wanted:
            network.predict(images[0])
            network.predict(images)
    print(*found, trained())
    """
    assert run(code) == fingerprint * 6
