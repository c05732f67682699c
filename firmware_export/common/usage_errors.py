"""Errors in a command line, as tyro prints them in a box, in one line."""

import contextlib
import io
import re
from collections.abc import Iterator

from firmware_export.common.errors import UserError

_RULE = re.compile(r"[─\s]+")


@contextlib.contextmanager
def one_line_usage_errors() -> Iterator[None]:
    """Turn the box that `tyro.cli` prints on stderr before it exits with code 2 into a `UserError`.

    Raises:
        UserError: the command line is wrong.
        SystemExit: `--help` was given.
    """
    printed = io.StringIO()
    try:
        with contextlib.redirect_stderr(printed):
            yield
    except SystemExit as stop:
        if stop.code != 2:
            raise
        raise UserError(one_line(printed.getvalue())) from None


def one_line(box: str) -> str:
    """The message of an error box of tyro, with the options that it suggests, without its help texts."""
    message, *others = _sections(box)
    if message[0].startswith("Missing from"):
        said = "missing " + ", ".join(_options(message))
    else:
        said = " ".join(line.strip() for line in message).removeprefix("Error parsing ").partition(" Got errors:")[0]
    for title, *lines in others:
        if title == "Unrecognized options:":
            said += "; unrecognized " + ", ".join(_options(lines))
        elif title == "Perhaps you meant:":
            said += "; did you mean " + " or ".join(_options(lines)) + "?"
    said = " ".join(said.split())  # a value may hold line ends
    said = said[0].lower() + said[1:]
    return f"{said.rstrip('.')}{'' if said.endswith('?') else ';'} --help lists the options"


def _sections(box: str) -> list[list[str]]:
    """The lines between the box's rules, without its border; indents stay."""
    sections: list[list[str]] = [[]]
    for line in box.splitlines():
        inner = line.removeprefix("│ ").removesuffix("│").rstrip()
        if line.startswith(("╭", "╰")) or not inner:
            continue
        if _RULE.fullmatch(inner):
            sections.append([])
        else:
            sections[-1].append(inner)
    return [section for section in sections if section]


def _options(lines: list[str]) -> list[str]:
    """The options that a section lists, each by its first spelling: the lines with one indent."""
    return [line.split()[0].rstrip(",") for line in lines if line.startswith("    ") and line[4] != " "]
