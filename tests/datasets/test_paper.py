"""The sheet, the side of ink and the paper's brightness, where they are known."""

import numpy as np
import pytest

from fastmlp.datasets.lines import remove_lines
from fastmlp.datasets.paper import find_sheet, is_light_on_dark, local_paper

Y, X = np.mgrid[:60, :60] / 59
FALLING = 120 + 100 * X - 40 * Y
EVERYWHERE = np.ones((60, 60), bool)


@pytest.fixture
def ink():
    """A stroke of 5 pixels and a bar."""
    mask = np.zeros((60, 60), bool)
    mask[15:45, 30:35] = mask[15:20, 18:35] = True
    return mask


def test_paper_under_ink_is_that_beside_it(ink):
    paper = local_paper(np.where(ink, FALLING - 60, FALLING), EVERYWHERE)
    assert abs(paper - FALLING)[8:-8, 8:-8].max() < 12
    assert abs(paper - FALLING)[ink].mean() < 8


@pytest.mark.parametrize("sign", [-1, 1])
def test_ink_is_what_there_is_less_of(ink, sign):
    assert is_light_on_dark(FALLING + sign * 60 * ink, EVERYWHERE) == (sign > 0)


def test_a_sheet_has_a_sharp_edge_all_around(ink):
    sheet = np.zeros((60, 60), bool)
    sheet[6:55, 8:50] = True
    grey = np.where(ink, FALLING - 60, FALLING)
    found = find_sheet(np.where(sheet, grey, 30))
    assert not (found & ~sheet).any()
    assert found.sum() > 0.75 * sheet.sum()
    assert find_sheet(grey).all()
    assert find_sheet(np.where(ink, 200.0, 20.0)).all()  # light ink is no sheet


def test_lines_go_and_strokes_stay():
    depth = np.zeros((200, 200))
    depth[40:160, 90:100] = 1
    lined = depth.copy()
    for row in (50, 90, 130):
        lined[row : row + 2] = np.maximum(lined[row : row + 2], 0.5)
    assert abs(remove_lines(lined) - depth).max() < 0.01
    assert np.array_equal(remove_lines(depth), depth)
