"""A run that was stopped anywhere and resumed ends with the same bits."""

import errno
import hashlib
import json
import os
import signal
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

import fastmlp
from fastmlp.errors import ArgumentError, CheckpointError
from fastmlp.system import files, interrupts
from fastmlp.training import EarlyStopping, checkpoint

SETTINGS = {"batch_size": 16, "learning_rate": 0.2, "momentum": 0.9, "backend": "numpy", "seed": 3}


def made(seed=0, count=200):
    rng = np.random.default_rng(seed)
    images = rng.integers(1, 256, (count, 36), np.uint8)
    images[rng.random(images.shape) > 0.3] = 0
    return images, rng.integers(0, 4, count)


def fingerprint(network):
    parameters = (*network.weights, *network.biases)
    return hashlib.sha256(b"".join(p.tobytes() for p in parameters)).hexdigest()


def trained(folder=None, stop_after=None, data=None, at_each=lambda progress: None, **changes):
    network = fastmlp.Network((36, 12, 4), seed=1)
    settings = {"epochs": 6, **SETTINGS, "checkpoint": folder, **changes}

    def stop(progress):
        if progress.epoch_ended and progress.epoch == stop_after:
            raise KeyboardInterrupt

    history = fastmlp.train(network, data or made(), callbacks=[stop, at_each], **settings)
    return fingerprint(network), history


def stopped(folder, after, **changes):
    with pytest.raises(KeyboardInterrupt):
        trained(folder, after, **changes)


@pytest.mark.parametrize("backend", ["numpy", "compiled"])
@pytest.mark.parametrize("schedule", ["linear", "halving"])
@pytest.mark.parametrize(
    "extra",
    [
        *({}, {"momentum": 0.0}, {"nesterov": True, "weight_decay": 0.01}, {"dropout": 0.3}),
        {"input_dropout": 0.2, "clip_norm": 0.1},
    ],
)
def test_a_resumed_run_ends_with_the_same_bits_and_history(tmp_path, backend, schedule, extra):
    settings = {"backend": backend, "schedule": schedule, **extra}
    wanted, whole = trained(**settings)
    stopped(tmp_path, 4, **settings)
    got, history = trained(tmp_path, resume=True, **settings)
    assert got == wanted
    assert history.train_cost == whole.train_cost
    assert history.learning_rate == whole.learning_rate
    assert history.resumed_epoch == 4
    assert history.stopped == whole.stopped


def test_early_stopping_goes_on_with_what_was_best(tmp_path):
    settings = {"validation": made(5), "epochs": 12, "early_stopping": EarlyStopping(4)}
    wanted, whole = trained(**settings)
    stopped(tmp_path, 3, **settings)
    got, history = trained(tmp_path, resume=True, **settings)
    assert (got, history.restored_epoch) == (wanted, whole.restored_epoch)
    assert history.validation_cost == whole.validation_cost


def test_a_finished_run_is_only_read(tmp_path):
    wanted, whole = trained(tmp_path)
    got, history = trained(tmp_path, resume=True)
    assert got == wanted
    assert history.epoch_seconds == whole.epoch_seconds


def test_an_interrupt_saves_what_was_not_due_yet(tmp_path):
    stopped(tmp_path, 5, every=3)
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        "checkpoint-000003.safetensors",
        "checkpoint-000005.safetensors",
    ]


def test_so_does_a_callback_that_ends_the_run_or_fails(tmp_path):
    wanted, _ = trained()

    def fail(progress):
        raise RuntimeError("planted")

    for folder, callback in (("ended", lambda progress: True), ("failed", fail)):
        settings = {**SETTINGS, "epochs": 6, "checkpoint": tmp_path / folder, "every": 4}
        network = fastmlp.Network((36, 12, 4), seed=1)
        with pytest.raises(RuntimeError, match="planted") if callback is fail else nullcontext():
            fastmlp.train(
                network,
                made(),
                callbacks=[lambda p, end=callback: end(p) if p.epoch == 2 and p.epoch_ended else 0],
                **settings,
            )
        got, history = trained(tmp_path / folder, resume=True, every=4)
        assert (got, history.resumed_epoch) == (wanted, 2)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_an_epoch_is_being_saved_waits_until_it_is(
    tmp_path, monkeypatch, number
):
    def interrupted(path, data):
        signal.raise_signal(number)
        files.write_whole(path, data)

    monkeypatch.setattr(checkpoint, "write_whole", interrupted)
    with interrupts.raise_terminated(), pytest.raises(KeyboardInterrupt):
        trained(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-000001.safetensors"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_resumed_run_that_diverges_has_the_average_of_the_last_good_epoch(tmp_path):
    def late(progress):
        return 1e30 if progress > 4 / 6 else 1.0

    settings = {"average": "ema", "schedule": late}
    found = []
    for folder in (None, tmp_path):
        if folder:
            stopped(folder, 4, **settings)
        network = fastmlp.Network((36, 12, 4), seed=1)
        with pytest.raises(fastmlp.DivergedError, match="parameters of epoch 4"):
            fastmlp.train(
                *(network, made()),
                **{**SETTINGS, "epochs": 6, "checkpoint": folder, "resume": bool(folder)},
                **settings,
            )
        found.append(fingerprint(network))
    assert found[0] == found[1]


def test_only_the_checkpoints_that_are_due_cost_time(tmp_path, monkeypatch):
    dumped, dumps = [], json.dumps
    monkeypatch.setattr(json, "dumps", lambda *a, **k: dumped.append(1) or dumps(*a, **k))
    counts = []
    for epochs in (2, 8):
        trained(tmp_path / str(epochs), epochs=epochs, every=8)
        counts.append(len(dumped))
        dumped.clear()
    assert counts[0] == counts[1]


def test_only_the_last_few_are_kept(tmp_path):
    trained(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        f"checkpoint-{number:06d}.safetensors" for number in (4, 5, 6)
    ]


def test_the_millionth_epoch_is_newer_than_those_before(tmp_path):
    for epochs in (999_999, 1_000_000):
        (tmp_path / f"checkpoint-{epochs:06d}.safetensors").touch()
    names = [path.name for path in checkpoint.list_paths(tmp_path)]
    assert names == ["checkpoint-1000000.safetensors", "checkpoint-999999.safetensors"]


def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path):
    wanted, _ = trained()
    stopped(tmp_path, 5)
    newest = max(tmp_path.iterdir())
    data = bytearray(newest.read_bytes())
    data[-5] ^= 1
    newest.write_bytes(data)
    with pytest.warns(RuntimeWarning, match=r"000005.safetensors is damaged.*checkpoint before it"):
        got, history = trained(tmp_path, resume=True)
    assert (got, history.resumed_epoch) == (wanted, 4)


def test_where_all_are_damaged_nothing_is_begun(tmp_path):
    trained(tmp_path)
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    with (
        pytest.warns(RuntimeWarning, match="is damaged") as caught,
        pytest.raises(CheckpointError, match=r"all 3 checkpoints are damaged\. Name another"),
    ):
        trained(tmp_path, resume=True)
    assert ["before it is tried" in str(one.message) for one in caught] == [True, True, False]


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"learning_rate": 0.3}, "learning_rate"),
        ({"epochs": 5}, "epochs"),
        ({"data": made(1)}, "data"),
        ({"epochs": 7, "schedule": "linear"}, "(epochs|schedule)"),
        ({"schedule": "cosine"}, "schedule"),
        ({"seed": 4}, "seed"),
    ],
)
def test_another_run_is_refused_and_the_difference_named(tmp_path, change, name):
    trained(tmp_path)
    with pytest.raises(ArgumentError, match=f"resume needs the same {name} as before, .*; got"):
        trained(tmp_path, resume=True, **change)


@pytest.mark.parametrize("schedule", ["constant", "halving", "plateau"])
@pytest.mark.parametrize("warmup", [0, 2])
def test_a_run_goes_on_for_more_epochs_where_no_rate_depends_on_them(tmp_path, schedule, warmup):
    own = {"schedule": schedule, "warmup": warmup}
    trained(tmp_path, epochs=3, **own)
    found, history = trained(tmp_path, epochs=5, resume=True, **own)
    assert (history.resumed_epoch, len(history)) == (3, 5)
    assert found == trained(epochs=5, **own)[0]


@pytest.mark.parametrize(
    ("schedule", "warmup", "epochs"),
    [("linear", 0, 5), ("constant", 0.1, 5), ("constant", 3, 5), ("constant", 0, 1)],
)
def test_other_epochs_are_refused_where_rates_depend_on_them(tmp_path, schedule, warmup, epochs):
    own = {"schedule": schedule, "warmup": warmup}
    trained(tmp_path, stop_after=None, epochs=max(2, warmup), **own)
    for path in sorted(tmp_path.iterdir())[2:]:
        path.unlink()  # two epochs are done
    with pytest.raises(ArgumentError, match=r"the same epochs .* constant, halving or plateau"):
        trained(tmp_path, epochs=epochs, resume=True, **own)


def test_a_new_run_does_not_end_up_among_another_runs_checkpoints(tmp_path):
    trained(tmp_path)
    with pytest.raises(ArgumentError, match=r"checkpoint must be empty.*Pass resume=True"):
        trained(tmp_path)


def test_resuming_removes_what_a_killed_run_left(tmp_path):
    old, new = (tmp_path / f".fastmlp-{name}.part" for name in ("0a", "0b"))
    for path in (old, new):
        path.write_bytes(b"x")
    os.utime(old, (0, 0))
    trained(tmp_path, resume=True)
    assert (old.exists(), new.exists()) == (False, True)


def test_resuming_needs_a_folder_and_takes_an_empty_one(tmp_path):
    with pytest.raises(ArgumentError, match="resume needs a folder"):
        trained(resume=True)
    assert trained(tmp_path / "new", resume=True)[0] == trained()[0]


def test_a_full_disk_is_told_and_the_old_checkpoint_stays(tmp_path, monkeypatch):
    stopped(tmp_path, 3)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(CheckpointError, match=r"No space left on device.*free some space"):
        trained(tmp_path, resume=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_state_comes_back_as_it_went(tmp_path):
    arrays = {"a": np.arange(6.0, dtype=np.float32).reshape(2, 3), "b": np.array([np.nan])}
    state = checkpoint.State(3, arrays, {"generator": {"state": 2**127 + 1}, "x": None})
    (tmp_path / "one").write_bytes(checkpoint.to_bytes(state))
    back = checkpoint.read(tmp_path / "one")
    assert (back.epochs, back.facts) == (3, state.facts)
    assert all(back.tensors[name].tobytes() == array.tobytes() for name, array in arrays.items())


def test_a_checkpoint_of_the_first_format_is_gone_on_with(tmp_path):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (20, 5), np.uint8), rng.integers(0, 3, 20)
    settings = {"epochs": 4, "batch_size": 4, "learning_rate": 0.1, "momentum": 0.9, "seed": 2}
    settings |= {"early_stopping": 3, "validation": (images[16:], labels[16:]), "backend": "numpy"}
    written = Path(__file__).with_name("checkpoint_of_format_1.bin").read_bytes()
    (tmp_path / "checkpoint-000002.safetensors").write_bytes(written)
    one, other = (fastmlp.Network((5, 4, 3), seed=1) for _ in range(2))
    split, going_on = (images[:16], labels[:16]), {"checkpoint": tmp_path, "resume": True}
    whole = fastmlp.train(one, split, **settings)
    resumed = fastmlp.train(other, split, **settings, **going_on)
    assert resumed.resumed_epoch == 2
    assert len(resumed) == len(whole) == 4
    assert resumed.train_cost == pytest.approx(whole.train_cost)
    assert resumed.validation_cost == pytest.approx(whole.validation_cost)
    for mine, theirs in zip(one.weights, other.weights, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5)
