"""Signals: delay them while something must complete; end a command in order after SIGTERM."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

# As they are, without looking up each number and each handler in enumerations: 4 times as fast
_get: Any = getattr(signal.getsignal, "__wrapped__", signal.getsignal)
_set: Any = getattr(signal.signal, "__wrapped__", signal.signal)


class Terminated(KeyboardInterrupt):
    """The process received SIGTERM, and ends in order, as after Ctrl-C."""


@contextmanager
def hold_interrupts() -> Iterator[None]:
    """Delay Ctrl-C and SIGTERM until the end of the block, if Python handles them."""
    received: list[tuple[int, FrameType | None]] = []

    def hold(number: int, frame: FrameType | None) -> None:
        received.append((number, frame))

    handled = [n for n in (signal.SIGINT, signal.SIGTERM) if callable(_get(n))]
    with _handlers(dict.fromkeys(handled, hold)):
        yield
    for number, frame in received:
        handler = _get(number)
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
    before = {number: _set(number, handler) for number, handler in wanted.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            _set(number, handler)
