"""Callbacks that are objects: their hooks, and the ones that fastmlp offers."""

import csv
import errno
import json
import os
from math import isnan

import numpy as np
import pytest

import fastmlp
from fastmlp import callbacks
from fastmlp.errors import ArgumentError, DivergedError, UnwritableError
from fastmlp.training import callbacks as offered
from fastmlp.training.progress import HOOKS

SETTINGS = {"epochs": 4, "batch_size": 8, "learning_rate": 0.3, "backend": "numpy"}


def made(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(40, 6)), rng.integers(0, 3, 40)


def trained(given=(), **changes):
    network = fastmlp.Network((6, 10, 3))
    history = fastmlp.train(network, made(), callbacks=given, **{**SETTINGS, **changes})
    return [a.copy() for a in (*network.weights, *network.biases)], history


class Recorder:
    """Keeps what each hook received, and ends the run in one of them."""

    def __init__(self, end=None, epoch=2):
        self.seen, self.end, self.epoch = [], end, epoch
        for hook in HOOKS:
            setattr(self, hook, self.hook(hook))

    def hook(self, name):
        def called(progress):
            self.seen.append((name, progress))
            return name == self.end and progress.epoch in (0, self.epoch)

        return called


def test_the_hooks_are_called_in_order():
    recorder = Recorder()
    _, history = trained(recorder)
    begin, *middle, end = recorder.seen
    assert (begin[0], begin[1].epoch, begin[1].step) == ("on_train_begin", 0, 0)
    assert [name for name, _ in middle] == ["on_epoch_begin", "on_epoch_end"] * 4
    assert [progress.epoch for _, progress in middle] == [1, 1, 2, 2, 3, 3, 4, 4]
    assert [progress.epoch_ended for _, progress in middle] == [False, True] * 4
    assert [progress.cost for _, progress in middle[1::2]] == history.train_cost
    assert all(isnan(progress.cost) for _, progress in (begin, end, *middle[::2]))
    assert (end[0], end[1].epoch, end[1].history) == ("on_train_end", 4, history)
    assert end[1].history.stopped == "all 4 epochs done"


@pytest.mark.parametrize(
    ("hook", "epochs"), [("on_train_begin", 0), ("on_epoch_begin", 1), ("on_epoch_end", 2)]
)
def test_true_from_a_hook_ends_the_run(hook, epochs):
    recorder = Recorder(end=hook)
    _, history = trained([recorder])
    assert (len(history), history.stopped) == (epochs, "a callback asked for it")
    assert recorder.seen[-1][0] == "on_train_end"


def test_the_end_is_told_whatever_it_is():
    for change, error in (({"learning_rate": 1e30}, DivergedError), ({}, ZeroDivisionError)):
        recorder = Recorder()
        fails = [] if change else [lambda progress: 1 / 0]
        with pytest.raises(error):
            trained([recorder, *fails], **change)
        assert recorder.seen[-1][0] == "on_train_end"
        assert recorder.seen[-1][1].history.stopped


def test_a_function_and_an_object_work_side_by_side_and_alone():
    seen = []
    recorder = Recorder()
    trained([seen.append, recorder])
    assert [p.epoch for p in seen if p.epoch_ended] == [1, 2, 3, 4]
    assert len(recorder.seen) == 10
    count = len(seen)
    trained(seen.append)
    assert len(seen) == 2 * count


def test_hooks_alone_do_not_publish_parameters_within_an_epoch():
    wanted, _ = trained()
    got, _ = trained(Recorder())
    assert all(map(np.array_equal, got, wanted))


@pytest.mark.parametrize("hook", HOOKS[:3])
def test_parameters_written_in_a_hook_count(hook):
    class Writes:
        pass

    def write(progress):
        for array in (*network.weights, *network.biases):
            array[...] = 0

    network, writes = fastmlp.Network((6, 10, 3)), Writes()
    setattr(writes, hook, write)
    fastmlp.train(network, made(), callbacks=writes, **SETTINGS)
    # with weights of 0 only the last layer's biases move
    assert not network.weights[0].any()
    assert network.biases[1].any() == (hook != "on_epoch_end")


@pytest.mark.parametrize("bad", [3, "x", [3], [object()], fastmlp.callbacks.TimeLimit])
def test_what_is_no_callback_is_refused(bad):
    with pytest.raises(ArgumentError, match="callbacks must be functions, or objects with some"):
        trained(bad)


def test_early_stopping_may_be_a_callback(tmp_path):
    settings = {"validation": made(1), "epochs": 60, "learning_rate": 0.5}
    wanted, whole = trained(early_stopping=3, **settings)
    got, history = trained(callbacks.EarlyStopping(3), **settings)
    assert all(map(np.array_equal, got, wanted))
    assert history.restored_epoch == whole.restored_epoch is not None
    assert callbacks.EarlyStopping is fastmlp.EarlyStopping
    with pytest.raises(ArgumentError, match="early_stopping must be given once"):
        trained(callbacks.EarlyStopping(3), early_stopping=3, **settings)
    with pytest.raises(ArgumentError, match="early_stopping needs validation data"):
        trained(callbacks.EarlyStopping(3))


@pytest.mark.parametrize(
    ("limit", "durations", "epochs"),
    [
        (10, [3, 3, 3, 3, 3, 3], 3),  # a fourth epoch would end at 12, 2 after the limit
        (11, [3, 3, 3, 3, 3, 3], 4),  # it would end at 12, 1 after the limit
        (10, [1, 1, 1, 20, 1, 1], 4),  # the limit is exceeded in the fourth
        (0, [1, 1], 1),
        (5, [1, 1, 1], 3),
        (5, [1, 20], 2),  # after the last epoch there is nothing to end
        (np.inf, [1, 1, 1], 3),
    ],
)
def test_a_time_limit_begins_no_epoch_that_exceeds_it_by_more_than_half(
    monkeypatch, limit, durations, epochs
):
    clock = [100.0]
    monkeypatch.setattr(offered, "monotonic", lambda: clock[0])

    def takes(progress):
        if progress.epoch_ended:
            clock[0] += durations[progress.epoch - 1]

    _, history = trained(takes, max_seconds=limit, epochs=len(durations))
    assert len(history) == epochs
    all_done = f"all {epochs} epochs done"
    wanted = all_done if epochs == len(durations) else f"time limit of {limit:g} s"
    assert history.stopped == wanted


def test_a_run_that_a_time_limit_ended_is_resumed(tmp_path):
    """Also if a callback writes parameters, so that the epoch is saved a second time."""

    def run(**changes):
        def writes(progress):
            if progress.epoch_ended:
                network.biases[0][...] += 1

        network = fastmlp.Network((6, 10, 3))
        history = fastmlp.train(network, made(), callbacks=writes, **SETTINGS, **changes)
        return network.weights[0].tobytes(), history

    wanted, _ = run()
    assert run(max_seconds=0, checkpoint=tmp_path)[1].stopped == "time limit of 0 s"
    got, history = run(checkpoint=tmp_path, resume=True)
    assert (got, history.resumed_epoch) == (wanted, 1)
    assert history.stopped == "all 4 epochs done"


@pytest.mark.parametrize("bad", [-1, "long", np.nan, True])
def test_a_bad_limit_is_refused(bad):
    with pytest.raises(ArgumentError, match="max_seconds must be a number of at least 0"):
        trained(max_seconds=bad)


def read(path):
    """Return the rows of a log as numbers; None for a value that is missing."""
    text = path.read_text()
    assert text.endswith("\n")
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in text.splitlines()]
    rows = csv.DictReader(text.splitlines())
    return [{name: float(v) if v else None for name, v in row.items()} for row in rows]


@pytest.mark.parametrize("suffix", offered.LOGS)
@pytest.mark.parametrize("validation", [None, made(1)])
def test_a_log_has_a_line_for_each_epoch_as_soon_as_it_ends(tmp_path, suffix, validation):
    path, lengths = tmp_path / f"log{suffix}", []
    log = offered.LOGS[suffix](path)
    path.write_text("of another run\n")

    def count(progress):
        if progress.epoch_ended:
            lengths.append(len(read(path)))

    _, history = trained([log, count], validation=validation)
    assert lengths == [1, 2, 3, 4]
    rows = read(path)
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    for name, values in vars(history).items():
        if isinstance(values, list):
            assert [row[name] for row in rows] == values, name


@pytest.mark.parametrize("suffix", offered.LOGS)
def test_a_resumed_run_goes_on_with_its_log(tmp_path, suffix):
    """Also if the log has an epoch that the checkpoint lacks, or half of a line."""
    path = tmp_path / f"log{suffix}"
    end = [lambda progress: progress.epoch_ended and progress.epoch == 2]
    log = offered.LOGS[suffix](str(path))
    trained([log, *end], checkpoint=tmp_path / "run")
    before = path.read_text()
    path.write_text(before + before.splitlines()[-1] + "\n3,0.1")
    trained(log, checkpoint=tmp_path / "run", resume=True)
    assert path.read_text().startswith(before)
    assert [row["epoch"] for row in read(path)] == [1, 2, 3, 4]


def test_an_epoch_that_is_recorded_is_in_the_log_though_a_callback_fails(tmp_path):
    class Fails:
        def on_epoch_end(self, progress):
            if progress.epoch == 2:
                raise RuntimeError

    for order in (1, -1):
        with pytest.raises(RuntimeError):
            trained([Fails(), callbacks.CSVLog(tmp_path / "log.csv")][::order])
        assert [row["epoch"] for row in read(tmp_path / "log.csv")] == [1, 2]


def test_a_resumed_run_keeps_the_order_of_the_metrics(tmp_path):
    x, y = np.random.default_rng(0).normal(size=(2, 40, 1))
    names = []
    for epochs in (1, 2):
        network = fastmlp.Network(1, 4, 1, output="identity", cost="squared_error")
        settings = {"validation": 0.2, "backend": "numpy", "checkpoint": tmp_path / "run"}
        history = fastmlp.train(network, x, y, epochs=epochs, resume=epochs == 2, **settings)
        names.append(history.names())
    assert names[0] == names[1]


def test_a_log_that_cannot_be_written_ends_the_run_and_has_no_half_line(tmp_path, monkeypatch):
    path = tmp_path / "log.csv"
    log = callbacks.CSVLog(path)
    trained(log, epochs=1)
    before = path.read_bytes()
    real_open = open

    class Full:
        """A file that writes half of a line, and then fails."""

        def __init__(self, *arguments, **named):
            self.file, self.calls = real_open(*arguments, **named), 0

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.file.close()

        def write(self, data):
            self.calls += 1
            if self.calls > 1:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return self.file.write(data[: len(data) // 2])

        def __getattr__(self, name):
            return getattr(self.file, name)

    monkeypatch.setattr("fastmlp.system.files.open", Full, raising=False)
    with pytest.raises(UnwritableError, match=r"log.csv cannot be written: No space left"):
        offered.append_whole(path, b"2,0.5\n")
    assert path.read_bytes() == before
