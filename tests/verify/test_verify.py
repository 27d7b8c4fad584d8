"""The verification passes as things are, and finds an error of one part in 100,000."""

import numpy as np
import pytest
from click.testing import CliRunner

from fastmlp import kernels
from fastmlp.cli import main
from fastmlp.errors import ArgumentError
from fastmlp.verify import run, verify
from fastmlp.verify.cases import CASES, Check

PLANTED = 1 + 1e-5


def test_every_kernel_is_right():
    outcome = verify(cases=350)
    assert outcome.passed, outcome.failures
    assert set(outcome.worst) == set(CASES)
    assert outcome.checks > outcome.cases == 350
    assert outcome.mistrusted < 0.2 * outcome.cases


@pytest.mark.parametrize(
    ("name", "place"), [("forward", 4), ("delta", 4), ("gradient", 2), ("output", 4), ("infer", 3)]
)
def test_a_planted_error_is_found(monkeypatch, name, place):
    door = getattr(kernels, name)

    def planted(*arguments):
        result = door(*arguments)
        arguments[place + (name == "infer")][...] *= PLANTED
        return result

    monkeypatch.setattr(kernels, name, planted)
    outcome = verify(cases=60, only=[name])
    assert not outcome.passed
    assert f"fastmlp verify --kernel {name} --cases 1 --seed" in outcome.failures[0]


def test_a_planted_error_in_a_step_is_found(monkeypatch):
    def planted(*arguments):
        before = arguments[2].copy()
        update(*arguments)
        arguments[2][...] = before + (arguments[2] - before) * PLANTED

    update = kernels.update
    monkeypatch.setattr(kernels, "update", planted)
    assert not verify(cases=60, only=["update"]).passed


def test_a_planted_error_in_the_engine_is_found(monkeypatch):
    read = kernels.Engine.read

    def planted(self, weights, biases):
        read(self, weights, biases)
        weights[0] *= np.float32(PLANTED)

    monkeypatch.setattr(kernels.Engine, "read", planted)
    assert not verify(cases=60, only=["steps"]).passed


def test_a_failure_is_reproduced_by_its_line(monkeypatch):
    forward = kernels.forward

    def planted(x, w, b, f, a):
        forward(x, w, b, f, a)
        a += np.float32(x.shape[0] == 17)

    monkeypatch.setattr(kernels, "forward", planted)
    outcome = verify(cases=200, only=["forward"])
    assert outcome.failures
    words = outcome.failures[0].split("fastmlp ")[1].split()
    again = CliRunner().invoke(main, words)
    assert again.exit_code == 1
    assert "B=17" in again.output


def test_the_line_of_a_failure_names_a_width_that_is_not_the_machines(monkeypatch):
    monkeypatch.setattr(run, "VECTOR_BYTES", 32)
    monkeypatch.setattr(run, "WIDEST", 64)
    monkeypatch.setattr(kernels, "forward", lambda x, w, b, f, a: None)
    failure = verify(cases=1, only=["forward"]).failures[0]
    assert "; FASTMLP_VECTOR_BYTES=32 fastmlp verify --kernel forward" in failure


def test_nothing_written_is_a_failure():
    nothing = np.full(3, np.nan, np.float32)
    assert Check("a", nothing, np.zeros(3), np.ones(3)).ratio() == np.inf


def test_an_unknown_kernel_is_refused():
    with pytest.raises(ArgumentError, match="kernel must be one that is checked; got"):
        verify(only=["backward"])


def test_the_command_says_what_it_checked():
    done = CliRunner().invoke(main, ["verify", "--cases", "70"])
    assert done.exit_code == 0, done.output
    assert "all right: " in done.output
    assert "70 cases" in " ".join(done.output.split())
