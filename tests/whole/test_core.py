"""What runs with the core dependencies alone, and what is said where an extra is missing."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import fastmlp
from fastmlp.datasets.picture import read_pictures
from fastmlp.errors import MissingExtraError
from fastmlp.report.charts import figure_class

ROOT = Path(fastmlp.__file__).parent
# The only files that import what an extra brings, and the name under which it is imported
EXTRAS = {
    "report/charts.py": {"matplotlib"},
    "datasets/raster.py": {"PIL"},
    "datasets/picture_folder.py": {"PIL"},
    "bench/peers/pytorch.py": {"torch"},
    "bench/peers/jax_scan.py": {"jax"},
    "bench/peers/tensor_flow.py": {"tensorflow"},
    "bench/peers/scikit_learn.py": {"sklearn"},
}
# A part that is an extra as a whole
PARTS = {"estimator": {"sklearn", "scipy"}}
BROUGHT_BY_CORE = {"llvmlite"}  # by numba


def imported(path: Path) -> set[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.append(node.module or "")
    return {name.split(".")[0] for name in names} - sys.stdlib_module_names - {"fastmlp"}


def test_only_core_dependencies_are_imported_but_for_extras_in_files_of_their_own() -> None:
    project = tomllib.loads((ROOT.parent / "pyproject.toml").read_text())["project"]
    core = {re.split("[<>=]", text)[0] for text in project["dependencies"]} | BROUGHT_BY_CORE
    more = {
        str(path.relative_to(ROOT)): names
        for path in ROOT.rglob("*.py")
        if (names := imported(path) - core - PARTS.get(path.parent.name, set()))
    }
    assert more == EXTRAS


def test_everything_but_peers_and_parts_imports_without_extras() -> None:
    modules = [
        ".".join(("fastmlp", *path.relative_to(ROOT).with_suffix("").parts))
        for path in ROOT.rglob("*.py")
        if (str(path.relative_to(ROOT)) not in EXTRAS or "peers" not in path.parts)
        and path.parent.name not in PARTS
    ]
    code = (
        "import sys, importlib\n"
        "for name in 'matplotlib PIL torch jax tensorflow sklearn scipy pandas'.split():\n"
        "    sys.modules[name] = None\n"
        f"for name in {modules!r}:\n"
        "    importlib.import_module(name)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_missing_extra_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    for name in ("matplotlib", "matplotlib.figure", "PIL"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=r'pip install "fastmlp\[plot\]"'):
        figure_class()
    with pytest.raises(MissingExtraError, match=r'x\.png.*pip install "fastmlp\[image\]"'):
        read_pictures(tmp_path / "x.png", 784)
    np.save(tmp_path / "x.npy", np.zeros((28, 28)))
    assert len(read_pictures(tmp_path / "x.npy", 784).images) == 1


def test_numpy_with_a_number_of_threads_needs_no_extra() -> None:
    network = fastmlp.Network((3, 2))
    data = (np.ones((4, 3), np.float32), [0, 1, 0, 1])
    settings = {"epochs": 1, "batch_size": 2, "learning_rate": 0.1}
    history = fastmlp.train(network, data, backend="numpy", threads=1, **settings)  # type: ignore[arg-type]
    assert len(history) == 1


def test_python_m_fastmlp_is_the_command_line() -> None:
    command = [sys.executable, "-m", "fastmlp", "train", "--epochs", "x"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("Usage: fastmlp train")
