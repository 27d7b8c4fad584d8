"""A cache of machine code for one test alone."""

import pytest
from kept import fresh_process

from fastmlp.system import code_folder as folder


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty folder of machine code, yet to be made."""
    place = tmp_path / "cache" / "kernels" / ("0123456789abcdef")
    monkeypatch.setattr(folder, "_folder", lambda: place)
    fresh_process(monkeypatch)
    return place
