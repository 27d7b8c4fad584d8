"""No command writes over the data that it reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line import error, run
from PIL import Image

from fastmlp.cli.steps import check_path
from fastmlp.errors import ArgumentError

NUMPY = ("--backend", "numpy", "--epochs", "1")
DATA = ("X.npy", "y.npy", "train-images-idx3-ubyte", "day/1.png", "x-labels.idx1-ubyte.gz")
OTHERS = ("run.log", "m.safetensors", "answers.csv", "day/notes.txt")


@pytest.mark.parametrize("name", DATA + OTHERS)
def test_only_data_in_a_folder_of_data_are_kept(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "own"
    path = folder / name
    path.parent.mkdir(parents=True)
    assert check_path(path, "model", folder) == path
    path.write_bytes(b"x")
    link = tmp_path / "link"
    link.symlink_to(path)
    for one in (path, link, folder / "day" / ".." / name if "/" in name else path):
        if name in OTHERS:
            check_path(one, "model", folder)
            continue
        with pytest.raises(ArgumentError, match="model must not be what the command reads"):
            check_path(one, "model", folder)
        check_path(one, "model", tmp_path / "elsewhere", "mnist")


def test_commands_keep_the_files_of_their_folders() -> None:
    Path("own").mkdir()
    np.save("own/X.npy", np.random.default_rng(0).normal(size=(40, 3)))
    np.save("own/y.npy", np.arange(40) % 2)
    kept = Path("own/y.npy").read_bytes()
    for source in ("--dataset=own", "--dataset=own/X.npy", "--data-folder=own"):
        said = error("train", source, "--model", "own/y.npy", *NUMPY)
        assert said.startswith("Error: --model must not be what the command reads; got")
    assert Path("own/y.npy").read_bytes() == kept
    for _ in ("new", "written again"):
        run("train", "--dataset", "own", "--model", "own/m.safetensors", *NUMPY)
    Path("photos").mkdir()
    Image.new("L", (3, 1)).save("photos/1.png")
    said = error("predict", "own/m.safetensors", "photos", "--output", "photos/1.png")
    assert said.startswith("Error: --output must not be what the command reads; got")
