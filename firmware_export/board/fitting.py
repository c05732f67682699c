"""Whether a model fits a part with TensorFlow Lite Micro or with the row engine, and what fits if it does not.

All sizes are in bytes. The memory for data and constants is exact; code and stack sizes are estimates, with their
source stated. Golden vectors are counted as constants of either engine.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from firmware_export.board import timing
from firmware_export.board.cores import CORES
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


class Needs(Protocol):
    """What a model needs in one engine, on any part."""

    def on(self, target: Target) -> "Fit":
        """What it needs on one part."""


@dataclass(frozen=True)
class Fit:
    """What a model needs on a part, in bytes; `flash_left` and `ram_left` are negative if memory is short."""

    target: Target
    flash_needed: int
    ram_needed: int
    is_supported: bool = True
    """Whether the engine runs on the part's core at all."""

    @property
    def flash_left(self) -> int:
        """Bytes of flash left."""
        return self.target.flash_bytes - self.flash_needed

    @property
    def ram_left(self) -> int:
        """Bytes of RAM left."""
        return self.target.ram_bytes - self.ram_needed

    @property
    def fits(self) -> bool:
        """Whether the engine runs on the core, and both flash and RAM are large enough."""
        return self.is_supported and self.flash_left >= 0 and self.ram_left >= 0


def code_bytes(operators: Iterable[str], *, has_cmsis_nn: bool = True) -> int:
    """Estimated bytes of flash for TensorFlow Lite Micro with the kernels of some operators; see `CODE_BYTES`.

    Args:
        operators: the schema's names, such as CONV_2D; each is counted once.
        has_cmsis_nn: whether CMSIS-NN's kernels are used, or the reference kernels.
    """
    kernels = sum(CODE_BYTES.get(name, OTHER_KERNEL_BYTES) for name in set(operators))
    return CODE_BYTES["interpreter"] + kernels + (CMSIS_NN_BYTES if has_cmsis_nn else 0)


@dataclass(frozen=True)
class TflmNeeds:
    """What a model needs in TensorFlow Lite Micro.

    Attributes:
        constants_bytes: size of the `.tflite` and the golden vectors, which firmware keeps in flash.
        code_bytes: everything else in flash on a Cortex-M, as estimated by the function `code_bytes`.
        arena_bytes: TFLM's arena, including its margin.
    """

    constants_bytes: int
    code_bytes: int
    arena_bytes: int

    def on(self, target: Target) -> Fit:
        """What the model needs on a part; code is scaled by `cores.Core.code_ratio`."""
        core = CORES[target.core]
        return Fit(
            target,
            self.constants_bytes + round(self.code_bytes * core.code_ratio),
            self.arena_bytes + STACK_BYTES + OBJECTS_BYTES,
            is_supported=not core.is_big_endian,
        )


@dataclass(frozen=True)
class RowsNeeds:
    """What a model needs in the row engine, if the image arrives row by row.

    Attributes:
        report: the row engine compiler's report on the model.
        golden_bytes: size of the golden vectors.
    """

    report: RowsReport
    golden_bytes: int

    def on(self, target: Target) -> Fit:
        """What the model needs on a part."""
        core = CORES[target.core]
        return Fit(
            target,
            self.report.constants_bytes + self.golden_bytes + core.rows_code_bytes,
            self.report.context_bytes + self.report.scratch_bytes[core.kernels] + STACK_BYTES,
        )


def suggest(needs: Needs) -> list[Target]:
    """The parts of the table that a model fits, sorted by RAM, then by flash, smallest first."""
    enough = [target for target in TARGETS.values() if needs.on(target).fits]
    return sorted(enough, key=lambda target: (target.ram_bytes, target.flash_bytes))


def check_fits(target: Target, needs: Needs, rows: Needs | None = None) -> None:
    """Refuse a part that is too small.

    Args:
        target: the part.
        needs: of the model in the engine that is exported.
        rows: the same model in the row engine, to be suggested if it fits; None for no such suggestion.

    Raises:
        UserError: flash or RAM is too small, or the engine does not run on the core; the message states the missing
            bytes and what would fit.
    """
    fit = needs.on(target)
    if fit.fits:
        return
    short = [
        f"{kind} is {-left:,} bytes short ({needed:,} needed, {available:,} available)"
        for kind, needed, left, available in (
            ("flash", fit.flash_needed, fit.flash_left, target.flash_bytes),
            ("RAM", fit.ram_needed, fit.ram_left, target.ram_bytes),
        )
        if left < 0
    ]
    problem = f"is too small: {' and '.join(short)}"
    if not fit.is_supported:
        problem = f"has a big-endian core ({target.core}), on which TensorFlow Lite Micro does not run"
    raise UserError(f"{target.part} {problem}: {', or '.join(_remedies(fit, needs, rows))}")


_MOST_SUGGESTED = 4


def _remedies(fit: Fit, needs: Needs, rows: Needs | None) -> list[str]:
    remedies = []
    if rows is not None and (other := rows.on(fit.target)).fits:
        remedies.append(
            f"use --engine rows, which needs {other.flash_needed:,} of flash and {other.ram_needed:,} of RAM"
        )
    if fitting := suggest(needs):
        remedies.append(f"use {' or '.join(target.name for target in fitting[:_MOST_SUGGESTED])}")
    side = _side_that_fits(fit)
    if not fit.is_supported:
        return remedies or ["use another part"]
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
    return math.floor(100 * math.sqrt(max(fit.target.ram_bytes - besides, 0) / max(fit.ram_needed - besides, 1)))


@dataclass(frozen=True)
class EngineNeeds:
    """What one engine needs on a part, in bytes; `flash_left` and `ram_left` are negative if memory is short."""

    flash_needed: int
    flash_left: int
    ram_needed: int
    ram_left: int
    fits: bool


@dataclass(frozen=True)
class PartNeeds:
    """A part, and what a model needs on it with TensorFlow Lite Micro and, in `rows`, with the row engine.

    Sizes are in bytes.
    """

    target: str
    part: str
    is_asked_for: bool
    """Whether `--target` named it."""
    core: str
    clock_hz: int | None
    flash_bytes: int
    has_external_flash: bool
    """Whether `flash_bytes` is what the part addresses outside; the board may have less."""
    ram_bytes: int
    source: str
    """Of the part's figures."""
    note: str
    flash_needed: int
    flash_left: int
    ram_needed: int
    ram_left: int
    fits: bool
    """Also false if TensorFlow Lite Micro does not run on the core."""
    rows: EngineNeeds | None
    """None if the row engine does not support the model."""
    rows_milliseconds: tuple[float, float] | None
    """Estimate of the least and the most time of an image in the row engine (`timing.milliseconds`), or None."""


def table(
    tflm: TflmNeeds,
    rows: RowsNeeds | None,
    asked_for: Target | None = None,
    counted: Mapping[str, int] = MappingProxyType({}),
) -> list[PartNeeds]:
    """What a model needs on each known part, for a report or JSON.

    Args:
        tflm: of the model.
        rows: of the model; None if the row engine does not support it.
        asked_for: the part that the user named. One of the user's own comes first; the others are in the table's order.
        counted: the row engine's instructions for an image, by emulated core.
    """
    known = TARGETS.values()
    parts = [*([asked_for] if asked_for is not None and asked_for not in known else []), *known]
    return [
        PartNeeds(
            target=part.name,
            part=part.part,
            is_asked_for=part == asked_for,
            core=part.core,
            clock_hz=part.clock_hz,
            flash_bytes=part.flash_bytes,
            has_external_flash=part.has_external_flash,
            ram_bytes=part.ram_bytes,
            source=part.source,
            note=part.note,
            **vars(_engine_needs(tflm.on(part))),
            rows=None if rows is None else _engine_needs(rows.on(part)),
            rows_milliseconds=timing.milliseconds(part.core, part.clock_hz, counted),
        )
        for part in parts
    ]


def _engine_needs(fit: Fit) -> EngineNeeds:
    return EngineNeeds(fit.flash_needed, fit.flash_left, fit.ram_needed, fit.ram_left, fit.fits)
