from __future__ import annotations

from test_confusion import drawn
from test_rows import history

from fastmlp.network import Evaluation
from fastmlp.report import progress_line, training_summary
from fastmlp.training import Progress


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
