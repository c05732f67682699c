"""Cycles of a program on Cortex-M4 and Cortex-M7 at zero wait states: Unicorn executes it and counts basic blocks."""

import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cortex_m_timing as timing
import unicorn
from unicorn import arm_const as uc

from firmware_export.board import emulator


@dataclass(frozen=True)
class Trace:
    """Executed basic blocks."""

    jumps: Counter[tuple[int, int]]
    """How often the block at the second address followed the block at the first; the first block follows 0."""
    code: dict[int, bytes]
    """The bytes of each block."""
    unaligned: int
    """Cycles that unaligned loads add on Cortex-M4: 2 for a word at an odd address, otherwise 1."""

    @cached_property
    def blocks(self) -> dict[int, list[timing.Instruction]]:
        """The instructions of each block, by address."""
        return {address: timing.decode(code, address) for address, code in self.code.items()}

    def total(self, time: Callable[[Sequence[timing.Instruction], timing.Instruction | None], int], taken: int) -> int:
        """Cycles of all blocks.

        Args:
            time: of a block, after an instruction or None.
            taken: cycles that a taken branch adds.
        """
        cycles = 0
        for (source, address), times in self.jumps.items():
            last = self.blocks[source][-1] if source else None
            is_taken = last is not None and last.address + last.size != address
            cycles += times * (time(self.blocks[address], None if is_taken else last) + (taken if is_taken else 0))
        return cycles

    @property
    def instructions(self) -> int:
        """Executed instructions."""
        return self.total(lambda block, _: len(block), 0)

    @property
    def m4(self) -> int:
        """Cycles on Cortex-M4."""
        return self.total(timing.m4_cycles, timing.PIPELINE_RELOAD) + self.unaligned

    @property
    def m7(self) -> tuple[int, int]:
        """The fewest and most cycles on Cortex-M7."""
        return (
            self.total(lambda block, _: timing.m7_range(block)[0], 0),
            self.total(lambda block, _: timing.m7_range(block)[1], 0),
        )


_MODELS = {"cortex-m4": uc.UC_CPU_ARM_CORTEX_M4, "cortex-m7": uc.UC_CPU_ARM_CORTEX_M7}
_SYSTICK_VALUE = 0xE000E018
_PAGE = 1 << 20
_BKPT = 7
"""Unicorn's number of the exception that semihosting raises."""
_EXITS = (0x18, 0x20)
"""SYS_EXIT and SYS_EXIT_EXTENDED."""


def trace(elf: Path, core: str) -> Trace:
    """Execute a program, and record what it does between the first two reads of SysTick's counter.

    The rest of the block with the first read is left out.

    Args:
        elf: an ELF file with its vector table at address 0, flash and RAM as in `emulator.CORES`.
        core: "cortex-m4" or "cortex-m7".

    Raises:
        RuntimeError: the program ends before the second read.
    """
    image = elf.with_suffix(".flash")
    subprocess.run(["arm-none-eabi-objcopy", "-O", "binary", str(elf), str(image)], check=True)
    flash = image.read_bytes()
    memory = emulator.CORES[core]
    machine = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
    machine.ctl_set_cpu_model(_MODELS[core])
    machine.mem_map(memory.flash_origin, memory.flash_bytes)
    machine.mem_map(memory.ram_origin, memory.ram_bytes)
    machine.mem_map(_SYSTICK_VALUE & -_PAGE, _PAGE)
    machine.mem_write(memory.flash_origin, flash)
    recorder = _Recorder(sees_loads=core == "cortex-m4")
    machine.hook_add(unicorn.UC_HOOK_MEM_READ, recorder.read_timer, begin=_SYSTICK_VALUE, end=_SYSTICK_VALUE + 3)
    machine.hook_add(unicorn.UC_HOOK_INTR, _skip_semihosting)
    stack, start = (int.from_bytes(flash[at : at + 4], "little") for at in (0, 4))
    machine.reg_write(uc.UC_ARM_REG_SP, stack)
    machine.emu_start(start | 1, 0)
    if recorder.reads < 2:
        raise RuntimeError(f"{elf.name} ended after {recorder.reads} reads of SysTick")
    code = {address: bytes(machine.mem_read(address, size)) for address, size in recorder.sizes.items()}
    return Trace(recorder.jumps, code, recorder.unaligned)


def _skip_semihosting(machine: unicorn.Uc, number: int, _: object) -> None:
    if number != _BKPT or machine.reg_read(uc.UC_ARM_REG_R0) in _EXITS:
        machine.emu_stop()
    else:
        machine.reg_write(uc.UC_ARM_REG_PC, (machine.reg_read(uc.UC_ARM_REG_PC) + 2) | 1)


class _Recorder:
    """Counts blocks while the timer has been read once."""

    def __init__(self, *, sees_loads: bool) -> None:
        self.sees_loads = sees_loads
        self.reads = 0
        self.jumps: Counter[tuple[int, int]] = Counter()
        self.sizes: dict[int, int] = {}
        self.unaligned = 0
        self._last = 0

    def read_timer(self, machine: unicorn.Uc, *_: object) -> None:
        self.reads += 1
        if self.reads == 1:
            machine.hook_add(unicorn.UC_HOOK_BLOCK, self.enter_block)
            if self.sees_loads:
                machine.hook_add(unicorn.UC_HOOK_MEM_READ, self.read)
            machine.ctl_flush_tb()
        else:
            machine.emu_stop()

    def enter_block(self, _machine: unicorn.Uc, address: int, size: int, _: object) -> None:
        self.jumps[self._last, address] += 1
        self.sizes[address] = size
        self._last = address

    def read(self, _machine: unicorn.Uc, _access: int, address: int, size: int, *_: object) -> None:
        if address & (size - 1):
            self.unaligned += 2 if address & 1 and size == 4 else 1
