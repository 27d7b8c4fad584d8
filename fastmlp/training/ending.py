"""The end of a run: network, history and checkpoints are left in order, whatever ended it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fastmlp.errors import DivergedError
from fastmlp.system.interrupts import Terminated, hold_interrupts
from fastmlp.training.checkpoint import Checkpoints
from fastmlp.training.run import Run
from fastmlp.training.watcher import Watcher


@contextmanager
def finish(run: Run, watcher: Watcher, saved: Checkpoints | None) -> Iterator[None]:
    """Train inside the block; at its end, set network, history and checkpoints as `train` says.

    An exception is raised again after that; a DivergedError also says which parameters the network
    has.
    """
    try:
        try:
            yield
            with hold_interrupts():
                watcher.restore()
                if saved is not None and not run.is_new:
                    saved.flush()
        except BaseException as error:
            run.history.stopped = _reason(error, run)
            with hold_interrupts():
                is_own = isinstance(error, DivergedError) and not run.in_callback
                if is_own or not run.parameters.publish():
                    run.parameters.put(run.parameters.good)
                watcher.restore()
            if is_own:
                raise DivergedError(f"{error} {_name_parameters(run)}") from None
            raise
    finally:
        if (is_new := run.is_new) and run.epochs:
            run.forget()
        try:
            run.call("on_train_end", epoch=len(run.history) - 1, step=run.steps)
        finally:
            if saved is not None and not is_new:
                saved.flush()


def _reason(error: BaseException, run: Run) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "terminated" if isinstance(error, Terminated) else "interrupted"
    if run.in_callback:
        return f"an exception in a callback: {type(error).__name__}"
    if isinstance(error, DivergedError):
        return f"diverged in epoch {len(run.history) + 1}"
    return f"an exception: {type(error).__name__}"


def _name_parameters(run: Run) -> str:
    """Return a sentence that says which parameters the network has after a divergence."""
    history = run.history
    if history.restored_epoch is not None:
        return f"The network has the parameters of epoch {history.restored_epoch}, the best."
    if len(history):
        return f"The network has the parameters of epoch {len(history)}, the last good ones."
    return "The network has its initial parameters."
