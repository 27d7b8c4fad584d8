"""The search for a learning rate by halving: when it continues, and whether it has found one."""

from __future__ import annotations

import numpy as np

# A cost below this share of the cost of guessing shows that the network uses its inputs
LEARNT = 0.9
# If no cost is that low, the search ends after this many lower rates with higher costs
RISES = 5
LONGEST_SEARCH = 40


class Search:
    """Halves a rate until that no longer lowers the cost after training with it.

    before : the cost before training; guessing : the cost of the best constant output

    A rate that is far too high can lower the cost by chance, for example if the output of every
    hidden neuron becomes 0. So a single rate with a higher cost ends the search only if the lowest
    cost is below 0.9 of guessing; otherwise RISES such rates in a row are needed.
    """

    def __init__(self, before: float, guessing: float) -> None:
        self.before = before if np.isfinite(before) else np.inf
        self.enough = LEARNT * guessing
        self.lowest, self.risen, self.tried = np.inf, 0, 0

    @property
    def found(self) -> bool:
        """Whether a rate lowered the cost."""
        return self.lowest < self.before

    def continues(self, after: float) -> bool:
        """Add the cost after training with a rate; return whether to try half of that rate."""
        self.tried += 1
        if after < self.lowest:
            self.lowest, self.risen = after, 0
        else:
            self.risen += 1
        enough = self.risen >= (1 if self.lowest < self.enough else RISES)
        return self.tried < LONGEST_SEARCH and not (self.found and enough)
