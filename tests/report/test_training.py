from __future__ import annotations

import pytest
from test_confusion import drawn

from fastmlp.network import Evaluation
from fastmlp.report import progress_line, training_summary, training_table
from fastmlp.training import History, Progress


def history(epochs: int, validated: bool = False) -> History:
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


def test_every_row_names_the_data_set_and_the_last_is_the_test() -> None:
    lines = drawn(training_table("digits", history(2), Evaluation(0.0612, 0.981))).splitlines()
    assert lines[1].split() == ["digits", "1", "1.0000", "90.00", "%", "1.23e-05", "1,234,567"]
    assert lines[3].split() == ["digits", "test", "0.0612", "98.10", "%"]
    assert all(line.startswith("digits") for line in lines[1:])


@pytest.mark.parametrize("validated", [False, True])
def test_the_table_fits_in_80_columns(validated: bool) -> None:
    table = training_table("fashion-mnist", history(3, validated), Evaluation(0.06, 0.98))
    lines = drawn(table, 200).splitlines()
    assert len(lines) == 5
    assert max(len(line.rstrip()) for line in lines) <= 80
    assert ("val cost" in lines[0]) == validated


@pytest.mark.parametrize("epochs", [1, 20, 21, 1000])
def test_a_long_run_shows_at_most_20_epochs_and_always_the_last(epochs: int) -> None:
    lines = drawn(training_table("mnist", history(epochs), None)).splitlines()[1:]
    assert len(lines) == min(epochs, len(lines)) <= 20
    assert lines[-1].split()[1] == str(epochs)


def test_the_progress_line_fits_in_80_columns() -> None:
    progress = Progress(1000, 1000, 5, 10, 0.1234, 1.0, 1234567.0, False, history(1))
    text = drawn(progress_line("fashion-mnist", progress)).splitlines()
    assert len(text) == 1
    for part in ("fashion-mnist", "epoch 1000/1000", "cost 0.1234", "100.00 %", "1,234,567/s"):
        assert part in text[0]


def test_the_summary_says_what_was_unusual_and_keeps_compilation_apart() -> None:
    usual = training_summary(history(2), Evaluation(0.06, 0.98), 0.0)
    assert usual == ["test accuracy 98.00 % after 1.00 s of training"]
    run = history(4)
    run.stopped, run.restored_epoch = "validation cost has not fallen since epoch 1", 1
    lines = training_summary(run, None, 29.1)
    assert lines == [
        "stopped after 4 epochs: validation cost has not fallen since epoch 1",
        "the parameters of epoch 1 were restored",
        "2.00 s of training",
        "kernels ready in 29.1 s, which is not counted above",
    ]
