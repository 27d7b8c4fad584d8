from __future__ import annotations

import pytest

from fastmlp.errors import DataUnavailableError
from fastmlp.report.text import (
    class_names,
    duration,
    layer_sizes,
    microseconds,
    printable,
    reason,
    with_barrier,
)
from fastmlp.training.rows import number, percent


def test_numbers() -> None:
    assert percent(0.98123) == "98.12 %"
    assert number(0.06123) == "0.0612"
    assert number(1.4247e28) == "1.42e+28"
    assert microseconds([5e-8, 1.8e-7, 6e-8]) == "0.05 to 0.18"
    assert microseconds([7.1e-8, 6.9e-8]) == "0.07"
    assert with_barrier("w", []) == "w"
    assert layer_sizes((784, 128, 10)) == "784-128-10"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0123, "0.012 s"), (3.579, "3.58 s"), (29.14, "29.1 s"), (3600.4, "3600 s")],
)
def test_durations_have_the_digits_that_matter(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_name_cannot_command_the_terminal() -> None:
    assert printable("a\x1b[2Jb\r\nü") == "a?[2Jb??ü"
    assert class_names(["\x1b[31m", "x"], 2) == ("?[31m", "x")


def test_names_that_do_not_fit_give_way_to_numbers() -> None:
    assert class_names(["a", "b"], 3) == ("0", "1", "2")
    assert class_names(None, 2) == ("0", "1")


def test_the_reason_is_one_line_without_addresses_and_remedy() -> None:
    attempts = DataUnavailableError(
        "images.gz could not be downloaded:\n"
        "  https://one.example/images.gz: no route to host\n"
        "  https://two.example/images.gz: no route to host\n"
        "  https://three.example/images.gz: no data for 8 s\n"
        "Put the file into /tmp."
    )
    expected = "images.gz could not be downloaded: no route to host; no data for 8 s"
    assert reason(attempts) == expected
    single = DataUnavailableError("mnist: found none in /a/.b. Put them there.")
    assert reason(single) == "mnist: found none in /a/.b"
    assert reason(ValueError()) == "ValueError"
