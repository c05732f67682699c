"""What all command lines have in common: how they are read, whether in colour, and how much they say."""

import logging
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import tyro

from firmware_export.common import invocation
from firmware_export.common.errors import UserError

OURS = ("keras_satkd", "firmware_export")
"""Whose steps are logged."""

Shape = TypeVar("Shape")


@dataclass(frozen=True)
class Verbosity:
    """How much is said on stderr."""

    quiet: Annotated[bool, tyro.conf.arg(aliases=["-q"])] = False
    """Show warnings and the results only."""

    verbose: Annotated[bool, tyro.conf.arg(aliases=["-v"])] = False
    """Show what the libraries say too, with times."""

    @property
    def level(self) -> int:
        """`logging`'s: WARNING, INFO or DEBUG.

        Raises:
            UserError: both flags were given.
        """
        if self.quiet and self.verbose:
            raise UserError("--quiet and --verbose contradict each other: leave one of them out")
        return logging.WARNING if self.quiet else logging.DEBUG if self.verbose else logging.INFO


VerbosityFlags = Annotated[Verbosity, tyro.conf.arg(name=""), tyro.conf.FlagCreatePairsOff]
"""The type of a command line's field for it: `--quiet`, neither `--verbosity.quiet` nor `--no-quiet`."""


def read(shape: Callable[..., Shape], module: str, arguments: Sequence[str] | None = None, **settings: Any) -> Shape:
    """The command line as `shape` describes it; see `tyro.cli`, which `settings` go to.

    Args:
        shape: a dataclass, or a function whose result is returned.
        module: the program, as in `keras_satkd.distill`, for the help text.
        arguments: the command line; `sys.argv[1:]` when not given.
        settings: of `tyro.cli`.

    Raises:
        SystemExit: `--help` was asked for, or a flag is unknown.
    """
    # tyro asks neither NO_COLOR (no-color.org) nor where its errors go.
    is_terminal = sys.stdout.isatty() and sys.stderr.isatty()
    tyro._experimental_options["ansi_codes"] = is_terminal and not os.environ.get("NO_COLOR")
    return tyro.cli(shape, args=arguments, prog=invocation.name(module), **settings)


def show_log(level: int = logging.INFO) -> None:
    """Log to stderr: each step of ours as it begins, and only warnings of others.

    Args:
        level: `logging`'s; WARNING keeps steps and epochs to ourselves, DEBUG lets the libraries talk and gives times.
    """
    is_verbose = level <= logging.DEBUG
    logging.basicConfig(
        level=logging.INFO if is_verbose else logging.WARNING,
        format="%(asctime)s %(name)s: %(message)s" if is_verbose else "%(message)s",
    )
    for name in OURS:
        logging.getLogger(name).setLevel(level)
    if not is_verbose:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        for name in ("tensorflow", "absl"):
            logging.getLogger(name).setLevel(logging.ERROR)
