"""Processes: forked, spawned, two at once, without a home, without a compiler."""

import os
import stat
import subprocess
import sys
import textwrap

import pytest

SECONDS = 180
TRAINS = """
import hashlib, sys
import numpy as np, fastmlp
def trained(seed=0):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (300, 100), np.uint8)
    network = fastmlp.Network((100, 40, 10), seed=seed)
    fastmlp.train(network, (images, rng.integers(0, 10, 300)), epochs=2, batch_size=16,
                  learning_rate=0.1, threads=2)
    network.predict(images)
    return hashlib.sha256(b"".join(w.tobytes() for w in network.weights)).hexdigest()
"""


def run(code, tmp_path, *before, **environment):
    script = tmp_path / "script.py"
    script.write_text(TRAINS + textwrap.dedent(code))
    return subprocess.run(
        [*before, sys.executable, str(script)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("layer", ["omp", "workqueue"])
def test_children_of_a_process_that_has_trained_get_the_same_bits(tmp_path, method, layer):
    code = f"""
    import multiprocessing
    if __name__ == "__main__":
        wanted = [trained(seed) for seed in range(3)]
        with multiprocessing.get_context("{method}").Pool(2) as pool:
            print(pool.map(trained, range(3)) == wanted)
    """
    done = run(code, tmp_path, NUMBA_THREADING_LAYER=layer, PYTHONWARNINGS="ignore")
    assert done.stdout == "True\n", done.stderr


def test_threads_that_train_different_networks_get_the_same_bits(tmp_path):
    code = """
    from concurrent.futures import ThreadPoolExecutor
    wanted = [trained(seed) for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        print(list(pool.map(trained, range(8))) == wanted)
    """
    done = run(code, tmp_path)
    assert done.stdout == "True\n", done.stderr


def test_without_a_compiler_numpy_computes_and_says_so(tmp_path):
    code = """
    import warnings
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trained()
    print(sum("NUMBA_DISABLE_JIT is set" in str(w.message) for w in caught) > 0)
    """
    done = run(code, tmp_path, NUMBA_DISABLE_JIT="1")
    assert done.stdout == "True\n", done.stderr


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
def test_one_core(tmp_path):
    done = run("import os; os.sched_setaffinity(0, {0}); print(trained())", tmp_path)
    assert done.stdout == run("print(trained())", tmp_path).stdout, done.stderr


@pytest.mark.parametrize("count", ["1", "7"])
def test_more_and_fewer_numba_threads_than_cores(tmp_path, count):
    done = run("print(trained())", tmp_path, NUMBA_NUM_THREADS=count)
    assert done.stdout == run("print(trained())", tmp_path).stdout, done.stderr


def test_a_home_that_cannot_be_written_costs_the_cache_and_one_warning(tmp_path):
    home = tmp_path / "home"
    home.write_text("not a folder")  # which not even root can write into
    environment = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    environment |= {"FASTMLP_CACHE": "", "PYTHONWARNINGS": "always"}
    done = run("print(trained())", tmp_path, **environment)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("compiled kernels are not kept") == 1


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root writes anywhere")
def test_a_cache_without_permission(tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir()
    cache.chmod(stat.S_IRUSR | stat.S_IXUSR)
    done = run("print(trained())", tmp_path, FASTMLP_CACHE=str(cache))
    assert done.returncode == 0, done.stderr
    assert "compiled kernels are not kept" in done.stderr
