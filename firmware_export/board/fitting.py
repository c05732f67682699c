"""Whether a model fits a part with TensorFlow Lite Micro or with the row engine, and what fits if it does not.

All sizes are in bytes. The memory for data and constants is exact; code and stack sizes are estimates, with their
source stated.
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

The total was measured on a bare-metal Cortex-M4 program with ADD, CONV_2D, FULLY_CONNECTED and MEAN, TFLM's reference
kernels and GCC 12: 143,632 bytes with a model of 97,744, so 45,888 without it. Each operator was measured on a second
program (TFLM 90b983c of 20 August 2026, GCC 12.2, -Os, hard float, kernels without error strings) that was linked with
and without it. With the same four operators, the second program took 39,164 bytes; the difference is counted as part of
the interpreter. These sums were within 4 % of the linked size of a dense autoencoder, a DS-CNN and a MobileNet. Builds
optimized for speed take more. The application's own code is not included.
"""
OTHER_KERNEL_BYTES = 4_000
"""Estimate for an operator that `CODE_BYTES` does not list; the mean of the listed ones is 3,014."""
CMSIS_NN_BYTES = 4_568
"""Additional size of the first program with CMSIS-NN's kernels: 148,200 bytes instead of 143,632."""

STACK_BYTES = 4 * KB
"""Assumed stack, including interrupts and the application. A ResNet8 on an emulated Cortex-M4 took 984 bytes with
TFLM's reference kernels and 268 bytes with the row engine."""
OBJECTS_BYTES = 2 * KB
"""Assumed size of the classifier (404 bytes with four operators on a Cortex-M4) and the C library's data."""

_ROWS_CODE_BYTES = 11_700
"""The row engine's code, the same for every model: `arm-none-eabi-size` of `satkd_engine*.o`, and of `satkd_model.o`
without its constants (Cortex-M4, GCC 12.2, -O2)."""

_KERNELS = MappingProxyType(
    {"cortex-m4": "dsp", "cortex-m7": "dsp", "cortex-m33": "dsp", "cortex-m55": "mve", "cortex-m85": "mve"}
)


@dataclass(frozen=True)
class Fit:
    """What a model needs on a part, in bytes; `flash_left` and `ram_left` are negative if memory is short."""

    target: Target
    flash_needed: int
    flash_left: int
    ram_needed: int
    ram_left: int

    @property
    def fits(self) -> bool:
        """Whether both flash and RAM are large enough."""
        return self.flash_left >= 0 and self.ram_left >= 0


def code_bytes(operators: Iterable[str], *, has_cmsis_nn: bool = True) -> int:
    """Estimated bytes of flash for TensorFlow Lite Micro with the kernels of some operators; see `CODE_BYTES`.

    Args:
        operators: the schema's names, such as CONV_2D; each is counted once.
        has_cmsis_nn: whether CMSIS-NN's kernels are used, or the reference kernels.
    """
    kernels = sum(CODE_BYTES.get(name, OTHER_KERNEL_BYTES) for name in set(operators))
    return CODE_BYTES["interpreter"] + kernels + (CMSIS_NN_BYTES if has_cmsis_nn else 0)


def fit(target: Target, *, model_bytes: int, code_bytes: int, arena_bytes: int) -> Fit:
    """What a model needs on a part with TensorFlow Lite Micro.

    Args:
        target: the part.
        model_bytes: size of the `.tflite`, which firmware keeps in flash.
        code_bytes: everything else in flash, as estimated by the function `code_bytes`.
        arena_bytes: TFLM's arena, including its margin.
    """
    flash_needed = model_bytes + code_bytes
    ram_needed = arena_bytes + STACK_BYTES + OBJECTS_BYTES
    return Fit(target, flash_needed, target.flash_bytes - flash_needed, ram_needed, target.ram_bytes - ram_needed)


def fit_rows(target: Target, *, rows: RowsReport) -> Fit:
    """What a model needs on a part with the row engine, if the image arrives row by row.

    Args:
        target: the part.
        rows: the row engine compiler's report on the model.
    """
    flash_needed = rows.constants_bytes + _ROWS_CODE_BYTES
    ram_needed = rows.context_bytes + rows.scratch_bytes[_KERNELS.get(target.core, "portable")] + STACK_BYTES
    return Fit(target, flash_needed, target.flash_bytes - flash_needed, ram_needed, target.ram_bytes - ram_needed)


def suggest(needs: Fit) -> list[Target]:
    """The parts of the table with enough flash and RAM, sorted by RAM, then by flash, smallest first."""
    enough = [t for t in TARGETS.values() if t.flash_bytes >= needs.flash_needed and t.ram_bytes >= needs.ram_needed]
    return sorted(enough, key=lambda target: (target.ram_bytes, target.flash_bytes))


def check_fits(fit: Fit, rows: Fit | None = None) -> None:
    """Refuse a part that is too small.

    Args:
        fit: the model on the part.
        rows: the same model with the row engine, to be suggested if it fits; None for no such suggestion.

    Raises:
        UserError: flash or RAM is too small; the message states the missing bytes and what would fit.
    """
    if fit.fits:
        return
    short = [
        f"{kind} is {-left:,} bytes short ({needed:,} needed, {available:,} available)"
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
        remedies.append(f"use --engine rows, which needs {rows.flash_needed:,} of flash and {rows.ram_needed:,} of RAM")
    if fitting := suggest(fit):
        remedies.append(f"use {' or '.join(target.name for target in fitting)}")
    side = _side_that_fits(fit)
    if fit.ram_left >= 0:
        remedies.append("train a smaller student")
    elif fit.flash_left >= 0 and side >= _LEAST_SIDE:
        remedies.append(f"shrink the model's input to about {side} % of its height and width")
    else:
        remedies.append("train a smaller student on smaller images")
    return remedies


_LEAST_SIDE = 25  # percent; below that, the part of the arena that does not shrink with the input dominates


def _side_that_fits(fit: Fit) -> int:
    """Percent of height and width that fits, or 0: activations, hence the arena, grow with the input's area."""
    besides = STACK_BYTES + OBJECTS_BYTES
    return math.floor(100 * math.sqrt(max(fit.target.ram_bytes - besides, 0) / (fit.ram_needed - besides)))


@dataclass(frozen=True)
class Needs:
    """What one engine needs on a part, in bytes; `flash_left` and `ram_left` are negative if memory is short."""

    flash_needed: int
    flash_left: int
    ram_needed: int
    ram_left: int
    fits: bool


@dataclass(frozen=True)
class PartNeeds:
    """A known part, and what a model needs on it with TensorFlow Lite Micro and, in `rows`, with the row engine.

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
    """None if the row engine does not support the model."""


def table(*, model_bytes: int, code_bytes: int, arena_bytes: int, rows: RowsReport | None) -> list[PartNeeds]:
    """What a model needs on each known part, in the table's order, for a report or JSON.

    Args:
        model_bytes: as for `fit`.
        code_bytes: as for `fit`.
        arena_bytes: as for `fit`.
        rows: as for `fit_rows`; None if the row engine does not support the model.
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
            rows=None if rows is None else _needs(fit_rows(target, rows=rows)),
        )
        for target in TARGETS.values()
    ]


def _needs(fit: Fit) -> Needs:
    return Needs(fit.flash_needed, fit.flash_left, fit.ram_needed, fit.ram_left, fit.fits)
