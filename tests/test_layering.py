"""Data flows one way: what each room of the house may import, read from the source."""

import ast
from pathlib import Path

import fastmlp

ROOT = Path(fastmlp.__file__).parent
BASE = {"errors", "paths", "functions"}
DATA = BASE | {"datasets"}
MAY_IMPORT = {
    "errors": set(),
    "files": {"errors"},
    "forks": set(),
    "tensors": {"files", "functions"},
    "interrupts": set(),
    "cores": {"errors"},
    "paths": set(),
    "functions": {"errors"},
    "datasets": {"errors", "files", "paths", "inputs", "datasets"},
    "plain": set(),
    "reference": {"errors", "functions", "reference"},
    "kernels": {"cores", "errors", "forks", "functions", "paths", "kernels"},
    "backends": {"errors", "forks", "kernels", "reference"},
    "inputs": {"errors", "functions"},
    "model_file": {"errors", "files", "functions", "network", "plain", "tensors"},
    "network": {"errors", "functions", "inputs", "model_file", "backends"},
    "training": DATA
    | {"files", "interrupts", "inputs", "network", "backends", "plain", "tensors", "training"},
    "machine": {"cores", "errors", "paths", "kernels"},
    "bench": DATA
    | {"cores", "backends", "bench", "kernels", "machine", "network", "reference", "training"},
    "verify": {"errors", "functions", "kernels", "network", "reference", "training", "verify"},
    "report": {"errors", "functions", "datasets", "network", "training", "machine", "bench"}
    | {"plain", "report", "verify"},
    "arguments": {"backends", "datasets", "functions", "training"},
    "steps": DATA | {"backends", "files", "interrupts", "inputs", "network", "training", "report"},
    "screen": {"datasets", "report", "steps"},
    "bench_output": {"bench", "errors", "files", "interrupts", "report", "screen", "steps"},
    "bench_cli": None,
    "cli": None,
    "__main__": None,
    "__init__": None,
}


def imported_rooms(path):
    """Yield the rooms that a file imports, those in TYPE_CHECKING blocks included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "fastmlp":
            yield from (alias.name for alias in node.names if alias.name != "__version__")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fastmlp."):
            yield node.module.split(".")[1]
        elif isinstance(node, ast.Import):
            yield from (
                alias.name.split(".")[1]
                for alias in node.names
                if alias.name.startswith("fastmlp.")
            )


def wrong_imports(path):
    room = path.relative_to(ROOT).parts[0].removesuffix(".py")
    allowed = MAY_IMPORT[room]
    return [] if allowed is None else [r for r in imported_rooms(path) if r not in allowed]


def test_no_import_points_the_wrong_way():
    wrong = {str(p): w for p in ROOT.rglob("*.py") if (w := wrong_imports(p))}
    assert not wrong


def test_the_check_can_fail(tmp_path, monkeypatch):
    planted = ROOT / "functions.py"
    monkeypatch.setattr(Path, "read_text", lambda self: "from fastmlp.kernels import forward")
    assert wrong_imports(planted) == ["kernels"]


def test_the_oracle_imports_nothing_of_what_it_judges():
    for path in (ROOT / "reference").glob("*.py"):
        assert "kernels" not in set(imported_rooms(path))


def test_compile_options_stand_in_one_file():
    for path in (ROOT / "kernels").glob("*.py"):
        if path.name != "options.py":
            assert "njit" not in path.read_text(), path
