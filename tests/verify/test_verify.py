"""The verification passes as things are, and finds an error of one part in 100,000."""

import numpy as np
import pytest
from click.testing import CliRunner

from fastmlp import kernels
from fastmlp.cli import main
from fastmlp.cli.arguments import KERNEL
from fastmlp.errors import ArgumentError
from fastmlp.functions import LIMITS
from fastmlp.verify import run, verify
from fastmlp.verify.cases import CASES, Check

PLANTED = 1 + 1e-5


def test_every_kernel_is_right():
    outcome = verify(cases=350)
    assert outcome.passed, outcome.failures
    assert set(outcome.worst) == set(CASES)
    assert outcome.checks > outcome.cases == 350
    assert outcome.mistrusted < 0.2 * outcome.cases


def test_the_command_names_every_kernel():
    assert ", ".join(CASES) in KERNEL


class Planted(kernels.Engine):
    """An engine whose trace is wrong in one of its fields."""

    field = "cost"

    def trace(self, *arguments):
        found = super().trace(*arguments)
        value = getattr(found, self.field)
        if isinstance(value, list):
            value = [array * array.dtype.type(PLANTED) for array in value]
        else:
            value *= PLANTED
        return found._replace(**{self.field: value})


@pytest.mark.parametrize("field", ["cost", "a", "dz", "dw", "db"])
def test_a_planted_error_is_found(monkeypatch, field):
    monkeypatch.setattr(Planted, "field", field)
    monkeypatch.setattr(kernels, "Engine", Planted)
    outcome = verify(cases=60, only=["trace"])
    assert not outcome.passed
    assert "fastmlp verify --kernel trace --cases 1 --seed" in outcome.failures[0]


@pytest.mark.parametrize("field", ["cost", "dw", "db"])
def test_a_planted_error_in_the_gradients_is_found(monkeypatch, field):
    monkeypatch.setattr(Planted, "field", field)
    monkeypatch.setattr(kernels, "Engine", Planted)
    assert not verify(cases=60, only=["gradients"]).passed


@pytest.mark.parametrize("wrong", ["outputs", "classes"])
def test_a_planted_error_in_inference_is_found(monkeypatch, wrong):
    class Otherwise(kernels.Predictor):
        def __call__(self, images, what, out, threads=None):
            super().__call__(images, what, out, threads)
            if what == wrong == "outputs":
                out *= out.dtype.type(PLANTED)
            elif what == wrong:
                out[0] = (out[0] + 1) % max(2, self.parameters[1][-1].size)

    monkeypatch.setattr(kernels, "Predictor", Otherwise)
    assert not verify(cases=60, only=["infer"]).passed


def learns_otherwise(factor):
    """Return an engine that learns so many times what it should from each call."""

    class Otherwise(kernels.Engine):
        def copies(self):
            shapes = [(int(l["inputs"]), int(l["outputs"])) for l in self.layers]
            weights = [np.empty(shape, self._dtype) for shape in shapes]
            return weights, [np.empty(w.shape[1], w.dtype) for w in weights]

        def train(self, *arguments):
            old, new = (self.copies() for _ in range(2))
            self.read(*old)
            result = super().train(*arguments)
            self.read(*new)
            pairs = [list(zip(*kind, strict=True)) for kind in zip(old, new, strict=True)]
            moved = [[a + (b - a) * a.dtype.type(factor) for a, b in kind] for kind in pairs]
            self.write(*moved)
            return result

    return Otherwise


def test_a_planted_error_in_the_steps_is_found(monkeypatch):
    monkeypatch.setattr(kernels, "Engine", learns_otherwise(PLANTED))
    assert not verify(cases=60, only=["steps"]).passed
    monkeypatch.setattr(kernels, "Engine", learns_otherwise(1.01))
    assert not verify(cases=60, only=["step"]).passed


def test_a_planted_error_in_the_state_is_found(monkeypatch):
    read = kernels.Engine.read_state

    def planted(self, slot, weights, biases):
        read(self, slot, weights, biases)
        if slot != "":  # those are the parameters
            weights[0] *= weights[0].dtype.type(PLANTED)

    monkeypatch.setattr(kernels.Engine, "read_state", planted)
    failures = verify(cases=60, only=["steps"]).failures
    assert failures
    # with factors or limits, sgd is a momentum of 0, and has its state
    plain = [f for f in failures if "'sgd', {" in f and "factors=False" in f]
    assert not [f for f in plain if not any(name in f for name in LIMITS)]


def test_a_planted_error_in_the_engine_is_found(monkeypatch):
    read = kernels.Engine.read

    def planted(self, weights, biases):
        read(self, weights, biases)
        weights[0] *= np.float32(PLANTED)

    monkeypatch.setattr(kernels.Engine, "read", planted)
    assert not verify(cases=60, only=["steps"]).passed


def test_a_failure_is_reproduced_by_its_line(monkeypatch):
    class Seventeen(kernels.Engine):
        def trace(self, images, y, order, scale=1.0):
            found = super().trace(images, y, order, scale)
            return found._replace(a=[a + np.float32(len(order) == 17) for a in found.a])

    monkeypatch.setattr(kernels, "Engine", Seventeen)
    outcome = verify(cases=200, only=["trace"])
    assert outcome.failures
    words = outcome.failures[0].split("fastmlp ")[1].split()
    again = CliRunner().invoke(main, words)
    assert again.exit_code == 1
    assert "17 " in again.output
    assert all(", 17 " in failure for failure in outcome.failures)


def test_the_line_of_a_failure_names_a_width_that_is_not_the_machines(monkeypatch):
    monkeypatch.setattr(run, "VECTOR_BYTES", 32)
    monkeypatch.setattr(run, "WIDEST", 64)
    monkeypatch.setattr(kernels.Predictor, "__call__", lambda *arguments: None)
    failure = verify(cases=1, only=["infer"]).failures[0]
    assert "; FASTMLP_VECTOR_BYTES=32 fastmlp verify --kernel infer" in failure


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
