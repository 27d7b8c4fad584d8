"""Where the command line writes: checked before the work, and never at the cost of the result."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import fastmlp
from fastmlp.cli import main, steps
from fastmlp.datasets import generate_digits
from fastmlp.errors import UnwritableError
from fastmlp.system import files

TRAIN = ("train", "--backend", "numpy", "--hidden-layers", "", "--epochs", "2")


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, with an empty home and temporary folder, beside a small data set."""
    for name in ("work", "home", "temporary", "out"):
        (tmp_path / name).mkdir()
    digits = generate_digits(train=100, test=20)
    train, test = digits.train, digits.test
    arrays = {"x_train": train.images, "y_train": train.labels}
    np.savez(tmp_path / "d.npz", **arrays, x_test=test.images, y_test=test.labels)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.setenv("FASTMLP_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


def train(*arguments: object, status: int = 0) -> Result:
    words = [*TRAIN, "--dataset", "../d.npz", *map(str, arguments)]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.output
    return result


def after_training(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Let something happen between the training and the saving."""
    real = steps.train_network

    def trained(*arguments: Any) -> Any:
        history = real(*arguments)
        happens()
        return history

    monkeypatch.setattr(steps, "train_network", trained)


def full(monkeypatch: pytest.MonkeyPatch, *folders: Path) -> None:
    """Let disks be full: no file in these folders can be renamed into its place."""
    real = os.replace

    def replace(part: Any, target: Any) -> None:
        if Path(target).parent in folders:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(part, target)

    monkeypatch.setattr(files.os, "replace", replace)


def all_files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_places_are_refused_before_the_data_is_even_looked_for(work: Path) -> None:
    os.mkfifo("pipe")
    Path("circle").symlink_to("circle")
    Path("dangling").symlink_to("none/file")
    Path("file").touch()
    for option, names in (
        ("model", "/dev/null /dev/full pipe . circle dangling none/m file/m"),
        ("checkpoint", "/dev/null pipe file file/c circle /proc/c"),
    ):
        for name in names.split():
            words = ["train", "--dataset", "/no/such/folder", f"--{option}", name]
            result = CliRunner().invoke(main, words)
            assert result.exit_code == 1
            assert f"Error: --{option} must be" in result.stderr
            assert name in result.stderr
            assert f"--{option}" in result.stderr
    assert all_files(work / "work") == ["file"]


def test_a_link_to_a_model_stays(work: Path) -> None:
    Path("link").symlink_to("../out/real")
    assert "model saved to link" in train("--model", "link").stdout
    assert Path("link").is_symlink()
    assert fastmlp.Network.load("../out/real").sizes == (784, 10)


def test_a_tilde_is_the_home_folder_also_where_no_shell_has_seen_it(work: Path) -> None:
    train("--model=~/m", "--checkpoint=~/c")
    assert len(all_files(work / "home")) == 3
    predict = ["predict", "~/m", "../d.npz", "--output=~/answers.csv"]
    assert CliRunner().invoke(main, predict).exit_code == 0
    assert "answers.csv" in all_files(work / "home")
    assert all_files(work / "work") == []


@pytest.mark.parametrize("as_json", [False, True])
def test_a_model_whose_disk_is_full_is_in_the_working_folder(
    work: Path, monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    model = work / "out" / "m.safetensors"
    model.write_bytes(b"older")
    Path("m.safetensors").write_bytes(b"another")
    full(monkeypatch, work / "out")
    result = train("--model", model, *["--json"] * as_json, status=1)
    place = work / "work" / "m-1.safetensors"
    assert f"{model} cannot be written: No space left on device" in result.stderr
    assert f"written to {place} instead" in result.stderr
    assert fastmlp.Network.load(place).sizes == (784, 10)
    assert (model.read_bytes(), Path("m.safetensors").read_bytes()) == (b"older", b"another")
    assert all_files(work / "out") == ["m.safetensors"]
    if as_json:
        document = json.loads(result.stdout)
        assert document["model"] == str(place)
        assert str(model) in document["model_error"]
        assert document["test_accuracy"] is not None
    else:
        assert f"model saved to {place}" in result.stdout
        assert "test accuracy" in result.stdout


def test_a_folder_that_is_gone_after_the_training_costs_nothing(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    after_training(monkeypatch, lambda: shutil.rmtree(work / "work"))
    result = train(status=1)
    assert f"{work / 'work' / 'd.safetensors'} cannot be written" in result.stderr
    assert all_files(work / "home") == ["d.safetensors"]
    fastmlp.Network.load(work / "home" / "d.safetensors")


def test_a_name_that_became_something_else_meanwhile(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    after_training(monkeypatch, lambda: os.mkfifo("m"))
    assert "it is a pipe" in train("--model", "m", status=1).stderr
    assert all_files(work / "work") == ["m-1"]


def test_another_working_folder_after_the_training_makes_no_difference(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    after_training(monkeypatch, lambda: os.chdir(work / "out"))
    train("--model", "m", "--checkpoint", "c")
    assert "m" in all_files(work / "work")
    assert all_files(work / "out") == []


def test_the_temporary_folder_is_the_last_place_and_its_file_is_for_the_user_alone(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full(monkeypatch, work / "out", work / "work", work / "home")
    train("--model", work / "out" / "m", status=1)
    (place,) = (work / "temporary").glob("fastmlp-*/m")
    fastmlp.Network.load(place)
    assert place.parent.stat().st_mode & 0o777 == 0o700


def test_without_home_and_room_all_places_are_named(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.setattr(steps.os, "replace", lambda *_: os.stat("/no/room"))
    result = train("--model", "m", status=1)
    assert result.stderr.count("Error: ") == 1
    assert f"{work / 'work' / 'm'} cannot be written" in result.stderr
    assert str(work / "temporary") in result.stderr
    assert all_files(work / "work") == []
    assert list((work / "temporary").iterdir()) == []


def test_a_checkpoint_that_cannot_be_written_costs_no_epoch(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = files.os.replace

    def replace(part: Any, target: Any) -> None:
        if Path(target).name == "checkpoint-000002.safetensors":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(part, target)

    monkeypatch.setattr(files.os, "replace", replace)
    result = train("--checkpoint", "c", "--epochs", "5", "--seed", "3", status=1)
    assert "checkpoint-000002.safetensors cannot be written: No space left" in result.stderr
    assert "stopped after 2 epochs" in result.stdout
    assert os.listdir("c") == ["checkpoint-000001.safetensors"]
    fastmlp.Network.load("d.safetensors")


def test_an_interrupt_while_a_model_is_saved_waits_until_it_is(work: Path) -> None:
    import signal

    def write(path: Path) -> None:
        signal.raise_signal(signal.SIGINT)
        files.write_whole(path, b"model")

    with pytest.raises(KeyboardInterrupt):
        steps.save_file(work / "work" / "m", write)
    assert Path("m").read_bytes() == b"model"


def test_what_is_wrong_with_the_program_is_not_taken_for_a_full_disk(work: Path) -> None:
    def write(path: Path) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        steps.save_file(work / "m", write)
    with pytest.raises(UnwritableError):
        fastmlp.Network((2, 2)).save("/dev/full")


def test_a_standard_output_that_is_full_is_named() -> None:
    code = "from fastmlp.cli import main; main()"
    for arguments in (["info"], ["info", "--json"], ["warmup", "--help"], ["--version"]):
        with open("/dev/full", "w") as out:
            done = subprocess.run(
                [sys.executable, "-c", code, *arguments],
                stdout=out,
                stderr=subprocess.PIPE,
                text=True,
                timeout=60,
            )
        assert done.returncode != 0
        assert "standard output: No space left on device" in done.stderr, arguments
        assert "Traceback" not in done.stderr
