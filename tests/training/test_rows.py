"""The lines of a run: in a table, and printed as the epochs end."""

import io
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import fastmlp
from fastmlp.network import Evaluation
from fastmlp.training import History
from fastmlp.training.rows import Columns, EpochLines, is_verbose


def history(epochs, validated=False):
    judged = [0.25 if validated else None] * epochs
    return History(
        train_cost=[1 / (1 + n) for n in range(epochs)],
        train_accuracy=[0.9] * epochs,
        validation_cost=[*judged],
        validation_accuracy=[*judged],
        learning_rate=[1.234e-05] * epochs,
        epoch_seconds=[0.5] * epochs,
        samples_per_second=[1234567.0] * epochs,
        stopped=f"all {epochs} epochs done",
    )


def test_every_line_names_the_data_and_the_test_has_their_columns():
    columns = Columns(history(2), "digits")
    lines = [columns.heading(), columns.epoch(0), columns.test(Evaluation(0.0612, 0.981))]
    assert lines[0].split() == ["data", "set", "epoch", "cost", "accuracy", "rate", "samples/s"]
    assert lines[1].split() == ["digits", "1", "1.0000", "90.00", "%", "1.23e-05", "1,234,567"]
    assert lines[2].split() == ["digits", "test", "0.0612", "98.10", "%"]
    for text in ("epoch", "cost", "accuracy"):
        end = lines[0].index(text) + len(text)
        assert all(line[end - 1 : end].strip() and not line[end:].startswith("%") for line in lines)


@pytest.mark.parametrize("validated", [False, True])
def test_the_lines_fit_in_80_columns(validated):
    columns = Columns(history(3, validated), "fashion-mnist")
    lines = [columns.heading(), *map(columns.epoch, range(3))]
    assert len({len(line) for line in lines}) == 1
    assert len(lines[0]) <= 80
    assert ("val cost" in lines[0]) == validated


def test_a_number_that_is_too_long_is_whole():
    long = history(1)
    long.train_cost, long.samples_per_second = [1.4e28], [123456789012.0]
    assert Columns(long).epoch(0).split()[1::4] == ["1.4e+28", "123,456,789,012"]


def test_each_epoch_is_printed_when_it_ends(capsys):
    rng = np.random.default_rng(0)
    data = rng.random((60, 4)), rng.integers(0, 3, 60)
    seen = []

    def watch(progress):
        if progress.epoch_ended:
            seen.append(capsys.readouterr().out)

    settings = {"epochs": 3, "backend": "numpy", "callbacks": watch}
    run = fastmlp.train(fastmlp.Network(4, 3), data, verbose=True, **settings)
    assert [text.count("\n") for text in seen] == [2, 1, 1]
    assert "".join(seen) == run.table() + "\n"
    fastmlp.train(fastmlp.Network(4, 3), data, verbose=False, **settings)
    assert seen[3:] == ["", "", ""]


def test_a_resumed_run_prints_the_earlier_epochs_too():
    lines = []
    printer = EpochLines("digits", lines.append)
    for ended in (printer.on_epoch_end, printer.on_train_end):
        ended(SimpleNamespace(history=history(3)))
    assert [line.split()[1] for line in lines] == ["set", "1", "2", "3"]


def test_a_run_that_was_complete_is_printed_if_it_is_resumed(capsys, tmp_path):
    rng = np.random.default_rng(0)
    data, printed = (rng.random((60, 4)), rng.integers(0, 3, 60)), []
    for _ in range(2):
        settings = {"epochs": 2, "backend": "numpy", "checkpoint": tmp_path, "resume": True}
        fastmlp.train(fastmlp.Network(4, 3), data, verbose=True, **settings)
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1] != ""


def test_a_run_without_epochs_prints_nothing(capsys):
    data = np.ones((2, 4)), [0, 1]
    fastmlp.train(fastmlp.Network(4, 3), data, epochs=0, backend="numpy", verbose=True)
    assert capsys.readouterr().out == ""


def test_lines_go_through_a_pipe_at_once(monkeypatch):
    class Pipe(io.StringIO):
        flushed = ""

        def flush(self):
            self.flushed = self.getvalue()

    pipe = Pipe()
    monkeypatch.setattr(sys, "stdout", pipe)
    EpochLines().on_epoch_end(SimpleNamespace(history=history(1)))
    assert pipe.flushed.count("\n") == 2


def test_a_notebook_is_verbose(monkeypatch):
    assert not is_verbose(None)
    for shell, wanted in ((SimpleNamespace(kernel=1), True), (SimpleNamespace(), False)):
        module = SimpleNamespace(get_ipython=lambda shell=shell: shell)
        monkeypatch.setitem(sys.modules, "IPython", module)
        assert is_verbose(None) is wanted
        assert is_verbose(1)
        assert not is_verbose(False)
