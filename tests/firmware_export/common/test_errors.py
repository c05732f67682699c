import concurrent.futures
import errno
import os
import signal
import subprocess
import sys
import time
import zipfile

import pytest

from firmware_export.common.errors import UserError, exit_on_user_error, unknown_name


def raising(error):
    def main():
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UserError("epochs is -1"), 2, "error: epochs is -1\n"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (OSError(errno.ENOSPC, "No space left on device"), 2, "error: no space left on the device"),
        (RuntimeError("x.index;\nNo space left on device"), 2, "error: no space left on the device"),
        (OSError("1000 requested and 512 written"), 2, "error: no space left on the device"),  # NumPy
        (OSError(errno.EFBIG, "File too large", "a.npy"), 2, "error: no space left on the device of a.npy"),
        (PermissionError(errno.EACCES, "Permission denied", "runs/x"), 2, "error: runs/x: Permission denied"),
        (OSError(errno.ENAMETOOLONG, "File name too long", "x" * 300), 2, "error: xxx"),
        (MemoryError(), 2, "error: not enough memory"),
        (ValueError("ZIP does not support timestamps before 1980"), 2, "error: the system clock is before 1980"),
    ],
)
def test_what_the_user_can_mend_is_one_line_and_a_code(error, code, said, capsys):
    with pytest.raises(SystemExit) as stop:
        exit_on_user_error(raising(error))
    assert stop.value.code == code
    written = capsys.readouterr().err
    assert written.startswith(said)
    assert written.count("\n") == 1


@pytest.mark.parametrize(("is_resumable", "what"), [(True, "resume"), (False, "start over")])
@pytest.mark.parametrize(
    ("called", "typed"),
    [
        (["/there/keras_satkd/teach.py", "-q"], "python -m keras_satkd.teach -q"),
        (["/there/bin/satkd-teach", "-q"], "/there/bin/satkd-teach -q"),
        (["{path}/satkd-teach", "two words"], "satkd-teach 'two words'"),
    ],
)
def test_ctrl_c_says_what_to_type(is_resumable, what, called, typed, monkeypatch, capsys, tmp_path):
    (tmp_path / "satkd-teach").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [called[0].format(path=tmp_path), *called[1:]])
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "keras_satkd.teach", *called[1:]])
    with pytest.raises(SystemExit):
        exit_on_user_error(raising(KeyboardInterrupt()), is_resumable=is_resumable)
    assert capsys.readouterr().err == f"interrupted; to {what}: {typed}\n"


def test_the_clock_of_a_zip_is_before_1980(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(time, "time", lambda: 0.0)

    def save():
        with zipfile.ZipFile(tmp_path / "student.keras", "w") as archive:
            archive.writestr("metadata.json", "{}")

    with pytest.raises(SystemExit) as stop:
        exit_on_user_error(save)
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith("error: the system clock is before 1980")


TERMINATED = """
import sys, time
from firmware_export.common import errors

def main():
    try:
        print(flush=True)
        time.sleep(60)
    finally:
        print("cleaned up", file=sys.stderr, flush=True)
        print(flush=True)
        time.sleep(0.2)

errors.exit_on_user_error(main, is_resumable=True)
"""


def test_sigterm_ends_as_ctrl_c_does_and_a_second_one_does_not_disturb_it():
    words = [sys.executable, "-c", TERMINATED]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        for _ in range(2):
            process.stdout.readline()
            process.terminate()
        said = process.stderr.read().splitlines()
    assert process.returncode == 143
    assert said[0] == "cleaned up"
    assert len(said) == 2
    assert said[1].startswith("interrupted; to resume: ")


@pytest.mark.parametrize("disposition", [signal.SIG_IGN, lambda *_: None])
def test_a_sigterm_that_is_ignored_or_handled_stays_so(disposition):
    before = signal.signal(signal.SIGTERM, disposition)
    try:
        with pytest.raises(SystemExit) as stop:
            exit_on_user_error(lambda: os.kill(os.getpid(), signal.SIGTERM))
        assert stop.value.code == 0
        assert signal.getsignal(signal.SIGTERM) is disposition
    finally:
        signal.signal(signal.SIGTERM, before)


def test_sigterm_has_its_default_again_afterwards():
    with pytest.raises(SystemExit):
        exit_on_user_error(lambda: None)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_in_another_thread():
    with concurrent.futures.ThreadPoolExecutor() as pool, pytest.raises(SystemExit):
        pool.submit(exit_on_user_error, lambda: None).result()


def test_a_reader_that_leaves_ends_it_silently():
    code = "from firmware_export.common import errors; errors.exit_on_user_error(lambda: print('x' * 1_000_000))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.read(1)
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (141, b"")


def test_a_defect_of_ours_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        exit_on_user_error(raising(ZeroDivisionError()))


def test_success_is_zero():
    with pytest.raises(SystemExit) as stop:
        exit_on_user_error(lambda: None)
    assert stop.value.code == 0


def test_the_nearest_name_is_suggested_only_where_there_is_one():
    assert "did you mean 'resnet8'?" in str(unknown_name("student", "resnt8", ["resnet8", "resnet16"]))
    assert "did you mean" not in str(unknown_name("student", "zzz", ["resnet8", "resnet16"]))


STREAMS = """
import os, sys
from firmware_export.common import errors

def main():
    {main}

errors.exit_on_user_error(main)
"""


def _run(main: str, shell: str = "", **environment: str) -> subprocess.CompletedProcess:
    command = f'"$0" -c "$1" {shell}'
    environment = {**os.environ, **environment}
    words = ["bash", "-c", command, sys.executable, STREAMS.format(main=main)]
    return subprocess.run(words, capture_output=True, env=environment, check=False)


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_closed_streams(closed, tmp_path):
    path = tmp_path / "file"
    main = f"file = open({str(path)!r}, 'w'); print('out'); print('err', file=sys.stderr); assert file.fileno() > 2"
    done = _run(main, closed)
    assert done.returncode == 0, done.stderr
    assert path.read_text() == ""


def test_a_pipe_that_ends_early_is_141_with_tables_too():
    main = "from rich.console import Console; [Console().print('x' * 200) for _ in range(5000)]"
    done = _run(main, '| head -1; exit "${PIPESTATUS[0]}"')
    assert (done.returncode, done.stderr) == (141, b"")


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0"}


def test_text_beyond_ascii_in_an_ascii_environment():
    done = _run("print('Stra' + chr(223) + 'e ' + chr(0xdc80))", **ASCII)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"Stra\\xdfe \\udc80\n", b"")


def test_paths_beyond_ascii_in_an_ascii_environment():
    done = _run("open('Stra' + chr(223) + 'e')", **ASCII)
    assert done.returncode == 2
    assert done.stderr.startswith(b"error: names with characters outside ascii cannot be used")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    "write", ["numpy.save(path.open('wb'), numpy.zeros(100_000))", "numpy.savez(path, numpy.zeros(100_000))"]
)
def test_a_disk_that_fills_up_leaves_nothing(tmp_path, write):
    main = (
        "import numpy, pathlib, resource, signal; from firmware_export.common import digests; "
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)); "
        f"digests.write_with(pathlib.Path({str(tmp_path / 'array.npz')!r}), lambda path: {write})"
    )
    done = _run(main)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(b"error: no space left on the device")
    assert done.stderr.count(b"\n") == 1
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
