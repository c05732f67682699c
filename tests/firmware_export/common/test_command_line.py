import logging
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import pytest
import tyro
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_export.common.command_line import MayBePath, Verbosity, VerbosityFlags, read, words
from firmware_export.common.errors import UserError


@dataclass(frozen=True)
class Arguments:
    """Nothing but how much is said."""

    verbosity: VerbosityFlags = Verbosity()


@pytest.mark.parametrize(
    ("words", "level"),
    [
        ([], logging.INFO),
        (["-q"], logging.WARNING),
        (["--quiet"], logging.WARNING),
        (["-v"], logging.DEBUG),
        (["--verbose"], logging.DEBUG),
    ],
)
def test_how_much_is_said(words, level):
    assert read(Arguments, "test", words).verbosity.level == level


def test_quiet_and_verbose_are_not_both():
    with pytest.raises(UserError, match="contradict each other"):
        _ = read(Arguments, "test", ["-q", "-v"]).verbosity.level


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        (logging.WARNING, ["our warning", "TensorFlow's error"]),
        (logging.INFO, ["our step", "our warning", "TensorFlow's error"]),
        (logging.DEBUG, ["our step", "our warning", "TensorFlow's warning", "TensorFlow's error"]),
    ],
)
def test_whose_log_is_shown_and_where(level, shown):
    # In a process of its own, since pytest has put handlers of its own into this one.
    code = (
        "import logging\n"
        "from firmware_export.common.command_line import show_log\n"
        f"show_log({level})\n"
        "logging.getLogger('keras_satkd.run.folder').info('our step')\n"
        "logging.getLogger('firmware_export.export').warning('our warning')\n"
        "logging.getLogger('tensorflow').warning('TensorFlow\\'s warning')\n"
        "logging.getLogger('tensorflow').error('TensorFlow\\'s error')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    said = done.stderr.splitlines()
    assert done.stdout == ""
    if level == logging.DEBUG:
        assert said[0].endswith("keras_satkd.run.folder: our step")
        said = [line.partition(": ")[2] for line in said]
    assert said == shown


@dataclass(frozen=True)
class Part:
    """A group of options."""

    name: Annotated[str, MayBePath] = "one"
    rate: float = 0.5
    limit: int | None = 3


@dataclass(frozen=True)
class Whole:
    """Every kind of option."""

    model: tyro.conf.Positional[Path]
    out: Path
    extra: Path | None = None
    names: tuple[str, ...] = ()
    engine: Literal["tflm", "rows"] = "tflm"
    is_forced: bool = False
    is_checked: bool = True
    part: Part = Part()
    verbosity: VerbosityFlags = Verbosity()


NAME = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,8}[A-Za-z0-9]", fullmatch=True)
WHOLES = st.builds(
    Whole,
    model=NAME.map(Path),
    out=NAME.map(Path) | st.just(Path(".")),
    extra=st.none() | NAME.map(Path),
    names=st.lists(NAME, max_size=3).map(tuple),
    engine=st.sampled_from(["tflm", "rows"]),
    is_forced=st.booleans(),
    is_checked=st.booleans(),
    part=st.builds(Part, NAME, st.floats(allow_nan=False), st.none() | st.integers(0)),
    verbosity=st.builds(Verbosity, st.booleans(), st.booleans()),
)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(given=WHOLES, defaults=st.none() | WHOLES)
def test_the_words_of_anything_make_it_again(given, defaults):
    if defaults is None:
        assert read(Whole, "test", words(given)) == given
    else:
        # `--quiet` has no opposite, and without a change nothing is written.
        defaults = replace(defaults, verbosity=Verbosity())
        assert words(defaults, defaults) == []
        again = read(Whole, "test", words(given, replace(defaults, model=Path("/"), out=Path("/"))), default=defaults)
        assert again == given


def test_words_are_short_and_tell_no_folder():
    whole = Whole(Path("/home/somebody/model.tflite"), Path("."), extra=Path("a/b.npy"), part=Part("c/d.zip"))
    assert words(whole) == ["model.tflite", "--out", ".", "--extra", "b.npy", "--part.name", "d.zip"]
    assert words(replace(whole, extra=None, part=Part(), is_forced=True, is_checked=False)) == [
        "model.tflite", "--out", ".", "--is-forced", "--no-is-checked"
    ]  # fmt: skip


@pytest.mark.parametrize("word", ["--old=3", "--old", "--o_l_d"])
def test_other_spellings(word):
    @dataclass(frozen=True)
    class Renamed:
        """One option."""

        new: int = 3

    given = [word] if "=" in word else [word, "3"]
    options = {"--old": "--new", "--o-l-d": "--new"}
    assert read(Renamed, "test", given, short_options=options) == Renamed(3)
