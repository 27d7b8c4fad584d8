"""Where the cache is: `~`, relative folders, no home, a working folder that was deleted."""

import os
import pwd
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import fastmlp
from fastmlp.bench import machine
from fastmlp.errors import DataUnavailableError
from fastmlp.system import paths

MOVES = """
import os, sys
if sys.argv[1] == "deleted":
    os.rmdir(os.getcwd())
import fastmlp
os.chdir("/")
from fastmlp.system.paths import cache_folder
print(cache_folder())
"""


@pytest.fixture
def homeless(monkeypatch):
    """A user number without a passwd entry, and no variable that names a folder."""

    def nobody(*arguments):
        raise KeyError("no such user")

    for name in ("HOME", "XDG_CACHE_HOME", "FASTMLP_CACHE", "FASTMLP_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    monkeypatch.setattr(pwd, "getpwnam", nobody)


@pytest.mark.parametrize("chosen", ["~/x", "~/a/../x/", "~{user}/x"])
def test_a_home_folder_is_expanded(tmp_path, monkeypatch, chosen):
    user = pwd.getpwuid(os.getuid())
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FASTMLP_CACHE", chosen.format(user=user.pw_name))
    home = Path(user.pw_dir) if "{user}" in chosen else tmp_path
    assert Path(os.path.normpath(paths.cache_folder())) == home / "x"


@pytest.mark.parametrize("chosen", ["x", "./x", "../y/x"])
def test_a_relative_folder_stays_when_the_program_moves(tmp_path, chosen):
    started = tmp_path / "started"
    started.mkdir()
    environment = os.environ | {"FASTMLP_CACHE": chosen, "PYTHONPATH": str(package_folder())}
    done = run(started, "kept", environment)
    assert done.stdout == f"{started / chosen}\n", done.stderr


@pytest.mark.parametrize(("chosen", "found"), [("x", "None"), ("/x/y", "/x/y")])
def test_a_working_folder_that_was_deleted(tmp_path, chosen, found):
    started = tmp_path / "started"
    started.mkdir()
    environment = os.environ | {"FASTMLP_CACHE": chosen, "PYTHONPATH": str(package_folder())}
    done = run(started, "deleted", environment)
    assert done.stdout == f"{found}\n", done.stderr


def package_folder():
    return Path(fastmlp.__file__).parents[1]


def run(folder, state, environment):
    return subprocess.run(
        [sys.executable, "-c", MOVES, state],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_relative_cache_folder_of_the_desktop_is_absolute_too(tmp_path, monkeypatch):
    monkeypatch.delenv("FASTMLP_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "somewhere")
    assert paths.cache_folder().is_absolute()


@pytest.mark.parametrize("chosen", [None, "", "~/x", "~nobody-of-this-name/x"])
def test_without_a_home_there_is_no_cache(homeless, monkeypatch, chosen):
    if chosen is not None:
        monkeypatch.setenv("FASTMLP_CACHE", chosen)
    assert paths.cache_folder() is None
    with pytest.raises(DataUnavailableError, match="Set FASTMLP_CACHE"):
        fastmlp.load_dataset("mnist")
    with pytest.raises(DataUnavailableError, match="Set FASTMLP_CACHE"):
        fastmlp.load_dataset("kmnist", download=False)


def test_without_a_home_a_named_cache_will_do(homeless, monkeypatch, tmp_path):
    monkeypatch.setenv("FASTMLP_CACHE", str(tmp_path))
    assert paths.cache_folder() == tmp_path


def test_folders_are_made_for_the_user_alone(tmp_path):
    before = os.umask(0)
    try:
        paths.make_folder(tmp_path / "a" / "b")
        paths.make_folder(tmp_path / "a" / "b")
    finally:
        os.umask(before)
    for made in (tmp_path / "a", tmp_path / "a" / "b"):
        assert stat.S_IMODE(made.stat().st_mode) == 0o700


def test_where_a_file_is_in_the_way_no_folder_is_made(tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OSError, match="file"):
            paths.make_folder(folder)


def test_what_the_machine_offers_is_told_without_a_home(homeless, monkeypatch, recwarn):
    from fastmlp.kernels import launch
    from fastmlp.kernels.llvm import folder

    monkeypatch.setattr(folder, "_warned", set())
    monkeypatch.setattr(launch, "_prepared", set())
    folder._folder.cache_clear()
    try:
        found = machine.describe_machine()
    finally:
        folder._folder.cache_clear()
    assert found.cache.startswith("none: there is no home folder")
    assert not found.kernels_compiled
    (warning,) = recwarn.list
    assert "compiled kernels are not kept: there is no home folder" in str(warning.message)
