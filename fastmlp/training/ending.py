"""How every run ends: what it leaves behind does not depend on what ended it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fastmlp.errors import DivergedError
from fastmlp.system.interrupts import Terminated, interrupts_held
from fastmlp.training.checkpoint import Checkpoints
from fastmlp.training.run import Run
from fastmlp.training.watcher import Watcher


@contextmanager
def ending(run: Run, watcher: Watcher, saved: Checkpoints | None) -> Iterator[None]:
    """Train inside; at the end, leave network, history and checkpoints as `train` promises.

    An exception goes on after that; a DivergedError then says what the network holds.
    """
    try:
        try:
            yield
            with interrupts_held():
                watcher.restore()
                if saved is not None:
                    saved.flush()
        except BaseException as error:
            run.history.stopped = _reason(error, run)
            with interrupts_held():
                is_own = isinstance(error, DivergedError) and not run.in_callback
                if is_own or not run.parameters.publish():
                    run.parameters.put(run.parameters.good)
                watcher.restore()
            if is_own:
                raise DivergedError(f"{error} {_held(run)}") from None
            raise
    finally:
        if saved is not None:
            saved.flush()


def _reason(error: BaseException, run: Run) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "terminated" if isinstance(error, Terminated) else "interrupted"
    if run.in_callback:
        return f"an exception in a callback: {type(error).__name__}"
    if isinstance(error, DivergedError):
        return f"diverged in epoch {len(run.history) + 1}"
    return f"an exception: {type(error).__name__}"


def _held(run: Run) -> str:
    """Say which parameters the network holds after a divergence."""
    history = run.history
    if history.restored_epoch is not None:
        return f"The network holds the parameters of epoch {history.restored_epoch}, the best."
    if len(history):
        return f"The network holds the parameters of epoch {len(history)}, its last good ones."
    return "The network holds the parameters that it began with."
