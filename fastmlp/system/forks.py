"""A fork waits for locks: in the child, no other thread exists that could release them."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, ExitStack
from threading import RLock
from typing import Any

# Held while a part of this package is imported. Without it, a child forked while another thread
# imports a module would wait forever for that thread when it imports the same module.
import_lock = RLock()
_locks: list[AbstractContextManager[Any]] = [import_lock]
_held: list[ExitStack] = []


def wait_for_locks(*locks: AbstractContextManager[Any]) -> None:
    """Acquire these locks before every fork, and release them afterwards in parent and child.

    They are acquired in this order, after those of earlier calls. All must be re-entrant, because
    the forking thread may already hold them.
    """
    _locks.extend(locks)


def _take() -> None:
    with ExitStack() as stack:
        for lock in _locks:
            stack.enter_context(lock)
        _held.append(stack.pop_all())


def _release() -> None:
    if _held:  # empty if a host program calls only the hooks that run after a fork
        _held.pop().close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_take, after_in_parent=_release, after_in_child=_release)
