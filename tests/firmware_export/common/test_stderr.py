import os
import sys

import pytest

from firmware_export.common.stderr import captured_stderr


def test_holds_back_what_c_code_writes(capfd):
    with captured_stderr() as said:
        os.write(2, b"from C\n")
        print("from Python", file=sys.__stderr__)
        assert "from C" in said()
    assert "from C" not in capfd.readouterr().err


def test_stderr_is_back_after_an_error(capfd):
    with pytest.raises(ValueError, match="inside"), captured_stderr():
        raise ValueError("inside")
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"
