"""Forks wait for what a child could not finish: locks whose holders do not come along."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, ExitStack
from threading import RLock
from typing import Any

# Held while parts of this package are imported: in a fork in the midst of an import by another
# thread, the child would wait for that thread when it imports the same module
importing = RLock()
_locks: list[AbstractContextManager[Any]] = [importing]
_held: list[ExitStack] = []


def wait_for_locks(*locks: AbstractContextManager[Any]) -> None:
    """Let every fork take these locks before it happens, and release them on both sides.

    They are taken in this order, after those of earlier calls. All must be re-entrant, as the
    thread that forks may hold them.
    """
    _locks.extend(locks)


def _take() -> None:
    with ExitStack() as stack:
        for lock in _locks:
            stack.enter_context(lock)
        _held.append(stack.pop_all())


def _release() -> None:
    if _held:  # nothing is, in a host program that calls Python's hooks only after its forks
        _held.pop().close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_take, after_in_parent=_release, after_in_child=_release)
