"""Processes that train together, as threads."""

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from filelock import Timeout

from firmware_export.common.errors import Terminated, UserError
from keras_satkd.run import meeting
from keras_satkd.run.cluster import Cluster
from keras_satkd.run.meeting import Meeting, leaves

NAMES = ("worker 0", "worker 1")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(meeting, "_SECONDS", 0.05)


@pytest.fixture(autouse=True)
def exit_codes(monkeypatch):
    """With which this process would have ended soon."""
    codes = []
    monkeypatch.setattr(meeting, "_end_soon", codes.append)
    return codes


class Member:
    """One of two processes, and why it was ended."""

    def __init__(self, folder, position, timeout=20.0):
        self.reason, self.has_ended = "", threading.Event()
        cluster = Cluster(("a:1", "b:1"), NAMES, position)
        self.meeting = Meeting(folder, cluster, timeout, self._end)

    def _end(self, reason):
        self.reason = reason
        self.has_ended.set()


def both(*calls):
    """Results or errors of calls at the same time."""

    def result(call):
        try:
            return call()
        except UserError as error:
            return str(error)

    with ThreadPoolExecutor() as pool:
        return list(pool.map(result, calls))


@pytest.fixture
def joined(tmp_path):
    members = [Member(tmp_path, position) for position in (0, 1)]
    assert both(*(lambda each=each: each.meeting.join({"version": 1}) for each in members)) == [None, None]
    return members


def test_they_meet_agree_and_part(joined):
    assert [each.meeting.is_chief for each in joined] == [True, False]
    assert both(*(lambda each=each: each.meeting.agree({"data": {"train": "x"}}) for each in joined)) == [None, None]
    assert both(*(each.meeting.part for each in joined)) == [None, None]
    assert [each.reason for each in joined] == ["", ""]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (({"data": "x"}, {"data": "y"}), "worker 1 (b:1) has another data than worker 0 (a:1) (y, not x)"),
        (
            ({"data": {"a": 1, "b": 2}}, {"data": {"a": 1, "b": 3}}),
            "worker 1 (b:1) has another data than worker 0 (a:1) (b: 3, not 2)",
        ),
    ],
)
def test_they_differ(joined, facts, said):
    calls = (lambda each=each, told=told: each.meeting.agree(told) for each, told in zip(joined, facts, strict=True))
    assert both(*calls) == [f"{said}: give all processes the same"] * 2


def test_one_never_comes(tmp_path):
    # The file of a process that was killed does not make it present.
    (tmp_path / "workers").mkdir()
    (tmp_path / "workers" / "1.json").write_text(json.dumps({"session": "old", "beat": 7, "facts": {}, "heard": {}}))
    with pytest.raises(
        UserError, match=r"worker 1 \(b:1\) is not heard within 0\.3 s: start it with the same --workdir"
    ):
        Member(tmp_path, 0, timeout=0.3).meeting.join({})


@pytest.mark.parametrize(("interrupt", "code"), [(KeyboardInterrupt, 130), (Terminated, 143)])
def test_one_leaves(joined, exit_codes, interrupt, code):
    with pytest.raises(interrupt), leaves(joined[1].meeting):
        raise interrupt
    assert exit_codes == [code]
    assert joined[0].has_ended.wait(10)
    assert joined[0].reason == (
        "worker 1 (b:1) has ended (it was interrupted): repeat the command of every process to resume"
    )


def test_one_is_killed(tmp_path):
    members = [Member(tmp_path, 0, timeout=1.0), Member(tmp_path, 1, timeout=60)]
    both(*(lambda each=each: each.meeting.join({}) for each in members))
    members[1].meeting._is_over.set()  # its thread stops, and nothing is said any more
    assert members[0].has_ended.wait(20)
    assert "worker 1 (b:1) is not heard for 1 s, so it was killed or cut off: repeat" in members[0].reason


def test_one_is_started_again(joined, tmp_path):
    joined[1].meeting._is_over.set()
    again = Member(tmp_path, 1, timeout=0.5)
    assert "is not heard within" in both(lambda: again.meeting.join({}))[0]
    assert joined[0].has_ended.wait(10)
    assert "worker 1 (b:1) was started again: repeat" in joined[0].reason


def test_two_have_the_same_place(tmp_path, monkeypatch):
    def taken(path, *, waits):
        raise Timeout(str(path))

    monkeypatch.setattr(meeting, "lock", taken)
    with pytest.raises(
        UserError, match=r"has another process that is worker 0 \(a:1\): give each process a task\.index"
    ):
        Member(tmp_path, 0)


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "workers").write_text("")
    with pytest.raises(UserError, match="cannot be written: File exists; all processes must be able to"):
        Member(tmp_path, 0)


def test_an_exception_without_others(exit_codes):
    with pytest.raises(ValueError, match="x"), leaves(None):
        raise ValueError("x")
    assert exit_codes == []


def test_a_process_that_hangs_at_its_end_is_ended():
    code = (
        "import time; from keras_satkd.run import meeting; meeting._LAST_SECONDS = 0.2; meeting._end_soon(143); "
        "time.sleep(60)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 143


def test_an_error_of_tensorflow_waits_for_its_reason(tmp_path):
    members = [Member(tmp_path, position, timeout=0.5) for position in (0, 1)]
    both(*(lambda each=each: each.meeting.join({}) for each in members))
    members[1].meeting._is_over.set()
    failure = type("UnavailableError", (Exception,), {"__module__": "tensorflow.python.framework.errors_impl"})
    said = r"connection to the other processes broke \(Connection reset by peer\): repeat the command"
    with pytest.raises(UserError, match=said), leaves(members[0].meeting):
        raise failure("Connection reset by peer")
    assert "is not heard for 0.5 s" in members[0].reason
