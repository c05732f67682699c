"""Microcontrollers that fly, or their commercial twins, and whether a model fits them.

Sizes are in bytes, with KB = 1024 bytes as data sheets have it.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from firmware_export.errors import UserError, unknown_name

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

TARGETS = MappingProxyType({target.name: target for target in _TARGETS})
"""The parts, by name."""

_MEASURED_CODE_BYTES = 45_888
_MEASURED_KERNELS = MappingProxyType({"ADD": 5_152, "CONV_2D": 4_096, "FULLY_CONNECTED": 3_180, "MEAN": 2_976})

CODE_BYTES = MappingProxyType(
    {
        "interpreter": _MEASURED_CODE_BYTES - sum(_MEASURED_KERNELS.values()),
        **_MEASURED_KERNELS,
        "AVERAGE_POOL_2D": 2_048,
        "CONCATENATION": 2_272,
        "DEPTHWISE_CONV_2D": 3_056,
        "MAX_POOL_2D": 2_208,
        "PAD": 2_304,
        "QUANTIZE": 1_728,
        "RESHAPE": 1_048,
        "SOFTMAX": 6_096,
    }
)
"""Bytes of flash for TFLM's interpreter (with start-up code and the C library) and each operator's kernel.

The sum was measured on a bare-metal Cortex-M4 program with ADD, CONV_2D, FULLY_CONNECTED and MEAN, TFLM's reference
kernels and GCC 12: 143,632 bytes with a model of 97,744, so 45,888 without it. The operators were measured on a second
one (TFLM 90b983c of 20 August 2026, GCC 12.2, -Os, hard float, kernels without their error strings), linked with and
without each: those four by what the program loses without them, the others by what it gains. It took 39,164 bytes with
the four; the difference stays with the interpreter. The same sums came within 4 % of a linked dense autoencoder's,
DS-CNN's and MobileNet's. Speed-optimized builds take more; nothing is counted for the application around it.
"""
OTHER_KERNEL_BYTES = 4_000
"""Estimate for an operator that `CODE_BYTES` does not list: above the mean of those it does, 3,014."""
CMSIS_NN_BYTES = 4_568
"""What CMSIS-NN's kernels add to the first program: 148,200 bytes instead of 143,632."""

STACK_BYTES = 4 * KB
"""Assumed, with room for interrupts and the application: a ResNet8 on TFLM's reference kernels took 984 bytes on an
emulated Cortex-M4."""
OBJECTS_BYTES = 2 * KB
"""Assumed, for the classifier (404 bytes with four operators on a Cortex-M4) and the C library's data."""


@dataclass(frozen=True)
class Fit:
    """What a model needs of a part, in bytes; what is left is negative where it is short."""

    target: Target
    flash_needed: int
    flash_left: int
    ram_needed: int
    ram_left: int

    @property
    def fits(self) -> bool:
        """Whether neither flash nor RAM is short."""
        return self.flash_left >= 0 and self.ram_left >= 0


def find(name: str) -> Target:
    """The part of that name.

    Raises:
        UserError: there is none; the message suggests the nearest.
    """
    if name not in TARGETS:
        raise unknown_name("target", name, TARGETS)
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
    return Target("generic", f"a {core} part", core, None, flash_bytes, ram_bytes, "given by the user")


def code_bytes(operators: Iterable[str], *, has_cmsis_nn: bool = True) -> int:
    """Estimated bytes of flash for TensorFlow Lite Micro with the kernels of some operators; see `CODE_BYTES`.

    Args:
        operators: the schema's names, such as CONV_2D; each is counted once.
        has_cmsis_nn: built with CMSIS-NN's kernels, otherwise with the reference ones.
    """
    kernels = sum(CODE_BYTES.get(name, OTHER_KERNEL_BYTES) for name in set(operators))
    return CODE_BYTES["interpreter"] + kernels + (CMSIS_NN_BYTES if has_cmsis_nn else 0)


def fit(target: Target, *, model_bytes: int, code_bytes: int, arena_bytes: int) -> Fit:
    """What a model needs of a part.

    Args:
        target: the part.
        model_bytes: of the `.tflite`, which firmware keeps in flash.
        code_bytes: of everything else in flash, as the function of that name estimates it.
        arena_bytes: TFLM's arena, with its margin.
    """
    flash_needed = model_bytes + code_bytes
    ram_needed = arena_bytes + STACK_BYTES + OBJECTS_BYTES
    return Fit(target, flash_needed, target.flash_bytes - flash_needed, ram_needed, target.ram_bytes - ram_needed)


def suggest(needs: Fit) -> list[Target]:
    """The parts of the table that have enough flash and RAM, smallest RAM first, then smallest flash."""
    enough = [t for t in _TARGETS if t.flash_bytes >= needs.flash_needed and t.ram_bytes >= needs.ram_needed]
    return sorted(enough, key=lambda target: (target.ram_bytes, target.flash_bytes))


def check_fits(fit: Fit) -> None:
    """Refuse a part that is too small.

    Raises:
        UserError: by how many bytes flash or RAM is short, and what would fit.
    """
    if fit.fits:
        return
    short = [
        f"{kind} is {-left:,} bytes short ({needed:,} needed, {available:,} there)"
        for kind, needed, left, available in (
            ("flash", fit.flash_needed, fit.flash_left, fit.target.flash_bytes),
            ("RAM", fit.ram_needed, fit.ram_left, fit.target.ram_bytes),
        )
        if left < 0
    ]
    raise UserError(f"{fit.target.part} is too small: {' and '.join(short)}: {', or '.join(_remedies(fit))}")


def _remedies(fit: Fit) -> list[str]:
    remedies = [f"take {' or '.join(target.name for target in fitting)}"] if (fitting := suggest(fit)) else []
    side = _side_that_fits(fit)
    if fit.ram_left >= 0:
        remedies.append("train a smaller student")
    elif fit.flash_left >= 0 and side >= _LEAST_SIDE:
        remedies.append(f"shrink the model's input to about {side} % of its height and width")
    else:
        remedies.append("train a smaller student on smaller images")
    return remedies


_LEAST_SIDE = 25  # per cent; the arena's part that does not shrink with the input falsifies the rule below that


def _side_that_fits(fit: Fit) -> int:
    """Per cent of height and width, 0 if none would do: activations, hence the arena, grow with the input's area."""
    besides = STACK_BYTES + OBJECTS_BYTES
    return math.floor(100 * math.sqrt(max(fit.target.ram_bytes - besides, 0) / (fit.ram_needed - besides)))


def table(*, model_bytes: int, code_bytes: int, arena_bytes: int) -> list[dict[str, Any]]:
    """One row for each part of the table, in its order, for a report or JSON.

    Args:
        model_bytes: as for `fit`.
        code_bytes: as for `fit`.
        arena_bytes: as for `fit`.

    Returns:
        Rows with the keys target, part, core, clock_hz, flash_bytes, flash_needed, flash_left, ram_bytes, ram_needed,
        ram_left (all int; bytes) and fits (bool).
    """
    fits = [fit(target, model_bytes=model_bytes, code_bytes=code_bytes, arena_bytes=arena_bytes) for target in _TARGETS]
    return [
        {
            "target": one.target.name,
            "part": one.target.part,
            "core": one.target.core,
            "clock_hz": one.target.clock_hz,
            "flash_bytes": one.target.flash_bytes,
            "flash_needed": one.flash_needed,
            "flash_left": one.flash_left,
            "ram_bytes": one.target.ram_bytes,
            "ram_needed": one.ram_needed,
            "ram_left": one.ram_left,
            "fits": one.fits,
        }
        for one in fits
    ]
