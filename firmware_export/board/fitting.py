"""Whether a model fits a part, run by TensorFlow Lite Micro or by the row engine, and what would fit where it does not.

All sizes are in bytes. Memory for data and constants is known; code and stack are estimates, which say of what.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType

from firmware_export.board.targets import KB, TARGETS, Target
from firmware_export.common.errors import UserError
from firmware_export.rows.compile import RowsReport

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
emulated Cortex-M4, in the row engine 268."""
OBJECTS_BYTES = 2 * KB
"""Assumed, for the classifier (404 bytes with four operators on a Cortex-M4) and the C library's data."""

_ROWS_CODE_BYTES, _ROWS_CODE_BYTES_A_LAYER = 1_530, 324
"""The row engine's code: a line through two measured students, 6,064 bytes with 14 operators and 8,976 with 23
(`arm-none-eabi-size` of `satkd_model.o` without its constants, Cortex-M4, GCC 12.2, -O2)."""

_KERNELS = MappingProxyType(
    {"cortex-m4": "dsp", "cortex-m7": "dsp", "cortex-m33": "dsp", "cortex-m55": "mve", "cortex-m85": "mve"}
)


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


def fit_rows(target: Target, *, rows: RowsReport, operators: int) -> Fit:
    """What the same model needs of a part in the row engine, its image arriving row by row.

    Args:
        target: the part.
        rows: what the compiler says of the model.
        operators: how many the model has.
    """
    flash_needed = rows.constants_bytes + _ROWS_CODE_BYTES + _ROWS_CODE_BYTES_A_LAYER * operators
    ram_needed = rows.context_bytes + rows.scratch_bytes[_KERNELS.get(target.core, "portable")] + STACK_BYTES
    return Fit(target, flash_needed, target.flash_bytes - flash_needed, ram_needed, target.ram_bytes - ram_needed)


def suggest(needs: Fit) -> list[Target]:
    """The parts of the table that have enough flash and RAM, smallest RAM first, then smallest flash."""
    enough = [t for t in TARGETS.values() if t.flash_bytes >= needs.flash_needed and t.ram_bytes >= needs.ram_needed]
    return sorted(enough, key=lambda target: (target.ram_bytes, target.flash_bytes))


def check_fits(fit: Fit, rows: Fit | None = None) -> None:
    """Refuse a part that is too small.

    Args:
        fit: the model on the part.
        rows: the same in the row engine, if that is to be suggested where it fits.

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
    raise UserError(f"{fit.target.part} is too small: {' and '.join(short)}: {', or '.join(_remedies(fit, rows))}")


def _remedies(fit: Fit, rows: Fit | None) -> list[str]:
    remedies = []
    if rows is not None and rows.fits:
        remedies.append(
            f"take --engine rows, which needs {rows.flash_needed:,} of flash and {rows.ram_needed:,} of RAM"
        )
    if fitting := suggest(fit):
        remedies.append(f"take {' or '.join(target.name for target in fitting)}")
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


@dataclass(frozen=True)
class Needs:
    """What one engine needs of a part, in bytes; what is left is negative where it is short."""

    flash_needed: int
    flash_left: int
    ram_needed: int
    ram_left: int
    fits: bool


@dataclass(frozen=True)
class PartNeeds:
    """A known part, and what a model needs of it: in TensorFlow Lite Micro and, in `rows`, in the row engine.

    Sizes are in bytes.
    """

    target: str
    part: str
    core: str
    clock_hz: int | None
    flash_bytes: int
    ram_bytes: int
    flash_needed: int
    flash_left: int
    ram_needed: int
    ram_left: int
    fits: bool
    rows: Needs | None
    """None where the row engine does not take the model."""


def table(
    *, model_bytes: int, code_bytes: int, arena_bytes: int, rows: RowsReport | None, operators: int
) -> list[PartNeeds]:
    """One row for each known part, in the table's order, for a report or JSON.

    Args:
        model_bytes: as for `fit`.
        code_bytes: as for `fit`.
        arena_bytes: as for `fit`.
        rows: as for `fit_rows`; None where the row engine does not take the model.
        operators: as for `fit_rows`.
    """
    return [
        PartNeeds(
            target=target.name,
            part=target.part,
            core=target.core,
            clock_hz=target.clock_hz,
            flash_bytes=target.flash_bytes,
            ram_bytes=target.ram_bytes,
            **vars(_needs(fit(target, model_bytes=model_bytes, code_bytes=code_bytes, arena_bytes=arena_bytes))),
            rows=None if rows is None else _needs(fit_rows(target, rows=rows, operators=operators)),
        )
        for target in TARGETS.values()
    ]


def _needs(fit: Fit) -> Needs:
    return Needs(fit.flash_needed, fit.flash_left, fit.ram_needed, fit.ram_left, fit.fits)
