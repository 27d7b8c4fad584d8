"""Digits as an .npz file, a network trained on them, and an empty folder to work in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from command_line import SMALL

from fastmlp.cli import main
from fastmlp.datasets import Dataset, generate_digits


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return generate_digits(train=1500, test=300)


@pytest.fixture(scope="module")
def data(digits: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits as an .npz file, "some.npz"."""
    path = tmp_path_factory.mktemp("data") / "some.npz"
    train, test = digits.train, digits.test
    arrays = {"x_train": train.images, "y_train": train.labels}
    np.savez(path, **arrays, x_test=test.images, y_test=test.labels)
    return path


@pytest.fixture(scope="module")
def model(data: Path) -> Path:
    """A network trained on them: 784-24-10."""
    path = data.parent / "some.safetensors"
    result = CliRunner().invoke(main, ["train", *SMALL, f"--dataset={data}", f"--model={path}"])
    assert result.exit_code == 0, result.output
    return path


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty folder, without the user's data and cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FASTMLP_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FASTMLP_DATA", raising=False)
