"""Imports go one way, from higher levels to lower ones, and never in a circle."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import fastmlp

ROOT = Path(fastmlp.__file__).parent
# From the lowest level up: a part may import itself, and every part on the levels before its own
LEVELS = (
    {"errors"},
    {"arrays"},
    {"system"},
    {"functions"},
    {"reference", "kernels"},
    {"backends"},
    {"datasets"},
    {"network"},
    {"training"},
    {"estimator", "verify", "bench"},
    {"report"},
    {"cli"},
    {"__init__", "__main__"},
)
# Parts that may import less than their level allows
ONLY = {"datasets": {"errors", "arrays", "system"}}


def modules(root):
    """Return the path of each module below a package's folder, by its dotted name."""
    found = {}
    for path in root.rglob("*.py"):
        parts = (root.name, *path.relative_to(root).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(path, known):
    """Return the modules of the package that a file imports.

    Imports inside functions and in TYPE_CHECKING blocks count. A package whose module is imported
    does not: that every module runs its package first is no dependency.
    """
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: write the whole name of a module"
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            found |= {name if name in known else node.module for name in names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & known


def part_of(path, root):
    return path.relative_to(root).parts[0].removesuffix(".py")


def wrong_imports(root):
    """Return what each file imports that its level does not allow."""
    known, lower, allowed = modules(root), set(), {}
    for level in LEVELS:
        allowed |= {part: ONLY.get(part, lower) | {part} for part in level}
        lower = lower | level
    wrong = {}
    for path in known.values():
        part = part_of(path, root)
        parts = {part_of(known[name], root) for name in imported(path, set(known) - {root.name})}
        if parts - allowed[part]:
            wrong[str(path.relative_to(root))] = sorted(parts - allowed[part])
    return wrong


def circle(root):
    """Return modules each of which imports the next, and begins again at the end; or none."""
    known = modules(root)
    try:
        TopologicalSorter({n: imported(p, set(known)) for n, p in known.items()}).prepare()
    except CycleError as error:
        return error.args[1][::-1]
    return []


def test_each_part_imports_only_what_stands_before_it():
    assert wrong_imports(ROOT) == {}


def test_no_modules_import_each_other():
    assert circle(ROOT) == []


def test_only_what_everybody_uses_is_outside_the_folders():
    loose = {path.name for path in ROOT.glob("*.py")}
    assert loose == {"__init__.py", "__main__.py", "errors.py", "backends.py"}


@pytest.fixture
def planted(tmp_path):
    """Return a function that writes a small package, and returns its folder."""

    def plant(files):
        for name, text in ({"__init__.py": ""} | files).items():
            path = tmp_path / "fastmlp" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        return tmp_path / "fastmlp"

    return plant


LATE = "def late():\n    from fastmlp.{} import {}\n"
TYPES = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import fastmlp.{}\n"


@pytest.mark.parametrize(
    ("part", "text", "found"),
    [
        ("functions", "from fastmlp.kernels import forward", "kernels"),
        ("functions", "from fastmlp import kernels", "kernels"),
        ("functions", LATE.format("kernels.forward", "forward"), "kernels"),
        ("functions", TYPES.format("kernels.forward"), "kernels"),
        ("reference", "import fastmlp.kernels.forward", "kernels"),
        ("datasets", "from fastmlp.functions import COSTS", "functions"),
    ],
)
def test_an_import_of_a_higher_level_is_found(planted, part, text, found):
    others = {f"{name}/__init__.py": "" for name in ("kernels", "functions")}
    root = planted(others | {"kernels/forward.py": "", f"{part}/row.py": text})
    assert wrong_imports(root) == {f"{part}/row.py": [found]}


@pytest.mark.parametrize(
    "back",
    [
        "from fastmlp.network.file import save",
        "from fastmlp.network import file",
        LATE.format("network.file", "save"),
        TYPES.format("network.file"),
    ],
)
def test_a_circle_is_found(planted, back):
    files = {"network/__init__.py": "", "network/file.py": "from fastmlp.network.other import x"}
    assert circle(planted(files | {"network/other.py": ""})) == []
    found = circle(planted(files | {"network/other.py": back}))
    assert set(found) == {"fastmlp.network.file", "fastmlp.network.other"}


KERNELS = ROOT / "kernels"
# The floors of the kernels' folder, from the lowest up; the doors are its files outside the folders
FLOORS = ("llvm", "memory", "team", "loops", "step", "doors")
DOORS = {"__init__", "augment", "engine", "launch", "predictor"}
# `launch` is given the step's function by its name, so that no circle arises
LAUNCH = ("llvm", "memory", "team")
MOST_FILES, MOST_LINES = 30, 5_925


def floor_of(name, root):
    """Return the floor of a module, given by its dotted name; None outside the kernels."""
    parts = name.split(".")
    if parts[:2] != [root.name, "kernels"]:
        return None
    return parts[2] if parts[2:] and parts[2] in FLOORS else "doors"


def wrong_floors(root):
    """Return what each module of the kernels imports from a floor above its own."""
    known, wrong = modules(root), {}
    for name, path in known.items():
        floor = floor_of(name, root)
        if floor is None:
            continue
        # that a module's import runs its package first is no dependency
        found = imported(path, set(known) - {f"{root.name}.kernels"})
        below = {floor_of(other, root) for other in found} - {None}
        allowed = set(FLOORS[: FLOORS.index(floor) + 1])
        if name == f"{root.name}.kernels.launch":
            allowed = {*LAUNCH}
        if below - allowed:
            wrong[name] = sorted(below - allowed)
    return wrong


def test_each_floor_of_the_kernels_stands_on_those_below_it():
    assert wrong_floors(ROOT) == {}


def test_the_kernels_are_floors_and_doors_and_nothing_else():
    inside = [path for path in KERNELS.iterdir() if path.name != "__pycache__"]
    assert {path.name for path in inside if path.is_dir()} == set(FLOORS[:-1])
    assert {path.stem for path in inside if path.suffix == ".py"} == DOORS


def test_the_kernels_stay_small():
    files = [path for path in KERNELS.rglob("*.py") if path.name != "__init__.py"]
    assert len(files) <= MOST_FILES
    lines = sum(len(path.read_text().splitlines()) for path in KERNELS.rglob("*.py"))
    assert lines <= MOST_LINES
