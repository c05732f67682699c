import errno
import subprocess
import sys

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
        (
            RuntimeError("x.index;\nNo space left on device"),
            2,
            "error: no space left on the device",
        ),
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
