"""The search for a learning rate by halving: when it goes on, and when it has found one."""

from __future__ import annotations

import numpy as np

# A cost below this share of guessing's shows that the network has learnt from its inputs
LEARNT = 0.9
# Otherwise the lowest cost must have stood against so many lower rates
RISES = 5
LONGEST_SEARCH = 40


class Search:
    """Halve a rate until that no longer lowers the cost after training with it.

    before : the cost before training; guessing : that of the best constant answer

    Rates far too high can lower the cost by chance, for example by making every hidden neuron
    answer 0. So the first rate after which the cost rises ends the search only where the lowest
    cost is below 0.9 of guessing; where no rate gets there, RISES in a row do.
    """

    def __init__(self, before: float, guessing: float) -> None:
        self.before = before if np.isfinite(before) else np.inf
        self.enough = LEARNT * guessing
        self.lowest, self.risen, self.tried = np.inf, 0, 0

    @property
    def found(self) -> bool:
        """Whether a rate lowered the cost."""
        return self.lowest < self.before

    def goes_on(self, after: float) -> bool:
        """Take the cost after training with a rate; return whether to try half of that rate."""
        self.tried += 1
        if after < self.lowest:
            self.lowest, self.risen = after, 0
        else:
            self.risen += 1
        enough = self.risen >= (1 if self.lowest < self.enough else RISES)
        return self.tried < LONGEST_SEARCH and not (self.found and enough)
