"""What all command lines share: parsing and formatting, colors, and the log."""

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
"""Packages whose steps are logged."""

Shape = TypeVar("Shape")


@dataclass(frozen=True)
class Verbosity:
    """How much is logged on stderr."""

    quiet: Annotated[bool, tyro.conf.arg(aliases=["-q"])] = False
    """Show only warnings and results."""

    verbose: Annotated[bool, tyro.conf.arg(aliases=["-v"])] = False
    """Also show the libraries' messages, and the time of each message."""

    @property
    def level(self) -> int:
        """The level for `logging`: WARNING, INFO or DEBUG.

        Raises:
            UserError: both flags were given.
        """
        if self.quiet and self.verbose:
            raise UserError("--quiet and --verbose contradict each other: leave one out")
        return logging.WARNING if self.quiet else logging.DEBUG if self.verbose else logging.INFO


VerbosityFlags = Annotated[Verbosity, tyro.conf.arg(name=""), tyro.conf.FlagCreatePairsOff]
"""`Verbosity` as a field of a command line: the options are `--quiet` and `--verbose`, without prefix or `--no-`."""


def read(
    shape: Callable[..., Shape],
    module: str,
    arguments: Sequence[str] | None = None,
    *,
    short_options: Mapping[str, str] | None = None,
    **settings: Any,
) -> Shape:
    """Parse the command line with `tyro.cli`.

    Args:
        shape: a dataclass, or a function whose result is returned.
        module: the program's module, such as `keras_satkd.distill`, for the help text.
        arguments: the command line; default `sys.argv[1:]`.
        short_options: alternative spellings of options, mapped to the full options.
        settings: passed to `tyro.cli`.

    Raises:
        SystemExit: `--help` was given, or an option is unknown.
    """
    # tyro ignores NO_COLOR (no-color.org) and whether stderr is a terminal.
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
    """Marks a string that may be a path, as in `Annotated[str, MayBePath]`: `words` then omits its folders."""


def words(given: Any, defaults: Any = None) -> list[str]:
    """The command-line words for every field of `given` that differs from `defaults`: the inverse of `read`.

    Paths are shortened to their last component, so that the words do not reveal this machine's folders.

    Args:
        given: a dataclass instance, as `read` returns it.
        defaults: an instance of the same class; by default the fields' default values. A field without a default value
            is always written.

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
    """Command-line name, value and annotated type of each field that differs from its default."""
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
    # The path of the working directory has an empty name.
    return Path(value).name or "." if is_path else str(value)


def show_log(level: int = logging.INFO) -> None:
    """Log to stderr: each step of `OURS` when it starts, and only warnings from other packages.

    Args:
        level: a level of `logging`: WARNING hides steps and epochs, DEBUG adds the libraries' messages and times.
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
