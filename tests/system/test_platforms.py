"""Systems that lack functions of Linux, limits of processes, and settings of Numba."""

import errno
import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import fastmlp
from fastmlp.system import files
from fastmlp.system.tensors import tensor_bytes

# What Windows, or Windows and macOS, do not have
LACKING = (
    *("O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "fchmod", "fchown", "set_blocking"),
    *("sched_getaffinity", "geteuid", "register_at_fork"),
)


def run(code, folder, **environment):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=os.environ | {"FASTMLP_DATA": ""} | environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_files_and_digits_need_no_function_that_windows_lacks(tmp_path):
    (tmp_path / "t.csv").write_text("a,b,y\n" + "1.5,2,p\n2.5,1,q\n" * 20)
    code = f"""
    import os
    import select
    import numpy.random  # which looks for other functions there
    for name in {LACKING}:
        delattr(os, name)
    del select.poll
    import fastmlp
    open("empty.csv", "w").close()
    try:
        fastmlp.load_dataset("empty.csv")
    except fastmlp.DataError as error:
        assert "found 0 line" in str(error), error
    network = fastmlp.Network((2, 3, 2), seed=1)
    for _ in range(2):
        network.save("m.safetensors")
    assert (fastmlp.Network.load("m.safetensors").weights[0] == network.weights[0]).all()
    assert len(fastmlp.load_dataset("t.csv").train) == 32
    assert fastmlp.datasets.generate_digits(train=20, test=10).train.images.any()
    """
    done = run(code, tmp_path)
    assert done.returncode == 0, done.stderr


def test_data_are_read_by_a_python_that_was_built_without_bz2_and_lzma(tmp_path):
    (tmp_path / "t.csv").write_text("a,b,y\n" + "1.5,2,p\n2.5,1,q\n" * 20)
    code = """
    import lzma, sys
    with lzma.open("t.csv.xz", "wb") as packed:
        packed.write(open("t.csv", "rb").read())
    for name in "bz2", "lzma", "_bz2", "_lzma":
        sys.modules[name] = None
    import fastmlp
    assert len(fastmlp.load_dataset("t.csv").train) == 32
    try:
        fastmlp.load_dataset("t.csv.xz")
    except fastmlp.DataError as error:
        assert "lzma" in str(error)
    """
    done = run(code, tmp_path)
    assert done.returncode == 0, done.stderr


def test_digits_are_drawn_where_no_thread_can_start(monkeypatch):
    from concurrent import futures

    def refuse(*_):
        raise RuntimeError("can't start new thread")

    wanted = fastmlp.datasets.generate_digits(train=20, test=10)
    monkeypatch.setattr(futures.ThreadPoolExecutor, "submit", refuse)
    found = fastmlp.datasets.generate_digits(train=20, test=10)
    np.testing.assert_array_equal(found.train.images, wanted.train.images)


@pytest.mark.parametrize(
    "write", [lambda path: files.write_whole(path, b"x"), files.check_writable]
)
def test_ctrl_c_while_a_file_is_made_leaves_none(tmp_path, monkeypatch, write):
    create = files._create_beside

    def interrupted(*arguments):
        signal.raise_signal(signal.SIGINT)
        return create(*arguments)

    monkeypatch.setattr(files, "_create_beside", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_writing_keeps_its_reason_in_another_process():
    with pytest.raises(fastmlp.UnwritableError) as caught:
        fastmlp.Network((3, 2)).save("/nowhere/x")
    one, other = caught.value, pickle.loads(pickle.dumps(caught.value))
    assert (str(other), other.errno, other.filename) == (str(one), 2, "/nowhere/x")
    assert other.strerror == one.strerror


def test_the_same_tensors_and_metadata_are_the_same_bytes():
    tensors = {"w": np.ones((3, 2), np.float32), "b": np.zeros(2)}
    metadata = {name: name for name in "abcdefgh"}
    assert len({tensor_bytes(tensors, metadata) for _ in range(8)}) == 1


@pytest.mark.parametrize(
    ("variables", "width"),
    [
        ({"NUMBA_ENABLE_AVX": "0"}, 16),
        ({"NUMBA_CPU_NAME": "generic"}, 16),
        ({"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx,+avx2,+fma,-avx512f"}, 32),
    ],
)
def test_vectors_are_those_of_the_processor_that_numba_compiles_for(tmp_path, variables, width):
    code = "from fastmlp.kernels.llvm import emitter; print(emitter.VECTOR_BYTES)"
    found = run(code, tmp_path, FASTMLP_VECTOR_BYTES="64", **variables)
    assert found.stdout.split() == [str(width)], found.stderr


@pytest.mark.parametrize(
    "command", ["info", "warmup", "verify --cases 5", "bench --quick", "bench barriers"]
)
def test_what_needs_compiled_code_names_the_variable_that_forbids_it(tmp_path, command):
    code = f"from fastmlp.cli import main; main({command.split()})"
    done = run(code, tmp_path, NUMBA_DISABLE_JIT="1")
    assert done.returncode == 1
    assert done.stderr.strip().startswith("Error: NUMBA_DISABLE_JIT must not be set")


@pytest.mark.parametrize("closed", [">&-", "--json 2>&-", "--json >&- 2>&-"])
def test_a_command_runs_without_standard_output_or_standard_error(tmp_path, closed):
    (tmp_path / "t.csv").write_text("a,b,y\n" + "1.5,2,p\n2.5,1,q\n" * 20)
    command = "-m fastmlp train --dataset t.csv --epochs 1 --backend numpy --model m"
    command = ["sh", "-c", f"exec {sys.executable} {command} {closed}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert fastmlp.Network.load(tmp_path / "m").sizes[0] == 2
    if closed == "--json 2>&-":  # what goes to standard error is not among the document
        assert json.loads(done.stdout)["model"] == "m"


def test_a_file_is_written_where_the_file_system_cannot_synchronise(tmp_path, monkeypatch):
    def refuse(_):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(os, "fsync", refuse)
    files.write_whole(tmp_path / "m", b"x")
    assert (tmp_path / "m").read_bytes() == b"x"


def test_a_folder_on_a_drive_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(os.path, "lexists", lambda _: False)
    with pytest.raises(fastmlp.UnwritableError, match=r"x cannot be written: .*not a folder"):
        files.check_folder(Path("/no/such/drive/x"))


def test_the_estimators_work_without_docstrings(tmp_path):
    pytest.importorskip("sklearn")
    code = "from fastmlp.estimator import MLPRegressor as M; print(M.__doc__.count('hidden'))"
    done = subprocess.run(
        [sys.executable, "-OO", "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    assert int(done.stdout) > 0, done.stderr
