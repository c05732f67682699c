"""TOML files that describe microcontrollers by the figures of their data sheets.

part = "My board, revision B"
core = "cortex-m4"
clock_mhz = 80          # may be left out: then no time is estimated
flash_kb = 1024         # KB = 1024 bytes
ram_kb = 96.5           # the largest contiguous data memory
source = "DS12345"      # may be left out, as may the next two
external_flash = false
note = "96 KB SRAM1, 0.5 KB retained"
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware_export.board.cores import CORES
from firmware_export.common.errors import UserError, unknown_name
from firmware_export.common.files import read_text

KB = 1024

_LARGEST_KB = 1 << 22
_LARGEST_MHZ = 10_000
_NEEDED = ("part", "core", "flash_kb", "ram_kb")
_OPTIONAL = ("clock_mhz", "source", "note", "external_flash")
_LONGEST_TEXT = 200
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")


@dataclass(frozen=True)
class Target:
    """One part.

    Attributes:
        name: its name on the command line, or the stem of its file.
        part: manufacturer and full name.
        core: one of `cores.CORES`.
        clock_hz: highest clock frequency of the core; None if unknown.
        flash_bytes: memory for code and constants, wherever its content is loaded from.
        ram_bytes: the largest contiguous range of data memory, because an arena cannot be split. If a part has several
            separate memories, this is less than their sum; see `note`.
        source: the data sheet's title and document number, or an equivalent.
        note: what the figures do not include.
        has_external_flash: whether `flash_bytes` is what the part addresses outside; the board may have less.
    """

    name: str
    part: str
    core: str
    clock_hz: int | None
    flash_bytes: int
    ram_bytes: int
    source: str
    note: str = ""
    has_external_flash: bool = False


def read_one(path: Path) -> Target:
    """The part that a file describes; its name is the file's.

    Raises:
        UserError: the file cannot be read, is not TOML, or has an unknown, missing or impossible value.
    """
    if not _NAME.fullmatch(path.stem):
        raise UserError(f"part file {str(path)!r}: name it by letters, digits, dots and dashes, such as my_board.toml")
    return _target(path.stem, _content(path), str(path))


def read_all(path: Path) -> dict[str, Target]:
    """The parts of a file with one table for each, by name.

    Raises:
        UserError: as `read_one`.
    """
    return {name: _target(name, values, f"{path.name}, {name}") for name, values in _content(path).items()}


def _content(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_text(path))
    except OSError as error:
        raise UserError(f"part file {str(path)!r}: {error.strerror}: give a part's name or a TOML file") from None
    except ValueError as error:
        raise UserError(f"part file {str(path)!r} is not TOML: {' '.join(str(error).split())}: correct it") from None


def _target(name: str, values: Mapping[str, Any], where: str) -> Target:
    for key in values:
        if key not in (*_NEEDED, *_OPTIONAL):
            raise UserError(f"{where}: {unknown_name('key', key, (*_NEEDED, *_OPTIONAL))}")
    if missing := [key for key in _NEEDED if key not in values]:
        raise UserError(f"{where}: {' and '.join(missing)} missing: give {', '.join(_NEEDED)}")
    core = _text(values, "core", where)
    if core not in CORES:
        raise UserError(f"{where}: {unknown_name('core', core, CORES)}")
    is_external = values.get("external_flash", False)
    if not isinstance(is_external, bool):
        raise UserError(f"{where}: external_flash is {is_external!r}, true or false expected: correct it")
    clock_mhz = _number(values, "clock_mhz", _LARGEST_MHZ, where) if "clock_mhz" in values else None
    return Target(
        name=name,
        part=_text(values, "part", where),
        core=core,
        clock_hz=None if clock_mhz is None else round(clock_mhz * 1_000_000),
        flash_bytes=round(_number(values, "flash_kb", _LARGEST_KB, where) * KB),
        ram_bytes=round(_number(values, "ram_kb", _LARGEST_KB, where) * KB),
        source=_text(values, "source", where) if "source" in values else "given by the user",
        note=_text(values, "note", where) if "note" in values else "",
        has_external_flash=is_external,
    )


def _text(values: Mapping[str, Any], key: str, where: str) -> str:
    value = values[key]
    if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST_TEXT or not value.isprintable():
        raise UserError(
            f"{where}: {key} is {_shown(value)}, one line of 1 to {_LONGEST_TEXT} characters expected: correct it"
        )
    return value.strip()


def _number(values: Mapping[str, Any], key: str, most: int, where: str) -> float:
    value = values[key]
    # The smallest is a hundredth, so that bytes and hertz stay whole and positive. NaN fails the comparison.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.01 <= value <= most:
        raise UserError(f"{where}: {key} is {_shown(value)}, a number from 0.01 to {most:,} expected: correct it")
    return float(value)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
