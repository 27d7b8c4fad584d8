"""Signals: delay them while something must complete; end a command in order after SIGTERM."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

# The functions that those of `signal` call: without looking up each number and each handler in
# enumerations, which takes 20 times as long
_plain: Any = getattr(signal, "_signal", signal)


class Terminated(KeyboardInterrupt):
    """The process received SIGTERM, and ends in order, as after Ctrl-C."""


class _Held(list[tuple[int, FrameType | None]]):
    """A handler that stores the signals that it gets."""

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.append((number, frame))


@contextmanager
def hold_interrupts() -> Iterator[None]:
    """Delay Ctrl-C and SIGTERM until the end of the block, if Python handles them.

    Inside of another such block, it is the end of that one.
    """
    received, handlers = _Held(), {n: _plain.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    handled = [n for n, h in handlers.items() if callable(h) and not isinstance(h, _Held)]
    with _handlers(dict.fromkeys(handled, received)):
        yield
    for number, frame in received:
        handler = _plain.getsignal(number)
        if callable(handler):
            handler(number, frame)


@contextmanager
def raise_on_sigterm() -> Iterator[None]:
    """Raise Terminated if SIGTERM arrives inside the block."""

    def end(number: int, frame: FrameType | None) -> None:
        raise Terminated

    with _handlers({signal.SIGTERM: end}):
        yield


@contextmanager
def _handlers(wanted: dict[signal.Signals, Any]) -> Iterator[None]:
    """Set signal handlers inside the block; Python allows that in the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: _plain.signal(number, handler) for number, handler in wanted.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            _plain.signal(number, handler)
