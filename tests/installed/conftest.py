"""Environments outside the checkout, made with the wheel that the checkout builds."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# Of the test extra, what checks the source and not the program
CHECKERS = ("ruff", "mypy", "fastmlp")


class Environment:
    """A virtual environment, an empty working folder, and a cache."""

    def __init__(self, folder):
        self.bin, self.work = folder / "venv" / "bin", folder / "work"
        self.work.mkdir(parents=True)
        self.variables = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "FASTMLP", "VIRTUAL_ENV"))
        }
        self.variables |= {"FASTMLP_CACHE": str(folder / "cache"), "PATH": self._path()}
        subprocess.run([sys.executable, "-m", "venv", self.bin.parent], check=True)

    def _path(self):
        return f"{self.bin}{os.pathsep}{os.environ['PATH']}"

    def install(self, *what):
        """Install packages with pip."""
        command = ["python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        assert self.run(*command, *what, seconds=600).returncode == 0

    def run(self, *command, seconds=120, folder=None, **variables):
        """Run a command of the environment; return the completed process, its output as text."""
        return subprocess.run(
            [str(self.bin / command[0]), *command[1:]],
            cwd=folder or self.work,
            env=self.variables | variables,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """The wheel, built from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, ROOT]
    subprocess.run(command, check=True)
    (built,) = folder.glob("fastmlp-*.whl")
    return built


@pytest.fixture(scope="session")
def core(wheel, tmp_path_factory):
    """An environment with the wheel and the dependencies that it names, and nothing else."""
    environment = Environment(tmp_path_factory.mktemp("core"))
    environment.install(str(wheel))
    return environment


@pytest.fixture(scope="session")
def extras(wheel, core, tmp_path_factory):
    """Another environment, with the extras that the README names, and the compiled kernels."""
    environment = Environment(tmp_path_factory.mktemp("extras"))
    environment.variables["FASTMLP_CACHE"] = core.variables["FASTMLP_CACHE"]
    environment.install(*(f"{wheel}[{extra}]" for extra in ("image", "plot", "sklearn")))
    return environment


@pytest.fixture(scope="session")
def lowest(wheel, tmp_path_factory):
    """An environment with the lowest version of everything that pyproject.toml allows."""
    extra = PROJECT["optional-dependencies"]
    needed = [*PROJECT["dependencies"], *extra["image"], *extra["plot"]]
    needed += [one for one in extra["test"] if not one.startswith(CHECKERS)]
    environment = Environment(tmp_path_factory.mktemp("lowest"))
    environment.install(*(one.replace(">=", "==") for one in needed))
    environment.install("--no-deps", str(wheel))
    return environment
