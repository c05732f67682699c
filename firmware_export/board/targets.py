"""Microcontrollers that a model may be made for: those of `parts.toml`, and the user's own."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from firmware_export.board import part_file
from firmware_export.board.cores import CORES
from firmware_export.board.part_file import KB, Target
from firmware_export.common.errors import UserError, unknown_name

GENERIC = "generic"
"""The name of a part whose memory sizes and core the user gives."""

TARGETS: Mapping[str, Target] = MappingProxyType(part_file.read_all(Path(__file__).with_name("parts.toml")))
"""The parts of `parts.toml`, by name."""


def choose(name: str | None, flash_bytes: int | None, ram_bytes: int | None, core: str | None) -> Target | None:
    """The part that the command line selects: one of the table, one of a TOML file, a generic one, or none.

    Args:
        name: a name of the table, `generic`, the path of a TOML file, or None for no part.
        flash_bytes: for a generic part, as for `generic`; None otherwise.
        ram_bytes: as `flash_bytes`.
        core: as `flash_bytes`.

    Raises:
        UserError: the name is unknown, the file is invalid, a generic part lacks one of the three values, or one is
            given for another part.
    """
    figures = {"--flash-bytes": flash_bytes, "--ram-bytes": ram_bytes, "--core": core}
    if name == GENERIC:
        if flash_bytes is None or ram_bytes is None or core is None:
            missing = [option for option, value in figures.items() if value is None]
            raise UserError(f"--target {GENERIC} without {' and '.join(missing)}: give the part's values")
        return generic(flash_bytes, ram_bytes, core)
    given = [option for option, value in figures.items() if value is not None]
    if given:
        raise UserError(f"{given[0]} is only for --target {GENERIC}, not for {name!r}: leave one of them out")
    return None if name is None else find(name)


def find(name: str) -> Target:
    """The part with this name, or of this TOML file.

    Args:
        name: a name of `TARGETS`, or the path of a file that ends in `.toml`, as `part_file.read_one` expects it.

    Raises:
        UserError: the name is unknown, and the message suggests the nearest one; or the file is invalid.
    """
    if Path(name).suffix == ".toml":
        return part_file.read_one(Path(name))
    if name not in TARGETS:
        raise unknown_name("target", name, (*TARGETS, GENERIC))
    return TARGETS[name]


def named(name: str) -> Target:
    """The part of the table with this name.

    Raises:
        UserError: the name is unknown; the message suggests the nearest one.
    """
    if name not in TARGETS:
        raise unknown_name("target", name, TARGETS)
    return TARGETS[name]


def generic(flash_bytes: int, ram_bytes: int, core: str) -> Target:
    """A part described by the user.

    Args:
        flash_bytes: memory for code and constants, positive.
        ram_bytes: the largest contiguous data memory, positive.
        core: one of `CORES`.

    Raises:
        UserError: a size is not positive, or the core is unknown.
    """
    for kind, size in (("flash", flash_bytes), ("RAM", ram_bytes)):
        if size <= 0:
            raise UserError(f"{kind} of {size} bytes, a positive number expected: give the part's size in bytes")
    if core not in CORES:
        raise unknown_name("core", core, CORES)
    return Target(GENERIC, f"a {core} part", core, None, flash_bytes, ram_bytes, "given by the user")


__all__ = ["GENERIC", "KB", "TARGETS", "Target", "choose", "find", "generic", "named"]
