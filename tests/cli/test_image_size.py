"""The option --image-size."""

from __future__ import annotations

import pytest
from click import BadParameter

from fastmlp.cli.kinds import PICTURE


def test_sizes_of_pictures() -> None:
    assert PICTURE.convert("28", None, None) == (28, 28)
    assert PICTURE.convert("32x24", None, None) == (32, 24)
    for text in ("", "0", "8x", "8x8x3", "x8", "99999"):
        with pytest.raises(BadParameter, match="28 or 32x24"):
            PICTURE.convert(text, None, None)
