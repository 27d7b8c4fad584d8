"""The state of a run in a checkpoint: collect it after an epoch, and restore it in a new run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.arrays import Array
from fastmlp.errors import CheckpointError
from fastmlp.system.interrupts import hold_interrupts
from fastmlp.training.adaptive import Adaptive
from fastmlp.training.checkpoint import State, data_digest
from fastmlp.training.comparing import make_comparable
from fastmlp.training.schedules import Schedule
from fastmlp.training.watcher import Watcher

if TYPE_CHECKING:
    from fastmlp.training.run import Run


def identify(run: Run, settings: dict[str, Any], steps: int) -> dict[str, Any]:
    """Return what must be equal in a run of `steps` steps and in the run that resumes it.

    Equal settings become equal plain values. Raises ArgumentError for a schedule that cannot be
    compared.
    """
    network = run.network
    return {
        **make_comparable(settings, steps),
        **network.architecture,
        "pixel_scale": run.twin.pixel_scale,
        "data": data_digest(run.images, run.y, run.sample_weight),
        "validation": data_digest(*run.validation) if run.validation else None,
    }


def take_state(
    run: Run, epochs: int, plan: Schedule, generator: np.random.Generator, watcher: Watcher
) -> State:
    """Return the state of a run after `epochs` epochs, which later ones do not change."""
    layers = len(run.network.weights)
    average = run.parameters.average
    parts = {"parameter": run.parameters.read(), **run.parameters.slots()}
    parts |= {"best": watcher.best} if watcher.best else {}
    parts |= {f"average-{n}": point for n, point in enumerate(average.points if average else ())}
    tensors: dict[str, Array] = {}
    for kind, arrays in parts.items():
        tensors |= _named_arrays(kind, arrays[:layers], arrays[layers:])
    facts = {
        "history": run.history.snapshot(),
        "generator": generator.bit_generator.state,
        "schedule": dict(vars(plan)) if isinstance(plan, Adaptive) else None,
        "watcher": {"best_epoch": watcher.best_epoch, "lowest": watcher.lowest},
        "average": {"mass": average.mass, "points": len(average.points)} if average else None,
    }
    copies = {name: array.copy() for name, array in tensors.items()}
    return State(epochs, copies, facts)


def restore_parameters(state: State, run: Run) -> None:
    """Write the saved parameters into the network. Raises CheckpointError if they do not fit."""
    own = (*run.network.weights, *run.network.biases)
    arrays = _arrays(state, "parameter", run)
    with hold_interrupts():
        for target, source in zip(own, arrays, strict=True):
            np.copyto(target, source)


def restore_rest(
    state: State, run: Run, plan: Schedule, generator: np.random.Generator, watcher: Watcher
) -> None:
    """Restore the saved state of engine, history, generator, schedule and watcher."""
    facts = state.facts
    run.parameters.put_slots({slot: _arrays(state, slot, run) for slot in run.engine.slots})
    if any(name.startswith("best") for name in state.tensors):
        watcher.best = _arrays(state, "best", run)
    try:
        average, past = run.parameters.average, facts.get("average")
        if average and past:
            average.mass = past["mass"]
            average.points = [_arrays(state, f"average-{n}", run) for n in range(past["points"])]
            run.parameters.publish()
            run.parameters.keep()
        for name, value in facts["history"].items():
            if name not in ("compile_seconds", "threads"):
                setattr(run.history, name, value)
        # earlier versions did not count them
        unknown = len(run.history) - len(run.history.members)
        run.history.members = [*run.history.members, *[None] * unknown]
        for values in run.history.validation_metrics.values():
            values += [None] * (len(run.history) - len(values))
        generator.bit_generator.state = facts["generator"]
        if isinstance(plan, Adaptive):  # earlier versions called it "halving"
            for name, value in dict(facts.get("schedule") or facts["halving"]).items():
                setattr(plan, name, _or_infinite(value))
        watcher.best_epoch = facts["watcher"]["best_epoch"]
        watcher.lowest = _or_infinite(facts["watcher"]["lowest"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"the checkpoint does not fit this run: {error!r}.") from None


def _arrays(state: State, kind: str, run: Run) -> list[Array]:
    """Return the arrays of one kind, weights first. Raises CheckpointError for a wrong shape."""
    names = dict(_named_arrays(kind, run.network.weights, run.network.biases))
    found = [state.tensors.get(name) for name in names]
    for name, wanted, array in zip(names, names.values(), found, strict=True):
        if array is None or array.shape != wanted.shape or array.dtype != wanted.dtype:
            raise CheckpointError(f"the checkpoint does not fit this run: it has no such {name}.")
    return [array for array in found if array is not None]


def _named_arrays(kind: str, weights: Any, biases: Any) -> Iterator[tuple[str, Array]]:
    for part, arrays in (("weight", weights), ("bias", biases)):
        for number, array in enumerate(arrays):
            yield f"{kind}.{number}.{part}", array


def _or_infinite(value: Any) -> Any:
    """Return a value from a checkpoint, where infinity is null."""
    return np.inf if value is None else value
