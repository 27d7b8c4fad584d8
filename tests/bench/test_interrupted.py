"""A bench that is killed or interrupted, or cannot be saved, keeps its finished results."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import fake_bench
import pytest

from fastmlp.bench import epochs
from fastmlp.cli import bench_output
from fastmlp.system.files import unwritable

SECONDS = 60


def is_alive(number):
    try:
        with open(f"/proc/{number}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def all_gone(ids):
    patience = time.monotonic() + SECONDS
    while any(map(is_alive, ids)) and time.monotonic() < patience:
        time.sleep(0.02)
    return not any(map(is_alive, ids))


def until(start, stream):
    """Return the lines of a stream up to the first that starts like this."""
    lines = []
    for line in stream:
        lines.append(line)
        if line.startswith(start):
            break
    return lines


def turns(tasks):
    return [(task["workload"], task["implementation"]) for task in tasks]


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, 143)],
    ids=["killed", "interrupted", "terminated"],
)
def test_what_was_finished_is_shown_and_saved_and_the_rest_is_measured_later(fake, number, status):
    fake.saved.write_text("older")
    fake.behave(numpy="hang16-5-3/8")
    command = [sys.executable, "-u", fake_bench.__file__, *fake.epochs("--save", fake.saved)]
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipe) as process:
        try:
            lines = until("16-5-3/8: numpy", process.stdout)
            while len(fake.done()) < 6:  # the process that hangs has begun
                assert process.poll() is None
                time.sleep(0.02)
            process.send_signal(number)
            out, err = process.communicate(timeout=SECONDS)
        finally:
            process.kill()
    assert "16-4-3/8: fastmlp 0.100 s an epoch, numpy 4.00 x, barrier 0.10 us\n" in lines
    assert process.returncode == status, err
    assert "Traceback" not in err
    own, others = fake.done()[-1]["ids"]
    # a process that was killed itself takes along what it started, and no more
    assert all_gone([own] if number == signal.SIGKILL else [own, others])
    if number == signal.SIGKILL:
        os.kill(others, signal.SIGKILL)
    else:
        assert "16-4-3/8" in out
        assert re.search(r"numpy +0\.400 +0\.400 to 0\.400 +4\.00", out)
        assert f"run saved to {fake.saved}" in out.replace("\n", "")
    kept = fake.document()
    assert not kept["complete"]
    assert [len(each["runs"]) for each in kept["workloads"]] == [4, 1]

    fake.behave()
    said = fake.run(*fake.epochs("--save", fake.saved, "--resume")).stdout
    rest = [("16-5-3/8", name) for name in ("numpy", "fastmlp", "numpy")]
    assert turns(fake.done()) == rest
    assert said.count("round ") == 3
    assert "16-5-3/8: fastmlp 0.100 s an epoch, numpy 4.00 x" in said
    whole = fake.document()
    assert whole["complete"]
    assert whole["workloads"][0] == kept["workloads"][0]
    order = [(run["round"], run["implementation"]) for run in whole["workloads"][1]["runs"]]
    assert order == [(number, name) for number in (0, 1) for name in ("fastmlp", "numpy")]
    assert whole["limits"] == kept["limits"]
    assert len(whole["environment"]["resumed"]) == 1

    fake.behave()
    fake.run(*fake.epochs("--save", fake.saved, "--resume"))
    assert not fake.done()


def test_an_interrupt_before_the_first_result_keeps_the_older_run(fake, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    fake.saved.write_text("older")
    monkeypatch.setattr(epochs, "run_in_process", interrupt)
    assert "Interrupted." in fake.run(*fake.epochs("--save", fake.saved), status=130).output
    assert fake.saved.read_text() == "older"


def test_a_run_without_a_result_keeps_the_older_one(fake):
    fake.saved.write_text("older")
    fake.behave(fastmlp="fail", numpy="fail")
    said = fake.run(*fake.epochs("--save", fake.saved), status=1).output
    assert "numpy is out of order" in said
    assert fake.saved.read_text() == "older"


@pytest.mark.parametrize("everywhere", [False, True])
def test_a_full_disk_keeps_the_older_run_and_the_rows(fake, monkeypatch, everywhere):
    real = bench_output.write_whole

    def full(target, data):
        if everywhere or target == fake.saved:
            raise unwritable(target, OSError(28, "No space left on device"))
        real(target, data)

    fake.saved.write_text("older")
    monkeypatch.setattr(bench_output, "write_whole", full)
    said = fake.run(*fake.epochs("--save", fake.saved), status=1).output.replace("\n", " ")
    assert fake.saved.read_text() == "older"
    assert f"{fake.saved} cannot be written: No space left on device" in said
    assert len(re.findall(r"numpy +0\.400 +0\.400 to 0\.400 +4\.00", said)) == 2
    assert "run saved to" not in said
    if not everywhere:
        (other,) = fake.folder.glob("run-*.json")
        assert f"It was written to {other} instead" in said
        assert json.loads(other.read_text())["complete"]


def test_a_disk_with_room_again_gets_the_run(fake, monkeypatch):
    real, tried = bench_output.write_whole, []

    def full_at_first(target, data):
        tried.append(target)
        if len(tried) < 4 and target == fake.saved:
            raise unwritable(target, OSError(28, "No space left on device"))
        real(target, data)

    monkeypatch.setattr(bench_output, "write_whole", full_at_first)
    fake.run(*fake.epochs("--save", fake.saved))
    assert fake.document()["complete"]


def test_a_page_that_cannot_be_written_is_a_failure_but_the_run_is_saved(fake, monkeypatch):
    real = bench_output.write_whole

    def full(target, data):
        if target.suffix == ".html":
            raise unwritable(target, OSError(28, "No space left on device"))
        real(target, data)

    monkeypatch.setattr(bench_output, "write_whole", full)
    more = ("--save", fake.saved, "--html", "run.html")
    said = fake.run(*fake.epochs(*more), status=1).output
    assert "No space left on device" in said
    assert fake.document()["complete"]
