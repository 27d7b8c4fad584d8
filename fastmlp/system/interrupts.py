"""Signals: they wait while something is written that must be whole; SIGTERM ends a command."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Terminated(KeyboardInterrupt):
    """SIGTERM came: the program is to end in order, as after Ctrl-C."""


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait for the end of the block, where Python handles them at all."""
    came: list[tuple[int, FrameType | None]] = []

    def hold(number: int, frame: FrameType | None) -> None:
        came.append((number, frame))

    handled = [n for n in (signal.SIGINT, signal.SIGTERM) if callable(signal.getsignal(n))]
    with _handlers(dict.fromkeys(handled, hold)):
        yield
    for number, frame in came:
        handler = signal.getsignal(number)
        if callable(handler):
            handler(number, frame)


@contextmanager
def orderly_end() -> Iterator[None]:
    """Raise Terminated for SIGTERM inside."""

    def end(number: int, frame: FrameType | None) -> None:
        raise Terminated

    with _handlers({signal.SIGTERM: end}):
        yield


@contextmanager
def _handlers(wanted: dict[signal.Signals, Any]) -> Iterator[None]:
    """Handle signals this way inside; only the main thread can be told of any."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
