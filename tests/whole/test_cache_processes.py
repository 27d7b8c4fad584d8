"""Whole processes and the cache of machine code: damaged, shared, on a disk that is full.

FASTMLP_DAMAGED says how many processes meet a damaged file each; 4 by default.
"""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from numba.core import types

from fastmlp.kernels import launch
from fastmlp.kernels.llvm.compile import Shared, argument_types
from fastmlp.system import code_folder as folder
from fastmlp.system.paths import make_folder

SECONDS = 180
DAMAGED = int(os.environ.get("FASTMLP_DAMAGED", "4"))
TRAINS = """
import hashlib, sys, warnings
import numpy as np, fastmlp
from fastmlp.kernels import is_compiled

warnings.simplefilter("ignore", fastmlp.TrainingWarning)

def trained(dtype="float32"):
    was_compiled = is_compiled(np.dtype(dtype))
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (300, 100), np.uint8)
    network = fastmlp.Network((100, 40, 10), dtype=dtype)
    fastmlp.train(network, (images, rng.integers(0, 10, 300)), epochs=2, batch_size=16,
                  learning_rate=0.1, threads=2)
    answers = network.predict(images).tobytes()
    bits = b"".join(w.tobytes() for w in network.weights) + answers
    print(was_compiled, hashlib.sha256(bits).hexdigest())
"""

LOOKS_AGAIN = """
from fastmlp.kernels import launch
trained()
launch._prepared.clear()
print(is_compiled(np.dtype("float32")))
"""

COUNTS = """
import sys
from fastmlp.kernels import launch
from fastmlp.kernels.llvm.compile import Shared

compiled, build = [], Shared.build
Shared.build = lambda kernel, kind: compiled.append(kernel) or build(kernel, kind)
launch.available_threads = lambda: 2
{}
trained()
print(len(compiled), len(launch._kernels()))
"""


def start(cache, code="trained()", *options):
    return subprocess.Popen(
        [sys.executable, *options, "-c", TRAINS + code],
        env=os.environ | {"FASTMLP_CACHE": str(cache)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    """Return what a process printed as words, and its messages."""
    try:
        printed, messages = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    assert process.returncode == 0, messages
    return printed.split(), messages


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    """A cache with the machine code of float32, and the digest of what is trained with it."""
    cache = tmp_path_factory.mktemp("ready") / "cache"
    launch.prepare(np.dtype("float32"))
    if (own := folder.kernel_folder()) is not None:
        make_folder(cache / "kernels" / own.name)
        for kernel in (*Shared.by_name.values(), launch._team):
            if kernel.cache is None:
                continue  # of other tests: none keeps them
            arguments = argument_types(kernel.function, types.float32)
            _, path = kernel.cache._place(own, arguments)
            if path.exists():
                shutil.copy(path, cache / "kernels" / own.name)
    (_, digest), _ = finish(start(cache))
    return cache, digest


def files(cache):
    """Return the files of machine code, the smallest first."""
    return sorted(cache.glob("kernels/*/*.code"), key=lambda path: (path.stat().st_size, path))


def test_processes_that_find_a_flipped_bit_train_the_same_parameters(ready, tmp_path):
    cache, digest = ready
    for number in range(DAMAGED):
        copy = tmp_path / str(number)
        shutil.copytree(cache, copy)
        path = files(copy)[number % len(files(copy))]
        before = path.read_bytes()
        place = np.random.default_rng(number).integers(8 * len(before))
        damaged = bytearray(before)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        (was_compiled, found, *after), messages = finish(start(copy, LOOKS_AGAIN))
        assert (was_compiled, found, after) == ("False", digest, ["True"])
        assert messages.count("Warning") == messages.count("is not what was written") == 1
        shutil.rmtree(copy)


def test_workers_compile_all_kernels_and_this_process_what_they_cannot(ready, tmp_path):
    for number, before in enumerate(["", "sys.executable = '/missing/python3'"]):
        (_, digest, own, all_of_them), _ = finish(
            start(tmp_path / str(number), COUNTS.format(before))
        )
        assert digest == ready[1]
        assert int(own) == number * int(all_of_them)


def test_workers_compile_what_is_missing(ready, tmp_path):
    shutil.copytree(ready[0], tmp_path / "cache")
    looked_for = f"{launch._kernels()[0].function.__name__}.*"  # by `prepare`
    for path in (files(tmp_path / "cache")[-1], next((tmp_path / "cache").rglob(looked_for))):
        path.unlink()
    before = {path: path.stat().st_mtime_ns for path in files(tmp_path / "cache")}
    (_, digest, own, _), _ = finish(start(tmp_path / "cache", COUNTS.format("")))
    assert (digest, own) == (ready[1], "0")
    after = {path: path.stat().st_mtime_ns for path in files(tmp_path / "cache")}
    assert len(after) == len(before) + 2
    assert before.items() <= after.items()


def test_two_precisions_compiled_at_once_into_an_empty_cache(tmp_path):
    cache = tmp_path / "cache"
    found = {}
    for was_compiled in ("False", "True"):
        both = {
            dtype: start(cache, f"trained('{dtype}')", "-W", "error")
            for dtype in ("float32", "float64")
        }
        for dtype, process in both.items():
            (before, digest), _ = finish(process)
            assert before == was_compiled
            assert found.setdefault(dtype, digest) == digest


def test_processes_that_replace_the_same_file_at_once(ready, tmp_path):
    cache, digest = ready
    copy = tmp_path / "cache"
    shutil.copytree(cache, copy)
    for path in files(copy)[:3]:
        path.unlink()
    for process in [start(copy, "trained()", "-W", "error") for _ in range(2)]:
        assert finish(process)[0][1] == digest
    assert finish(start(copy, "trained()", "-W", "error"))[0] == ["True", digest]


def test_a_full_disk_costs_the_cache_and_one_warning(ready, tmp_path):
    resource = pytest.importorskip("resource")
    cache, digest = ready
    copy = tmp_path / "cache"
    shutil.copytree(cache, copy)
    missing = files(copy)[:3]
    for path in missing:
        path.unlink()
    limits = (100, resource.RLIM_INFINITY)
    code = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, {limits}); trained()"
    (_, found), messages = finish(start(copy, code))
    assert found == digest
    assert messages.count("compiled kernels are not kept: cannot write to") == 1
    assert messages.count("Warning") == 1
    assert not [path for path in missing if path.exists()]
    assert not list(copy.glob("kernels/*/*.part"))


def test_a_cache_that_others_can_write_costs_one_warning(ready, tmp_path):
    copy = tmp_path / "cache"
    shutil.copytree(ready[0], copy)
    (copy / "kernels").chmod(0o777)
    code = """
try:
    from fastmlp.kernels.llvm.compile import Shared
    from numba.core import types
    print(Shared.by_name["train"].kept(types.float32) is not None, is_compiled(np.dtype("float32")))
except RuntimeWarning:
    print("raised")
"""
    printed, messages = finish(start(copy, code))
    assert printed == ["False", "False"]
    assert messages.count("Warning") == messages.count("are code that runs here") == 1
    printed, _ = finish(start(copy, code, "-W", "error"))
    assert printed == ["raised"]
