"""Space-grade microcontrollers, or their commercial counterparts.

Sizes are in bytes, with KB = 1024 bytes as in the data sheets.
"""

from dataclasses import dataclass
from types import MappingProxyType

from firmware_export.common.errors import UserError, unknown_name

KB = 1024

CORES = ("cortex-m0", "cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55", "cortex-m85")
"""Arm cores, as GCC's `-mcpu` spells them."""


@dataclass(frozen=True)
class Target:
    """One part.

    Attributes:
        name: its name on the command line.
        part: manufacturer and full name.
        core: one of `CORES`.
        clock_hz: highest clock frequency of the core; None if unknown.
        flash_bytes: memory for code and constants, wherever its content is loaded from.
        ram_bytes: the largest contiguous range of data memory, because an arena cannot be split. If a part has several
            separate memories, this is less than their sum; see `note`.
        source: the data sheet's title and document number, or an equivalent.
        note: what the figures do not include.
    """

    name: str
    part: str
    core: str
    clock_hz: int | None
    flash_bytes: int
    ram_bytes: int
    source: str
    note: str = ""


_TARGETS = (
    Target(
        name="samv71",
        part="Microchip SAMV71Q21RT",
        core="cortex-m7",
        clock_hz=300_000_000,
        flash_bytes=2048 * KB,
        ram_bytes=384 * KB,
        source="Microchip SAM E70/S70/V70/V71 Family Data Sheet, DS60001527 (ATSAMV71Q21; the RT part is equivalent)",
        note="tightly coupled memory is taken from this RAM, none by default",
    ),
    Target(
        name="samrh71",
        part="Microchip SAMRH71F20",
        core="cortex-m7",
        clock_hz=100_000_000,
        flash_bytes=128 * KB,
        ram_bytes=768 * KB,
        source="Microchip SAMRH71F20 Data Sheet, DS60001593",
        note="RAM is FlexRAM; 256 KB DTCM and 128 KB ITCM are separate; constants may go to external memory",
    ),
    Target(
        name="va416xx",
        part="VORAGO VA41620/VA41630",
        core="cortex-m4",
        clock_hz=100_000_000,
        flash_bytes=256 * KB,
        ram_bytes=64 * KB,
        source="VORAGO VA416xx data sheet (without a public number); memory map as in VORAGO's CMSIS pack 1.0.5",
        note="flash is program RAM, loaded at boot from FRAM; data RAM is two adjacent banks of 32 KB",
    ),
    Target(
        name="va10820",
        part="VORAGO VA10820",
        core="cortex-m0",
        clock_hz=50_000_000,
        flash_bytes=128 * KB,
        ram_bytes=32 * KB,
        source="VORAGO VA10820 data sheet (without a public number)",
        note="flash is program RAM, loaded at boot from SPI memory",
    ),
    Target(
        name="stm32h743",
        part="ST STM32H743xI",
        core="cortex-m7",
        clock_hz=480_000_000,
        flash_bytes=2048 * KB,
        ram_bytes=512 * KB,
        source="ST STM32H742xI/G STM32H743xI/G data sheet, DS12110; memory map in RM0433",
        note="RAM is the AXI SRAM; 128 KB DTCM, 64 KB ITCM, 288 KB SRAM1-3 and 64 KB SRAM4 are separate",
    ),
    Target(
        name="stm32l4r5",
        part="ST STM32L4R5xI",
        core="cortex-m4",
        clock_hz=120_000_000,
        flash_bytes=2048 * KB,
        ram_bytes=640 * KB,
        source="ST STM32L4R5xx data sheet, DS12023; memory map in RM0432",
        note="192 KB SRAM1, 64 KB SRAM2 (at its second address) and 384 KB SRAM3 are contiguous",
    ),
)

GENERIC = "generic"
"""The name of a part whose memory sizes and core the user gives."""

TARGETS = MappingProxyType({target.name: target for target in _TARGETS})
"""The parts, by name."""


def choose(name: str | None, flash_bytes: int | None, ram_bytes: int | None, core: str | None) -> Target | None:
    """The part that the command line selects: one of the table, a generic one, or none.

    Args:
        name: a name of the table, `generic`, or None for no part.
        flash_bytes: for a generic part, as for `generic`; None otherwise.
        ram_bytes: as `flash_bytes`.
        core: as `flash_bytes`.

    Raises:
        UserError: the name is unknown, a generic part lacks one of the three values, or one is given for another part.
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
    """The part with this name.

    Raises:
        UserError: the name is unknown; the message suggests the nearest one.
    """
    if name not in TARGETS:
        raise unknown_name("target", name, (*TARGETS, GENERIC))
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
