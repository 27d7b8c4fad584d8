"""A barrier in two halves: who has arrived may work until it waits for the others."""

import threading

import numpy as np
from direct import compiled

from fastmlp.kernels.memory.records import numbers_at
from fastmlp.kernels.team.barrier import ARRIVED, arrive, make_board, wait_for_all


@compiled
def arrived(board, size, everyone):
    numbers_at(everyone, 1, np.int64(0))[0] = arrive(board, size)


@compiled
def waited(board, everyone):
    wait_for_all(board, everyone)


def test_a_member_waits_for_those_who_have_not_arrived():
    board, everyone = make_board(), np.zeros(1, np.int64)
    waited(board, 0)  # compiles it; nobody is waited for
    for barrier in (1, 2, 3):
        arrived(board, 2, everyone)
        assert everyone[0] == 2 * barrier
        other = threading.Thread(target=waited, args=(board, 2 * barrier))
        other.start()
        other.join(0.02)  # longer than it looks before it sleeps
        assert other.is_alive()
        arrived(board, 2, everyone)
        assert everyone[0] == 0  # the last waits for nobody
        other.join(30)
        assert not other.is_alive()
        assert board[ARRIVED] == 2 * barrier


def test_one_member_waits_for_nobody():
    board, everyone = make_board(), np.ones(1, np.int64)
    arrived(board, 1, everyone)
    assert everyone[0] == 0
    waited(board, 0)
    assert board[ARRIVED] == 0
