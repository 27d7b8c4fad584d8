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
# Signals that end a process in order; the second says that its terminal was closed
ENDING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Terminated(KeyboardInterrupt):
    """The process received a signal of ENDING, and ends in order, as after Ctrl-C."""


class _Held(list[tuple[int, FrameType | None]]):
    """A handler that stores the signals that it gets."""

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.append((number, frame))


@contextmanager
def hold_interrupts() -> Iterator[None]:
    """Delay Ctrl-C and the signals of ENDING to the end of the block, if Python handles them.

    Inside of another such block, it is the end of that one.
    """
    received, handlers = _Held(), {n: _plain.getsignal(n) for n in (signal.SIGINT, *ENDING)}
    handled = [n for n, h in handlers.items() if callable(h) and not isinstance(h, _Held)]
    with _handlers(dict.fromkeys(handled, received)):
        yield
    for number, frame in received:
        handler = _plain.getsignal(number)
        if callable(handler):
            handler(number, frame)


@contextmanager
def raise_terminated() -> Iterator[None]:
    """Raise Terminated if a signal of ENDING arrives inside the block, KeyboardInterrupt by Ctrl-C.

    Also inside of `hold_interrupts`. Signals that the process ignores stay so.
    """

    def end(number: int, frame: FrameType | None) -> None:
        raise Terminated

    wanted = {signal.SIGINT: signal.default_int_handler, **dict.fromkeys(ENDING, end)}
    ignored = signal.Handlers.SIG_IGN  # by nohup, for example
    with _handlers({n: h for n, h in wanted.items() if _plain.getsignal(n) != ignored}):
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
