"""What all command lines have in common: how they are read and written, their colours, and their log."""

import dataclasses
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import tyro

from firmware_export.common import invocation
from firmware_export.common.errors import UserError

OURS = ("keras_satkd", "firmware_export")
"""Whose steps are logged."""

Shape = TypeVar("Shape")


@dataclass(frozen=True)
class Verbosity:
    """How much is logged on stderr."""

    quiet: Annotated[bool, tyro.conf.arg(aliases=["-q"])] = False
    """Show warnings and the results only."""

    verbose: Annotated[bool, tyro.conf.arg(aliases=["-v"])] = False
    """Show the libraries' messages too, with times."""

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


def read(
    shape: Callable[..., Shape],
    module: str,
    arguments: Sequence[str] | None = None,
    *,
    short_options: Mapping[str, str] | None = None,
    **settings: Any,
) -> Shape:
    """The command line as `shape` describes it; see `tyro.cli`, which `settings` go to.

    Args:
        shape: a dataclass, or a function whose result is returned.
        module: the program, as in `keras_satkd.distill`, for the help text.
        arguments: the command line; `sys.argv[1:]` when not given.
        short_options: other spellings of options, and what they stand for.
        settings: of `tyro.cli`.

    Raises:
        SystemExit: `--help` was asked for, or a flag is unknown.
    """
    # tyro asks neither NO_COLOR (no-color.org) nor where its errors go.
    is_terminal = sys.stdout.isatty() and sys.stderr.isatty()
    tyro._experimental_options["ansi_codes"] = is_terminal and not os.environ.get("NO_COLOR")
    if short_options:
        arguments = [_expanded(word, short_options) for word in (sys.argv[1:] if arguments is None else arguments)]
    parsed: Shape = tyro.cli(shape, args=arguments, prog=invocation.name(module), **settings)
    return parsed


def _expanded(word: str, short_options: Mapping[str, str]) -> str:
    option, equals, value = word.partition("=")
    return short_options.get(option.replace("_", "-"), option) + equals + value


class MayBePath:
    """Marks a text setting that may name a file, as in `Annotated[str, MayBePath]`: `words` leaves its folders out."""


def words(given: Any, defaults: Any = None) -> list[str]:
    """The words of a command line that turn `defaults` into `given`: `read` of them gives `given` back.

    Paths are shortened to their names, so that the words tell nothing about this machine's folders.

    Args:
        given: a dataclass instance, as `read` makes it.
        defaults: another of the same class; the defaults of its fields when not given. A field without a default is
            always written.

    >>> words(Verbosity(quiet=True))
    ['--quiet']
    """
    positional, options = [], []
    for name, value, hint in _changed(given, defaults, ""):
        texts = [_text(each, hint) for each in (value if isinstance(value, tuple) else [value])]
        if tyro.conf.Positional in _metadata(hint):
            positional += texts
        elif isinstance(value, bool):
            options.append(_option(name if value else f"no-{name}"))
        else:
            options += [_option(name), *texts]
    return [*positional, *options]


def _changed(given: Any, defaults: Any, prefix: str) -> Iterator[tuple[str, Any, Any]]:
    """Names as on the command line, values and annotated types of the fields that are to be written."""
    hints = get_type_hints(type(given), include_extras=True)
    for field in dataclasses.fields(given):
        value, name, hint = getattr(given, field.name), prefix + field.name, hints[field.name]
        default = _default(field) if defaults is None else getattr(defaults, field.name)
        if dataclasses.is_dataclass(value):
            is_flat = any(getattr(each, "name", None) == "" for each in _metadata(hint))
            yield from _changed(value, default, prefix if is_flat else f"{name}.")
        elif value != default:
            yield name, value, hint


def _default(field: "dataclasses.Field[Any]") -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _metadata(hint: Any) -> tuple[Any, ...]:
    return getattr(hint, "__metadata__", ())


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _text(value: Any, hint: Any) -> str:
    is_path = isinstance(value, Path) or (isinstance(value, str) and MayBePath in _metadata(hint))
    # The folder that a path names may be the working directory itself.
    return Path(value).name or "." if is_path else str(value)


def show_log(level: int = logging.INFO) -> None:
    """Log to stderr: each step of ours as it begins, and only warnings of others.

    Args:
        level: `logging`'s; WARNING hides steps and epochs, DEBUG shows the libraries' messages and times.
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
