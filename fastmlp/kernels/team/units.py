"""How the work of a phase is shared: it is cut into units, and each member has adjacent ones.

Which member computes a unit changes nothing in it, and every element is summed in one unit in one
order. So the bits do not depend on the number of members.
"""

from __future__ import annotations

from fastmlp.kernels.llvm.compile import jit
from fastmlp.kernels.memory.records import COLUMNS


@jit
def share(units, member, members):
    """Return the first unit of a member's share, and the one behind its last."""
    if members == 1:
        return 0, units
    return units * member // members, units * (member + 1) // members


@jit
def share_panels(panels, per_panel, cut, member, members):
    """Return a member's share of panels of so many units: first, behind the last, and the panels.

    They are the first panel that these units are in, and the one behind the last. Where `cut` is
    COLUMNS, no panel is divided.
    """
    if members == 1 or cut == COLUMNS:
        begin, end = share(panels, member, members)
        return begin * per_panel, end * per_panel, begin, end
    first, last = share(panels * per_panel, member, members)
    return first, last, first // per_panel, (last + per_panel - 1) // per_panel


@jit
def units_of(panel, first, last, per_panel):
    """Return which units of a panel are among first, …, last - 1: the first, behind the last."""
    return max(first - panel * per_panel, 0), min(last - panel * per_panel, per_panel)
