"""Threads: settings that cannot be followed, teams that are not complete, code that interrupts."""

import os
import subprocess
import sys
import textwrap

import pytest

from fastmlp.kernels import launch

SECONDS = 180


def run(code, *arguments, **environment):
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code), *arguments],
        env=os.environ | {"NUMBA_NUM_THREADS": "4"} | environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def output(code, **environment):
    done = run(code, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


BAD_SETTINGS = [
    {"NUMBA_NUM_THREADS": "0"},
    {"NUMBA_NUM_THREADS": "-1"},
    {"NUMBA_NUM_THREADS": "abc"},
    {"NUMBA_NUM_THREADS": "10000000"},
    {"NUMBA_THREADING_LAYER": "bogus"},
    {"NUMBA_THREADING_LAYER_PRIORITY": "omp"},
]


@pytest.mark.parametrize("setting", BAD_SETTINGS, ids=str)
def test_a_setting_of_numba_that_cannot_be_followed_is_one_error(setting):
    code = """
    import sys
    import fastmlp
    try:
        fastmlp.Network((4, 3)).predict([[1, 2, 3, 4.0]])
    except fastmlp.ArgumentError as error:
        print(error)
    from fastmlp.cli import main
    main(["warmup"])
    """
    done = run(code, **setting)
    [(name, value)] = setting.items()
    assert done.returncode == 1
    raised = done.stdout.splitlines()[0]
    assert raised.startswith(f"{name} must ")
    assert repr(value) in raised
    assert "Unset it" in raised
    assert done.stderr == f"Error: {raised}\n"


def test_a_threading_layer_that_is_not_installed_is_one_error(monkeypatch):
    code = """
    import builtins, fastmlp, numba.np.ufunc
    real = builtins.__import__
    def without(name, globals=None, locals=None, fromlist=(), level=0):
        if "omppool" in (fromlist or ()) or "tbbpool" in (fromlist or ()):
            raise ImportError(name)
        return real(name, globals, locals, fromlist, level)
    builtins.__import__ = without
    try:
        fastmlp.Network((4, 3)).predict([[1, 2, 3, 4.0]])
    except fastmlp.ArgumentError as error:
        print("refused", "NUMBA_THREADING_LAYER must" in str(error), str(error).count("\\n"))
    """
    for layer in ("tbb", "omp", "safe"):
        assert output(code, NUMBA_THREADING_LAYER=layer) == ["refused", "True", "0"]
    assert output(code, NUMBA_THREADING_LAYER="default") == []


def test_members_that_were_missing_are_asked_for_again_after_a_while(monkeypatch):
    now = 100.0
    monkeypatch.setattr("fastmlp.system.threads.monotonic", lambda: now)
    monkeypatch.setattr("numba.config.NUMBA_NUM_THREADS", 4)
    threads = launch.Threads()
    assert [threads.expected(n) for n in (1, 2, 4, 9)] == [1, 2, 4, 4]
    threads.record(4, 4)
    assert threads.expected(4) == 4
    threads.record(2, 4)
    assert [threads.expected(n) for n in (1, 2, 4)] == [1, 2, 2]
    now = 101.0
    assert threads.expected(4) == 4


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
def test_a_team_that_never_comes_is_waited_for_by_the_clock():
    # by counting, each of these starts took seconds beside a busy process
    code = """
    import os, subprocess, sys
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    import numpy as np
    from fastmlp.bench.phases import BARRIERS
    from fastmlp.kernels import launch
    from fastmlp.kernels.memory.records import JOB, LAYER
    from fastmlp.system import threads
    def meet(members):
        job = np.zeros(1, JOB)
        job["steps"] = 1
        return launch.run(BARRIERS, job, np.zeros(0, LAYER), members, np.dtype(np.float32))
    meet(1)
    threads.RETRY_SECONDS = 0.0
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        print(*{meet(4) for _ in range(200)})
    finally:
        busy.kill()
    """
    for layer in ("omp", "workqueue"):
        found = output(code, OMP_THREAD_LIMIT="1", NUMBA_THREADING_LAYER=layer)
        assert layer == "workqueue" or found == ["1"]


HANDLERS = """
    import gc, signal, sys
    import numpy as np, fastmlp
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 2, (400, 60), np.uint8), rng.integers(0, 10, 400)

    def train(seed):
        network = fastmlp.Network((60, 40, 10), seed=seed)
        fastmlp.train(network, (images, labels), epochs=3, batch_size=20, learning_rate=0.1,
                      threads=2)
        return b"".join(w.tobytes() for w in network.weights)

    network, wide = fastmlp.Network((60, 300, 10)), fastmlp.Network((60, 32, 32))
    def predict(count):
        return b"".join(n.predict_proba(images[:count]).tobytes() for n in (network, wide))

    def work(count):
        return [train(0), predict(1), predict(400), train(1), predict(1)]
    wanted = work(1), predict(1), predict(400), train(2)
    found, inside = [], False
"""


def test_a_handler_that_predicts_and_trains_gets_answers_and_harms_none():
    code = (
        HANDLERS
        + """
    import numba
    def handler(*_):
        global inside
        if not inside:
            inside = True
            found.append((predict(1), predict(400), train(2)))
            inside = False
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0013)
    right = True
    while len(found) < 25:
        right = right and work(1) == wanted[0]
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(right, set(found) == {wanted[1:]}, numba.get_num_threads())
    """
    )
    assert output(code) == ["True", "True", "4"]


def test_a_handler_that_raises_leaves_what_is_right_afterwards():
    code = (
        HANDLERS
        + """
    import numba
    class Interrupted(Exception):
        pass
    def handler(*_):
        global inside
        if inside:
            inside = False
            raise Interrupted
    signal.signal(signal.SIGALRM, handler)
    right = True
    for trial in range(60):
        try:
            inside = True
            signal.setitimer(signal.ITIMER_REAL, 0.0003 + 0.0001 * (trial % 17), 0.001)
            while inside:
                network.predict(images[:1]), network.predict(images)
        except Interrupted:
            pass
        signal.setitimer(signal.ITIMER_REAL, 0)
        right = right and (predict(1), predict(400)) == wanted[1:3]
        right = right and numba.get_num_threads() == 4
    print(right, train(2) == wanted[3], numba.get_num_threads())
    """
    )
    assert output(code) == ["True", "True", "4"]


def test_callbacks_and_destructors_predict_and_train():
    code = (
        HANDLERS
        + """
    class Predicts:
        def __init__(self):
            self.itself = self
        def __del__(self):
            found.append((predict(1), predict(400), train(2)))
    def callback(progress):
        found.append((predict(1), predict(400), train(2)))
    gc.set_threshold(20)
    right = True
    for _ in range(3):
        for _ in range(20):
            Predicts()
        right = right and work(1) == wanted[0]
    gc.set_threshold(700)
    again = fastmlp.Network((60, 40, 10), seed=0)
    fastmlp.train(again, (images, labels), epochs=3, batch_size=20, learning_rate=0.1, threads=2,
                  callbacks=[callback])
    right = right and b"".join(w.tobytes() for w in again.weights) == wanted[0][0]
    print(right, set(found) == {wanted[1:]})
    """
    )
    assert output(code) == ["True", "True"]


def test_a_handler_that_interrupts_the_preparation_is_told_so():
    code = """
    import signal
    import numpy as np, fastmlp
    from fastmlp.errors import NotReadyError
    network, found = fastmlp.Network((4, 3)), []
    x = np.ones((1, 4), np.float32)
    def handler(*_):
        try:
            found.append(network.predict_proba(x).tobytes())
        except NotReadyError:
            found.append("not ready")
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.07)
    a = network.predict_proba(x).tobytes()
    signal.setitimer(signal.ITIMER_REAL, 0)
    print("not ready" in found, set(found) <= {a, "not ready"})
    """
    assert output(code) == ["True", "True"]


def test_a_handler_that_interrupts_the_loading_of_a_kernel_is_told_so():
    code = """
    import numpy as np, fastmlp
    from fastmlp.errors import NotReadyError
    from fastmlp.system import code_cache
    network, found = fastmlp.Network((4, 3)), []
    x, kernel_folder = np.ones((1, 4), np.float32), code_cache.kernel_folder
    def interrupted():
        try:
            network.predict_proba(x)
        except NotReadyError:
            found.append("not ready")
        return kernel_folder()
    code_cache.kernel_folder = interrupted
    print(network.predict_proba(x).shape == (1, 3), *set(found))
    """
    assert output(code) == ["True", "not", "ready"]
