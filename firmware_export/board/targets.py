"""Microcontrollers that fly, or their commercial twins.

Sizes are in bytes, with KB = 1024 bytes as data sheets have it.
"""

from dataclasses import dataclass
from types import MappingProxyType

from firmware_export.common.errors import UserError, unknown_name

KB = 1024

CORES = ("cortex-m0", "cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55", "cortex-m85")
"""Arm's cores, in the spelling of GCC's `-mcpu`."""


@dataclass(frozen=True)
class Target:
    """One part.

    Attributes:
        name: what a command line calls it.
        part: maker and full name.
        core: one of `CORES`.
        clock_hz: highest of the core; None where unknown.
        flash_bytes: memory that holds code and constants, wherever it is loaded from.
        ram_bytes: the largest run of addresses that is all data memory: an arena cannot be split. Less than the sum
            of a part's memories where these are apart; `note` tells.
        source: the data sheet's title and document number, or what stands for it.
        note: what the figures leave out.
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
        source="Microchip SAM E70/S70/V70/V71 Family Data Sheet, DS60001527 (ATSAMV71Q21, the radiation-tolerant twin)",
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
        note="RAM is FlexRAM; 256 KB DTCM and 128 KB ITCM lie apart; constants may go to external memory",
    ),
    Target(
        name="va416xx",
        part="VORAGO VA41620/VA41630",
        core="cortex-m4",
        clock_hz=100_000_000,
        flash_bytes=256 * KB,
        ram_bytes=64 * KB,
        source="VORAGO VA416xx data sheet (without a public number); memory map as in VORAGO's CMSIS pack 1.0.5",
        note="flash is program RAM, loaded at boot from FRAM; data RAM is two adjoining banks of 32 KB",
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
        note="RAM is the AXI SRAM; 128 KB DTCM, 64 KB ITCM, 288 KB SRAM1-3 and 64 KB SRAM4 lie apart",
    ),
    Target(
        name="stm32l4r5",
        part="ST STM32L4R5xI",
        core="cortex-m4",
        clock_hz=120_000_000,
        flash_bytes=2048 * KB,
        ram_bytes=640 * KB,
        source="ST STM32L4R5xx data sheet, DS12023; memory map in RM0432",
        note="192 KB SRAM1, 64 KB SRAM2 (by its second address) and 384 KB SRAM3 adjoin",
    ),
)

GENERIC = "generic"
"""The name of a part whose figures the user gives."""

TARGETS = MappingProxyType({target.name: target for target in _TARGETS})
"""The parts, by name."""


def choose(name: str | None, flash_bytes: int | None, ram_bytes: int | None, core: str | None) -> Target | None:
    """The part that a command line names: one of the table, one given by its figures, or none.

    Args:
        name: of the table, `generic`, or None for no part.
        flash_bytes: of a generic part, as `generic` takes it; None otherwise.
        ram_bytes: likewise.
        core: likewise.

    Raises:
        UserError: an unknown name, a generic part without all its figures, or figures for another.
    """
    figures = {"--flash-bytes": flash_bytes, "--ram-bytes": ram_bytes, "--core": core}
    if name == GENERIC:
        if flash_bytes is None or ram_bytes is None or core is None:
            missing = [option for option, value in figures.items() if value is None]
            raise UserError(f"--target {GENERIC} without {' and '.join(missing)}: give the part's figures")
        return generic(flash_bytes, ram_bytes, core)
    given = [option for option, value in figures.items() if value is not None]
    if given:
        raise UserError(f"{given[0]} goes with --target {GENERIC}, not with {name!r}: leave one of them out")
    return None if name is None else find(name)


def find(name: str) -> Target:
    """The part of that name.

    Raises:
        UserError: there is none; the message suggests the nearest.
    """
    if name not in TARGETS:
        raise unknown_name("target", name, (*TARGETS, GENERIC))
    return TARGETS[name]


def generic(flash_bytes: int, ram_bytes: int, core: str) -> Target:
    """A part of the user's own.

    Args:
        flash_bytes: memory for code and constants, positive.
        ram_bytes: the largest run of data memory, positive.
        core: one of `CORES`.

    Raises:
        UserError: a size that is not positive, or an unknown core.
    """
    for kind, size in (("flash", flash_bytes), ("RAM", ram_bytes)):
        if size <= 0:
            raise UserError(f"{kind} of {size} bytes, a positive number expected: give the part's size in bytes")
    if core not in CORES:
        raise unknown_name("core", core, CORES)
    return Target(GENERIC, f"a {core} part", core, None, flash_bytes, ram_bytes, "given by the user")
