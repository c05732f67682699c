import logging
import math
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

from firmware_export.common import steps
from firmware_export.common.errors import UserError
from firmware_export.common.stderr import captured_stderr


@pytest.fixture
def told_soon(monkeypatch):
    """Steps are told after 10 ms; the log is on."""
    monkeypatch.setattr(steps, "FIRST_SECONDS", 0.01)
    monkeypatch.setattr(steps, "_TICK_SECONDS", 0.005)
    level = logging.getLogger("firmware_export").level
    logging.getLogger("firmware_export").setLevel(logging.INFO)
    yield
    logging.getLogger("firmware_export").setLevel(level)


def wait_for(lines, words):
    """Until a line with these words has been written to the file descriptor 2 of before."""
    while words not in os.pread(lines, 1 << 16, 0).decode():
        time.sleep(0.005)


@contextmanager
def stderr_in(path):
    """File descriptor 2 goes to a file; in the test itself, because pytest takes it between fixtures and test."""
    kept = os.dup(2)
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    os.dup2(file, 2)
    try:
        yield file
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(file)


def test_a_long_step_is_told_with_what_is_done(told_soon, tmp_path):
    with stderr_in(tmp_path / "stderr") as stderr:

        @steps.step("outer")
        def outer():
            wait_for(stderr, "outer: ")
            inner()

        @steps.step("inner")
        def inner():
            steps.at(1, 4)
            wait_for(stderr, "inner: 1 of 4 after ")

        with steps.watched(None):
            outer()


def test_a_line_is_not_taken_for_a_librarys_message(told_soon, tmp_path):
    with stderr_in(tmp_path / "stderr") as stderr:

        @steps.step("library")
        def library():
            with captured_stderr() as written:
                wait_for(stderr, "library: ")
                return written()

        with steps.watched(None):
            assert library() == ""


def test_a_step_with_a_bar_and_a_quiet_log_are_not_told(told_soon, tmp_path):
    path = tmp_path / "stderr"

    @steps.step("barred")
    def barred():
        steps.at(1, 2, has_bar=True)
        time.sleep(0.05)  # a line on its way is written
        before = path.read_text()
        time.sleep(0.1)
        assert path.read_text() == before

    @steps.step("quiet")
    def quiet():
        time.sleep(0.1)

    with stderr_in(path):
        with steps.watched(None):
            barred()
        logging.getLogger("firmware_export").setLevel(logging.WARNING)
        with steps.watched(None):
            quiet()
    assert "quiet" not in path.read_text()


def test_what_a_step_says():
    step = steps._Step("reading", began=0.0)
    assert step.told(7.4) == "reading: 7 s so far"
    step.total = 10
    assert step.told(7.4) == "reading: 0 of 10 after 7 s"
    step.done = 1
    assert step.told(60) == "reading: 1 of 10 after 60 s, about 9 min left"


def test_the_limit_names_the_step_and_leaves_no_timer():
    @steps.step("turning")
    def turning():
        while True:
            time.sleep(0.01)

    before = signal.getsignal(signal.SIGALRM)
    said = r"--time-limit 0\.05: this step did not end: turning; nothing was written"
    with pytest.raises(UserError, match=said), steps.watched(0.05):
        turning()
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert steps._steps[-1].name == "exporting"
    assert not any(isinstance(thread, steps._Watch) for thread in threading.enumerate())


def test_no_handler_on_the_way_takes_the_limit_for_its_own():
    def swallows():
        try:
            while True:
                time.sleep(0.01)
        except Exception:
            return

    with pytest.raises(UserError, match="--time-limit"), steps.watched(0.05):
        swallows()


def test_a_child_process_is_ended_with_its_parents_step():
    with pytest.raises(UserError, match="--time-limit"), steps.watched(0.2):
        subprocess.run([sys.executable, "-c", "import time; time.sleep(600)"], check=True)


def test_after_the_limit_is_lifted_the_block_ends_by_itself():
    with steps.watched(0.05) as lift:
        lift()
        time.sleep(0.2)


def test_a_call_that_does_not_return_is_ended_all_the_same():
    code = (
        "import signal, time\n"
        "from firmware_export.common import steps\n"
        "steps.GRACE_SECONDS = 0.1\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})\n"  # as within a library's call
        "with steps.watched(0.1): steps.step('stuck')(time.sleep)(600)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: --time-limit 0.1: this step did not end: stuck; nothing was written")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("seconds", [0, -1, math.nan, math.inf, 1e9])
def test_a_limit_that_is_none(seconds):
    with pytest.raises(UserError, match=r"--time-limit .* a number of seconds from 0 to 10,000,000 expected"):
        steps.check_limit(seconds)
    steps.check_limit(None)
    steps.check_limit(600)
