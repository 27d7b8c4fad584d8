"""Signals that wait."""

import signal

import pytest

from fastmlp.system.interrupts import hold_interrupts


def interrupted_in_two_blocks(reached):
    with hold_interrupts():
        with hold_interrupts():
            signal.raise_signal(signal.SIGINT)
            reached.append("inner")
        reached.append("outer")


def test_a_signal_inside_of_two_blocks_waits_for_the_end_of_the_outer_one():
    reached = []
    with pytest.raises(KeyboardInterrupt):
        interrupted_in_two_blocks(reached)
    assert reached == ["inner", "outer"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
