import errno

import pytest

from firmware_export.errors import UserError, exit_on_user_error, unknown_name


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
