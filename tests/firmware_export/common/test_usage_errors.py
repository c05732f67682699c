from dataclasses import dataclass
from typing import Annotated, Literal

import pytest
import tyro
from hypothesis import given
from hypothesis import strategies as st

from firmware_export.common.command_line import read
from firmware_export.common.errors import UserError


@dataclass(frozen=True)
class Arguments:
    """A program's arguments."""

    model: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="MODEL")]
    """The model."""
    data: Annotated[str, tyro.conf.arg(aliases=("--source",))]
    """The images."""
    limit: int | None = None
    """At most so many."""
    part: Literal["test", "train"] = "test"
    """Which part. --not-an-option."""


def error(*words: str) -> str:
    with pytest.raises(UserError) as raised:
        read(Arguments, "test", words)
    return str(raised.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "missing MODEL, --source; --help lists the options"),
        (("m",), "missing --source; --help lists the options"),
        (("m", "--limit"), "missing value for argument '--limit'. Expected 1 values; --help lists the options"),
        (("m", "--limt", "3"), "missing --source; unrecognized --limt, 3; --help lists the options"),
        (
            ("m", "--data", "x", "--limt", "3"),
            "unrecognized options: --limt, 3; did you mean --limit? --help lists the options",
        ),
        (
            ("m", "--data", "x", "--part", "dev"),
            "invalid choice 'dev' for argument '--part'. Expected one of ('test', 'train'); --help lists the options",
        ),
    ],
)
def test_a_wrong_command_line_is_one_line(words, message):
    assert error(*words) == message


def test_the_bad_value_is_named():
    assert error("m", "--data", "x", "--limit", "many").startswith("--limit: no type matching")
    assert "'many'" in error("m", "--data", "x", "--limit", "many")


@given(value=st.text(max_size=90).filter(lambda text: not text.startswith("-")))
def test_any_value_gives_one_line(value):
    message = error("m", "--data", "x", f"--part={value}")
    assert len(message.splitlines()) == 1
    assert message.endswith("--help lists the options")


def test_help_is_no_error(capsys):
    with pytest.raises(SystemExit) as stop:
        read(Arguments, "test", ["--help"])
    assert stop.value.code == 0
    assert "Which part" in capsys.readouterr().out
