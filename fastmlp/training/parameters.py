"""The parameters of a run: in the engine, in the network, and those of the last good epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastmlp.arrays import Array
from fastmlp.errors import refuse
from fastmlp.network import Network
from fastmlp.system.interrupts import hold_interrupts
from fastmlp.training.averaging import Average

# The parameters, and the optimiser's state by slot; each list has the weights first
State = tuple[list[Array], dict[str, list[Array]]]


class Parameters:
    """Copies the parameters between an engine and the arrays of its network.

    `good` are the parameters of the last good epoch, at first the initial ones.
    own : its arrays, from `check_arrays`
    average : if there is one, the network has it, and only the engine the parameters themselves
    """

    def __init__(
        self, network: Network, own: list[Array], engine: Any, average: Average | None = None
    ) -> None:
        self.network, self.engine, self.average = network, engine, average
        self._own = own
        self._now = [array.copy() for array in self._own]
        self.good = [array.copy() for array in self._own]

    def publish(self) -> bool:
        """Write the engine's parameters, or their average, into the network, and return True.

        If one of them is NaN or infinite, the network is unchanged, and the result is False.
        """
        self.engine.read(*self._halves(self._now))
        if not all(np.isfinite(array).all() for array in self._now):
            return False
        if self.average:
            self.average.write(self._now)
        self.put(self._now)
        return True

    def add_to_average(self, steps: int) -> None:
        """Take the engine's parameters after so many more steps into the average."""
        if self.average:
            self.average.add(self.read(), steps)

    def take(self) -> bool:
        """Write the network's parameters into the engine if they changed since `publish`.

        Returns whether they changed. Raises ArgumentError, as `check_arrays`.
        """
        self._own = check_arrays(self.network)
        if all(map(np.array_equal, self._own, self._now)):
            return False
        self.engine.write(*self._halves(self._own))
        if self.average:
            self.average.restart()
        return True

    def keep(self) -> None:
        """Copy the network's parameters to `good`."""
        for target, source in zip(self.good, self._own, strict=True):
            np.copyto(target, source)

    def are_good(self) -> bool:
        """Return whether the network has the parameters `good`."""
        return all(map(np.array_equal, self._own, self.good))

    def put(self, source: Sequence[Array]) -> None:
        """Write arrays, weights first, into the network; interrupts wait until all are written."""
        with hold_interrupts():
            for target, array in zip(self._own, source, strict=True):
                np.copyto(target, array)
            # a callback may have replaced the arrays by others that were refused
            weights, biases = self._halves(self._own)
            if not _are(self.network.weights, weights):
                self.network.weights = weights
            if not _are(self.network.biases, biases):
                self.network.biases = biases

    def read(self) -> list[Array]:
        """Return copies of the engine's parameters, weights first."""
        parameters = [np.empty_like(a) for a in self._own]
        self.engine.read(*self._halves(parameters))
        return parameters

    def state(self) -> State:
        """Return copies of the engine's parameters and of its optimiser's state."""
        return self.read(), self.slots()

    def slots(self) -> dict[str, list[Array]]:
        """Return copies of the optimiser's state, by slot."""
        state = {slot: [np.empty_like(a) for a in self._own] for slot in self.engine.slots}
        for slot, arrays in state.items():
            self.engine.read_state(slot, *self._halves(arrays))
        return state

    def put_slots(self, state: dict[str, list[Array]]) -> None:
        """Write what `slots` returned into the optimiser's state."""
        for slot, arrays in state.items():
            self.engine.write_state(slot, *self._halves(arrays))

    def go_back(self, state: State) -> None:
        """Write what `state` returned into engine and network."""
        parameters, slots = state
        with hold_interrupts():
            self.engine.write(*self._halves(parameters))
            self.put_slots(slots)
            self.put(parameters)

    def _halves(self, arrays: list[Array]) -> tuple[list[Array], list[Array]]:
        layers = len(arrays) // 2
        return arrays[:layers], arrays[layers:]


def check_arrays(network: Network) -> list[Array]:
    """Return the arrays of a network, weights first.

    Raises ArgumentError for one that has a wrong shape or dtype, is read-only, or contains NaN or
    infinity.
    """
    weights, biases = network.check_parameters()
    for name, arrays in (("weights", weights), ("biases", biases)):
        for number, array in enumerate(arrays):
            if not array.flags.writeable:
                rule, remedy = "must be a writable array", "Use a copy of it."
                raise refuse(f"{name}[{number}]", rule, "a read-only one", remedy)
    return [*weights, *biases]


def _are(found: object, arrays: list[Array]) -> bool:
    """Return whether `found` is a list of these same array objects."""
    if not isinstance(found, list) or len(found) != len(arrays):
        return False
    return all(one is other for one, other in zip(found, arrays, strict=True))
