from __future__ import annotations

import numpy as np

from fastmlp.report import digit_blocks


def test_two_rows_become_one_line_of_half_blocks() -> None:
    image = np.array([[0, 255, 0, 255], [0, 0, 255, 255]], np.uint8)
    assert digit_blocks(image) == " ▀▄█"
    assert digit_blocks(image, ascii_only=True) == " '.#"


def test_a_digit_takes_fourteen_lines_of_28() -> None:
    lines = digit_blocks(np.eye(28, dtype=np.float32)).split("\n")
    assert len(lines) == 14
    assert {len(line) for line in lines} == {28}
    assert lines[3] == " " * 6 + "▀▄" + " " * 20


def test_an_odd_number_of_rows_and_no_ink() -> None:
    assert digit_blocks(np.ones((3, 2))) == "  \n  "
    assert digit_blocks(np.array([[0, 0], [0, 0], [1, 0]])) == "  \n▀ "


def test_a_wide_image_shrinks_and_keeps_its_thin_lines() -> None:
    image = np.zeros((100, 100))
    image[:, 50] = 1
    lines = digit_blocks(image).split("\n")
    assert {len(line) for line in lines} == {34}
    assert all(line.strip() == "█" for line in lines)
