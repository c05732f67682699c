"""What the estimates of memory and time need to know of a processor core."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

PORTABLE, DSP, MVE = "portable", "dsp", "mve"
"""The row engine's kernels: plain C, for Arm's DSP extension, for Helium."""


@dataclass(frozen=True)
class Cycles:
    """Cycles of an instruction, as a mean over an inference."""

    least: float
    most: float
    reason: str
    """Where the range comes from."""


@dataclass(frozen=True)
class Core:
    """A core.

    Attributes:
        kernels: the row engine's kernels that it runs.
        rows_code_bytes: code of the row engine; see `CORES`.
        code_ratio: size of portable C compared with Cortex-M3's, by which TensorFlow Lite Micro's code is scaled.
        is_big_endian: whether the high byte of a word comes first, which TensorFlow Lite Micro does not support.
        counted_as: the emulated core that executes the same instructions; None if there is none.
        cycles: of an instruction without wait states; None if instructions are not counted.
    """

    kernels: str
    rows_code_bytes: int
    code_ratio: float
    is_big_endian: bool = False
    counted_as: str | None = None
    cycles: Cycles | None = None


_M4 = Cycles(
    1.2,
    1.8,
    "Arm's instruction timings (DDI 0439, 3.3) applied to executed code: 1.2 with CMSIS-NN, 1.3 in the row engine's "
    "DSP kernels, 1.5 in its portable ones",
)
_M7 = Cycles(0.7, 1.2, "one or two instructions a cycle, 0.8 to 1.1 by a model of pairs; Arm publishes no timings")
_M33 = Cycles(1.0, 1.8, "as Cortex-M4, but for some pairs of instructions in one cycle; Arm publishes no timings")
_M55 = Cycles(
    1.0,
    2.0,
    "a Helium instruction takes two cycles, of which its neighbour may share one (Arm Cortex-M55 Processor Software "
    "Optimization Guide)",
)
_M85 = Cycles(0.7, 2.0, "as Cortex-M55, but for pairs of scalar instructions in one cycle; Arm publishes no timings")

CORES: Mapping[str, Core] = MappingProxyType(
    {
        "cortex-m0": Core(PORTABLE, 16_300, 1.25),
        "cortex-m0plus": Core(PORTABLE, 16_300, 1.25),
        "cortex-m3": Core(PORTABLE, 13_500, 1.0),
        "cortex-m4": Core(DSP, 27_800, 1.0, counted_as="cortex-m4", cycles=_M4),
        "cortex-m7": Core(DSP, 27_800, 1.0, counted_as="cortex-m4", cycles=_M7),
        "cortex-m33": Core(DSP, 27_800, 1.0, counted_as="cortex-m4", cycles=_M33),
        "cortex-m55": Core(MVE, 19_700, 1.0, counted_as="cortex-m55", cycles=_M55),
        "cortex-m85": Core(MVE, 19_700, 1.0, counted_as="cortex-m55", cycles=_M85),
        "rv32imafc": Core(PORTABLE, 14_100, 1.1),
        "rv64gc": Core(PORTABLE, 14_700, 1.2),
        "xtensa-lx7": Core(PORTABLE, 30_200, 2.6),
        "leon3": Core(PORTABLE, 30_200, 2.6, is_big_endian=True),
    }
)
"""The cores by name: Arm's as GCC's `-mcpu` spells them, RISC-V's as its `-march` does.

`rows_code_bytes` is what the row engine's code takes in a linked program that calls all functions of `satkd_model.h`
but the self-test (GCC 12.2, -O2, unused sections removed). Without a compiler for `xtensa-lx7` and `leon3`, these
have the size on 32-bit PowerPC, the largest measured. `cortex-m85` has that of `cortex-m55`.
"""
