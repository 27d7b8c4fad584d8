"""Shares of the work: every unit is one member's, whatever the number of members."""

import itertools

import numpy as np
import pytest
from direct import compiled

from fastmlp.kernels.memory.records import COLUMNS, NONE, numbers_at
from fastmlp.kernels.team.plan import rows_of, share, share_panels


@compiled
def shared_out(count, members, ends):
    found = numbers_at(ends, 2 * members, np.int64(0))
    for member in range(members):
        found[2 * member], found[2 * member + 1] = share(count, member, members)


@compiled
def panels_and_rows(panels, size, count, cut, member, members, found):
    out = numbers_at(found, 1000, np.int64(0))
    first, last, begin, end = share_panels(panels, size, count, cut, member, members)
    out[0], out[1], out[2], out[3] = first, last, begin, end
    for panel in range(begin, end):
        low, high = rows_of(panel, first, last, size, count)
        out[4 + 2 * (panel - begin)], out[5 + 2 * (panel - begin)] = low, high


@pytest.mark.parametrize("members", range(1, 17))
def test_shares_are_runs_that_cover_all_units_once_and_differ_by_one(members):
    for count in (*range(70), 1000, 10**12 + 7):
        ends = np.full(2 * members, -1)
        shared_out(count, members, ends)
        first, last = ends[::2], ends[1::2]
        assert first[0] == 0
        assert last[-1] == count
        np.testing.assert_array_equal(first[1:], last[:-1])
        sizes = last - first
        assert sizes.min() >= 0
        assert sizes.max() - sizes.min() <= 1


@pytest.mark.parametrize(("size", "lacking"), [(1, 0), (6, 0), (6, 5)])
def test_rows_of_a_share_lie_in_its_units_and_nowhere_else(size, lacking):
    for per_panel, panels, members in itertools.product((1, 2, 3, 8), (1, 2, 5), (1, 2, 3, 7, 16)):
        count = per_panel * size - lacking  # rows of a panel, the last unit of which has fewer
        for member in range(members):
            found = np.full(1000, -1)
            panels_and_rows(panels, size, count, NONE, member, members, found)
            first, last, begin, end = found[:4]
            ends = np.full(2 * members, -1)
            shared_out(panels * per_panel, members, ends)
            assert [first, last] == [*ends[2 * member : 2 * member + 2]]
            parts = found[4:].reshape(-1, 2)
            if first == last:
                continue  # some panel, of which nothing
            covered = [
                (panel, row) for panel in range(begin, end) for row in range(*parts[panel - begin])
            ]
            own = [divmod(unit, per_panel) for unit in range(first, last)]
            assert covered == [
                (panel, row)
                for panel, unit in own
                for row in range(unit * size, min((unit + 1) * size, count))
            ]
            assert all(low < high for low, high in parts[: end - begin])


@pytest.mark.parametrize("members", [1, 2, 3, 7])
def test_a_panel_that_has_an_owner_is_not_divided(members):
    for per_panel, panels in itertools.product((1, 3, 8), (1, 2, 5)):
        begins = []
        for member in range(members):
            found = np.full(1000, -1)
            panels_and_rows(panels, 1, per_panel, COLUMNS, member, members, found)
            first, last, begin, end = found[:4]
            assert (first, last) == (begin * per_panel, end * per_panel)
            begins += [begin, end]
        assert begins[0] == 0
        assert begins[-1] == panels
        assert begins[1:-1:2] == begins[2::2]
