"""How much a command says: the same two flags for all of them, and what they make of `logging`."""

import logging
import os
from dataclasses import dataclass
from typing import Annotated

import tyro

from firmware_export.errors import UserError

OURS = ("keras_satkd", "firmware_export")


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


VerbosityFlags = Annotated[Verbosity, tyro.conf.arg(name="")]
"""The type of a command line's field for it: `--quiet`, not `--verbosity.quiet`."""


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
