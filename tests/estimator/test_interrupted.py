"""Ctrl-C ends a fit within an epoch, with the network trained so far."""

import signal

import numpy as np
import pytest

pytest.importorskip("sklearn")

from cases import data, made

from fastmlp.estimator import solver
from fastmlp.kernels.engine import Engine

STEPS = 7


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("batch_size", [10, 165])  # of the second, epochs share a call
def test_ctrl_c_acts_between_parts_of_an_epoch(monkeypatch, batch_size):
    x, y = data("classes")
    wanted = made("classes", batch_size=batch_size, max_iter=9).fit(x, y)
    monkeypatch.setattr(solver, "CHUNK_SECONDS", 1e-9)
    found = made("classes", batch_size=batch_size, max_iter=9).fit(x, y)
    assert found.loss_curve_ == wanted.loss_curve_
    train, engines = Engine.train, []

    def interrupted(engine, *arguments, **named):
        engines.append(engine)
        costs = train(engine, *arguments, **named)
        if len(engines) == STEPS:
            signal.raise_signal(signal.SIGINT)
        return costs

    monkeypatch.setattr(Engine, "train", interrupted)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        found.fit(x, y)
    assert len(engines) == STEPS == found._solver_state.steps
    last = [np.empty_like(w) for w in found.coefs_], [np.empty_like(b) for b in found.intercepts_]
    engines[-1].read(*last)
    for now, w in zip(found.coefs_ + found.intercepts_, last[0] + last[1], strict=True):
        np.testing.assert_array_equal(now, w)
    assert found.partial_fit(x, y)._solver_state.steps > STEPS
