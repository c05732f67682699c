"""What all command lines share: parsing and formatting, colors, and the log."""

import dataclasses
import logging
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import tyro

from firmware_export.common import invocation
from firmware_export.common.errors import UserError
from firmware_export.common.paths import is_path, looks_like_path, shortened
from firmware_export.common.usage_errors import one_line_usage_errors

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
        UserError: an option or a value is wrong.
        SystemExit: `--help` was given.
    """
    # tyro ignores NO_COLOR (no-color.org) and whether stderr is a terminal.
    is_terminal = sys.stdout.isatty() and sys.stderr.isatty()
    tyro._experimental_options["ansi_codes"] = is_terminal and not os.environ.get("NO_COLOR")
    if short_options:
        arguments = [_expanded(word, short_options) for word in (sys.argv[1:] if arguments is None else arguments)]
    with one_line_usage_errors():
        parsed: Shape = tyro.cli(shape, args=arguments, prog=invocation.name(module), **settings)
    return parsed


def _expanded(word: str, short_options: Mapping[str, str]) -> str:
    option, equals, value = word.partition("=")
    return short_options.get(option.replace("_", "-"), option) + equals + value


class MayBePath:
    """Marks a string that may be a path, as in `Annotated[str, MayBePath]`: if it is one, `words` omits its folders."""


def words(given: Any, defaults: Any = None) -> list[str]:
    """The command-line words for every field of `given` that differs from `defaults`: the inverse of `read`.

    Paths are shortened to their last component, so that the words do not reveal this machine's folders. Only paths
    that have the same last component keep the folders that distinguish them.

    Args:
        given: a dataclass instance, as `read` returns it.
        defaults: an instance of the same class; by default the fields' default values. A field without a default value
            is always written.

    Raises:
        UserError: a value cannot be given on a command line (`check_values`).

    >>> words(Verbosity(quiet=True))
    ['--quiet']
    """
    positional, options = [], []
    changed = list(_changed(given, defaults, ""))
    paths = {Path(each) for _, value, hint in changed for each in _values(value) if _is_path(each, hint)}
    for name, value, hint in changed:
        texts = [_text(each, hint, paths) for each in _values(value)]
        if tyro.conf.Positional in _metadata(hint):
            positional += texts
        elif isinstance(value, bool):
            options.append(_option(name if value else f"no-{name}"))
        else:
            options += _option_words(_option(name), texts)
    return [*positional, *options]


def check_values(option: str, values: Sequence[str]) -> None:
    """Check that `values` can be given to one option: after the first value, a leading `-` starts another option.

    Raises:
        UserError: a value after the first begins with `-`.
    """
    for value in values[1:]:
        if value.startswith("-"):
            raise UserError(f"{option}: {value!r} begins with '-', which only the first value may: rename it")


def _option_words(option: str, values: Sequence[str]) -> list[str]:
    check_values(option, values)
    if values and values[0].startswith("-"):
        return [f"{option}={values[0]}", *values[1:]]
    return [option, *values]


def _values(value: Any) -> Sequence[Any]:
    return value if isinstance(value, tuple) else (value,)


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


def _is_path(value: Any, hint: Any) -> bool:
    return isinstance(value, Path) or (isinstance(value, str) and MayBePath in _metadata(hint) and is_path(value))


def _text(value: Any, hint: Any, paths: Collection[Path]) -> str:
    if not _is_path(value, hint):
        return str(value)
    short = shortened(Path(value), paths)
    # Without its folders, a path could read as a TFDS name, an architecture or a shipped model.
    is_ambiguous = isinstance(value, str) and short != value and not looks_like_path(short)
    return f"./{short}" if is_ambiguous or short.startswith("-") else short


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
