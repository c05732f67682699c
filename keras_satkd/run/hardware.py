"""The hardware of this machine that affects speed and arithmetic."""

import os
import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")

BFLOAT16_FLAGS = ("amx_bf16", "avx512_bf16")
"""Flags in Linux's `/proc/cpuinfo` of processors with bfloat16 instructions."""


def processor() -> str:
    """Cores, model and bfloat16 instructions of the processor, as in `2 x AMD EPYC, avx512_bf16`."""
    model = _cpuinfo("model name") or platform.processor() or platform.machine()
    return ", ".join([f"{os.cpu_count()} x {model}", *processor_bfloat16()])


def processor_bfloat16() -> list[str]:
    """The `BFLOAT16_FLAGS` of this processor; empty if they are unknown."""
    flags = _cpuinfo("flags").split()
    return [flag for flag in BFLOAT16_FLAGS if flag in flags]


def _cpuinfo(field: str) -> str:
    lines = CPUINFO.read_text().splitlines() if CPUINFO.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.split(":")[0].strip() == field), "")
