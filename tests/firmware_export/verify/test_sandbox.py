import functools
import signal
import subprocess
import sys

import pytest

from firmware_export import __main__ as command_line
from firmware_export.common.errors import UserError
from firmware_export.tflite import reader
from firmware_export.verify import sandbox


@pytest.fixture(scope="module")
def crashing(qat_model, edit_model):
    """A flatbuffer that is one to the verifier, and that TFLite dereferences null on."""

    def drop_subgraphs(content):
        content.subgraphs = None

    return edit_model(qat_model, drop_subgraphs)


def test_a_sound_model_passes(qat_model):
    assert sandbox.check(qat_model.content, "student.tflite") is None


def test_a_crash_is_one_line_and_writes_nothing(crashing, call_in_process, tmp_path):
    (tmp_path / "bad.tflite").write_bytes(crashing)
    run = functools.partial(call_in_process, command_line.main, "firmware_export")
    code, _, err = run(tmp_path / "bad.tflite", "--out", tmp_path / "firmware")
    assert (code, len(err.splitlines())) == (2, 1)
    assert "bad.tflite: TFLite crashed on this model (SIGSEGV)" in err
    assert not (tmp_path / "firmware").exists()


def test_refusals_keep_their_words(qat_model):
    with pytest.raises(UserError, match=r"^cut\.tflite is truncated or corrupt"):
        sandbox.check(qat_model.content[:2000], "cut.tflite")


def _limited(change, work):
    code = f"from firmware_export.verify import sandbox\n{change}\nsandbox.limit()\nprint('TFLite', flush=True)\n{work}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)


def test_an_endless_loop_is_ended():
    done = _limited("sandbox.SECONDS = 1", "while True: pass")
    assert done.returncode == -signal.SIGXCPU
    with pytest.raises(UserError, match=r"model\.tflite: TFLite took more than 60 s"):
        sandbox.judge("model.tflite", done.returncode, done.stdout, done.stderr)


def test_memory_is_bounded():
    done = _limited("", "bytearray(sandbox.MEMORY)")
    assert done.returncode == 1
    assert b"MemoryError" in done.stderr


def test_too_little_memory_is_the_users_error(monkeypatch):
    def hungry(*_):
        raise MemoryError

    monkeypatch.setattr(reader, "read", hungry)
    with pytest.raises(UserError, match="needs more than 4,294,967,296 bytes"):
        sandbox.examine(b"", "model.tflite")


def test_a_process_that_waits_is_ended(monkeypatch, qat_model):
    def wait(command, *, timeout, **_):
        raise subprocess.TimeoutExpired(command, timeout, b"TFLite\nTensorFlow Lite Micro\n")

    monkeypatch.setattr(subprocess, "run", wait)
    with pytest.raises(UserError, match="model: TensorFlow Lite Micro took more than"):
        sandbox.check(qat_model.content, "model")


def test_a_defect_of_ours_is_no_user_error():
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        sandbox.judge("model", 1, b"TFLite\n", b"Traceback\nZeroDivisionError: division by zero")


def test_what_the_row_engine_lacks_is_refused_before_the_model_runs(qat_model, monkeypatch):
    def refuse(model):
        raise UserError("not in rows")

    monkeypatch.setattr("firmware_export.rows.lower.lower", refuse)
    monkeypatch.setattr("firmware_export.tflite.interpreters.TfliteInterpreter.invoke", None)
    with pytest.raises(UserError, match="not in rows"):
        sandbox.examine(qat_model.content, "model.tflite", needs_rows=True)
