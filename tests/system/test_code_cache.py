"""The cache of machine code: what counts as a hit, and what as a miss."""

import os
import random
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

import numpy as np
import pytest
from kept import (
    DOUBLE,
    FLOAT,
    caught,
    compiled,
    fresh_process,
    hit,
    is_kept,
    only_file,
    plus_one,
    plus_two,
    types_of,
)
from numba.core.codegen import JITCodeLibrary

from fastmlp.kernels import launch
from fastmlp.kernels.llvm import compile
from fastmlp.system import code_cache as cache


def test_a_second_time_it_is_loaded_without_a_warning(home):
    (_, loaded), messages = caught(compiled)
    assert (loaded, messages) == (False, [])
    assert caught(hit) == (True, [])


def test_2000_flipped_bits_are_2000_misses(home):
    kernel, _ = compiled()
    path, reader = only_file(home), kernel.cache
    right = path.read_bytes()
    draw = random.Random(1)

    def misses(file):
        for _ in range(2000):
            place = draw.randrange(len(right))
            file.seek(place)
            file.write(bytes([right[place] ^ 1 << draw.randrange(8)]))
            yield reader.read(types_of()) is None
            file.seek(place)
            file.write(right[place : place + 1])

    with path.open("r+b", buffering=0) as file:
        missed, messages = caught(lambda: sum(misses(file)))
    assert (missed, len(messages)) == (2000, 1)
    assert reader.read(types_of()) == right[cache.DIGEST_BYTES :]


def link_to_nothing(path):
    path.unlink()
    path.symlink_to(path.parent / "nothing")


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def older_folder(path):
    """A file of another version of the kernels, under the name that it would have here."""
    data = path.read_bytes()[cache.DIGEST_BYTES :]
    key, _ = cache.KernelCache(plus_one)._place(Path("/fedcba9876543210"), types_of())
    path.write_bytes(cache._digest(key, data) + data)


DAMAGES = {
    "emptied": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("not what was written"),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "all but a byte": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "only a digest": lambda path: path.write_bytes(path.read_bytes()[: cache.DIGEST_BYTES]),
    "huge": lambda path: os.truncate(path, cache.MOST_BYTES + 1),
    "a digest of nothing": lambda path: path.write_bytes(cache._digest(b"", b"") + b""),
    "of another folder": older_folder,
    "others can write it": lambda path: path.chmod(0o622),
    "removed": Path.unlink,
    "a pipe": pipe,
    "a link to nothing": link_to_nothing,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_not_as_written_is_replaced_whole(home, monkeypatch, damage):
    compiled()
    path = only_file(home)
    DAMAGES[damage](path)
    (kept, loaded), messages = caught(lambda: (is_kept(plus_one), hit()))
    assert (kept, loaded) == (False, False)
    assert len(messages) <= 1
    assert stat.S_IMODE(path.lstat().st_mode) == 0o600
    assert only_file(home) == path
    fresh_process(monkeypatch)
    assert caught(hit) == (True, [])


def test_code_that_holds_addresses_of_this_process_is_not_kept(home, monkeypatch):
    compiled()
    monkeypatch.setattr(JITCodeLibrary, "has_dynamic_globals", True)
    loaded, messages = caught(hit, plus_two)
    assert not loaded
    assert [message.split(":")[0] for message in messages] == ["compiled kernels are not kept"]
    assert len(list(home.iterdir())) == 1


def test_a_function_from_elsewhere_is_not_kept_as_the_folder_does_not_know_its_source(home):
    compile.Shared(plus_one).compile(DOUBLE)
    assert not home.exists()


def test_no_file_stands_in_for_another(home):
    cases = [(plus_one, FLOAT), (plus_one, DOUBLE), (plus_two, DOUBLE)]
    files = {}
    for case in cases:
        before = set(home.glob("*")) if home.exists() else set()
        compiled(*case)
        (files[case],) = set(home.iterdir()) - before
    contents = [files[case].read_bytes() for case in cases]
    for case, data in zip(cases, contents[1:] + contents[:1], strict=True):
        files[case].write_bytes(data)
    assert caught(lambda: [hit(*case) for case in cases])[0] == [False] * 3
    assert [hit(*case) for case in cases] == [True] * 3


def test_two_precisions_compiled_at_once_keep_their_own_code(home, monkeypatch):
    waiting = []
    with monkeypatch.context() as patch:
        patch.setattr(cache.KernelCache, "write", lambda *saved: waiting.append(saved))
        assert [hit(plus_one, FLOAT), hit(plus_one, DOUBLE)] == [False, False]
    for saved in waiting:
        cache.KernelCache.write(*saved)
    assert [hit(plus_one, FLOAT), hit(plus_one, DOUBLE)] == [True, True]


def test_threads_that_start_together_compile_once(monkeypatch):
    compiling = []
    gate = Lock()
    gate.acquire()

    def compile_slowly(kernel, precision):
        compiling.append(kernel)
        gate.acquire(timeout=0.2)  # time for the others to arrive

    monkeypatch.setattr(launch, "_prepared", set())
    monkeypatch.setattr(compile.Shared, "compile", compile_slowly)
    monkeypatch.setattr(compile.Shared, "by_name", {"one": compile.Shared.by_name["train"]})
    monkeypatch.setattr(launch._threads, "most", lambda: 1)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(launch.prepare, [np.dtype("float32")] * 3))
    assert len(compiling) == 1


def test_it_is_said_to_be_compiled_if_all_files_are_as_written(home, monkeypatch):
    monkeypatch.setattr(launch, "_prepared", set())
    # other tests may have defined some that are not kept
    own = {name: one for name, one in compile.Shared.by_name.items() if one.cache}
    monkeypatch.setattr(compile.Shared, "by_name", own)
    for kernel in (*own.values(), launch._team):
        assert not launch.is_compiled(np.dtype("float32"))
        key, path = kernel.cache._place(home, compile.argument_types(kernel.function, FLOAT))
        cache._replace(path, cache._digest(key, b"code") + b"code")
    assert launch.is_compiled(np.dtype("float32"))
    assert not launch.is_compiled(np.dtype("float64"))
    damaged = sorted(home.iterdir())[3]
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    assert caught(launch.is_compiled, np.dtype("float32"))[0] is False
