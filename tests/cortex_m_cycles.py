"""Cycles of a program on Cortex-M4 and Cortex-M7: a model at zero wait states, not a measurement.

Unicorn executes the program and counts basic blocks; Capstone decodes them; the tables below give each instruction its
time. Cortex-M4: the instruction and load/store timings of Arm's Cortex-M4 Technical Reference Manual (DDI 0439, chapter 3.3).
Cortex-M7: Arm publishes no timings, so there is only a range: see `m7_range`.
"""

import os, subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import capstone
import unicorn
from capstone import arm as cs
from unicorn import arm_const as uc

from firmware_export.board import emulator

PIPELINE_RELOAD = 2
"""P, the cycles that a taken branch adds: 1 to 3 by the manual, depending on the target's alignment and width."""

DIVISION = 12
"""The longest; by the manual 2 to 12, depending on the operands."""

_SINGLE_LOADS = {"ldr", "ldrb", "ldrh", "ldrsb", "ldrsh"}
_SINGLE_STORES = {"str", "strb", "strh"}
_MULTIPLE = {"ldm", "ldmdb", "stm", "stmdb", "push", "pop", "ldrd", "strd"}
_BRANCHES = {"b", "bl", "bx", "blx", "cbz", "cbnz"}
_MULTIPLICATIONS = {
    *("mul", "mla", "mls", "smull", "umull", "smlal", "umlal", "smmul", "smmulr", "smmla", "smmlar", "smlad", "smladx"),
    *("smuad", "smulbb", "smlabb", "smultt", "smlatt", "smulbt", "smultb", "smlabt", "smlatb", "smlald"),
}
_ONE_CYCLE = {
    *("add", "adc", "sub", "sbc", "rsb", "addw", "subw", "mov", "movw", "movt", "mvn", "cmp", "cmn", "tst", "teq"),
    *("and", "orr", "eor", "bic", "orn", "lsl", "lsr", "asr", "ror", "ubfx", "sbfx", "bfi", "bfc", "clz", "rev", "it"),
    *("sxtb", "sxth", "uxtb", "uxth", "sxtb16", "uxtb16", "sxtab", "sxtah", "uxtab", "uxtah", "ssat", "usat", "pkhbt"),
    *("pkhtb", "nop", "adr", "sadd16", "ssub16", "rev16", "sel"),
}


@dataclass(frozen=True)
class Instruction:
    """An instruction, as far as its time depends on it."""

    name: str
    address: int
    size: int
    reads: frozenset[int]
    writes: frozenset[int]
    address_registers: frozenset[int]
    """Base and index of a load or store."""
    has_index: bool
    words: int
    """Registers that a load or store of several transfers."""
    writes_pc: bool

    @property
    def is_load(self) -> bool:
        """Whether it loads one register, and not the program counter."""
        return self.name in _SINGLE_LOADS and not self.writes_pc

    @property
    def is_memory(self) -> bool:
        """Whether it loads or stores."""
        return self.name in _SINGLE_LOADS | _SINGLE_STORES | _MULTIPLE


def decode(code: bytes, address: int) -> list[Instruction]:
    """The Thumb instructions of a basic block."""
    decoder = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    decoder.detail = True
    found = [_instruction(decoded) for decoded in decoder.disasm(code, address)]
    if sum(instruction.size for instruction in found) != len(code):
        raise ValueError(f"no instruction at {address + sum(each.size for each in found):#x}")
    return found


def _instruction(decoded: capstone.CsInsn) -> Instruction:
    reads, writes = decoded.regs_access()
    name = decoded.insn_name()
    if name in ("ldr", "str") and decoded.mnemonic.startswith(("ldrd", "strd")):
        name = decoded.mnemonic[:4]
    memory = [operand.mem for operand in decoded.operands if operand.type == cs.ARM_OP_MEM]
    bases = {register for mem in memory for register in (mem.base, mem.index) if register}
    registers = [operand.reg for operand in decoded.operands if operand.type == cs.ARM_OP_REG]
    words = 0
    if name in ("push", "pop"):
        bases, words = {cs.ARM_REG_SP}, len(registers)
    elif name.startswith(("ldm", "stm")):
        bases, words = {registers[0]}, len(registers) - 1
    elif name in ("ldrd", "strd"):
        words = 2
    # Loads of the written-back base are no result of a data-processing instruction.
    return Instruction(
        name=name,
        address=decoded.address,
        size=decoded.size,
        reads=frozenset(reads),
        writes=frozenset(writes),
        address_registers=frozenset(bases),
        has_index=any(mem.index for mem in memory),
        words=words,
        writes_pc=cs.ARM_REG_PC in writes and name not in _BRANCHES,
    )


def m4_cycles(block: Sequence[Instruction], before: Instruction | None = None) -> int:
    """Cycles of a basic block on Cortex-M4, without what its last branch adds if it is taken.

    Args:
        block: its instructions.
        before: the instruction executed just before it.

    Raises:
        ValueError: an instruction has no entry in the tables.
    """
    total = 0
    for instruction in block:
        total += _m4_time(instruction)
        if before is not None and instruction.is_memory:
            is_dependent = bool(instruction.address_registers & before.writes)
            if before.is_load and not is_dependent:
                total -= _is_pipelined(instruction)
            elif is_dependent and not before.is_memory:
                total += 1  # no forwarding from data processing to addresses
        before = instruction
    return total


def _m4_time(instruction: Instruction) -> int:
    name = instruction.name
    if name in _SINGLE_LOADS:
        return 2
    if name in _SINGLE_STORES:
        return 2 if instruction.has_index else 1
    if name in _MULTIPLE:
        return 1 + instruction.words
    if name in _ONE_CYCLE or name in _MULTIPLICATIONS or name in _BRANCHES:
        return 1
    if name in ("tbb", "tbh"):
        return 3
    if name in ("sdiv", "udiv"):
        return DIVISION
    raise ValueError(f"no timing of {name} at {instruction.address:#x}: add it to the tables")


def _is_pipelined(instruction: Instruction) -> bool:
    """Whether a load or store of one register takes a cycle less after a load."""
    return instruction.is_load or (instruction.name in _SINGLE_STORES and instruction.has_index)


def m7_range(block: Sequence[Instruction]) -> tuple[int, int]:
    """Cycles of a basic block on Cortex-M7: fewest and most.

    Most: one instruction a cycle, and one register a cycle in loads and stores of several. Fewest: two neighbouring
    instructions a cycle, unless the second reads what the first writes, or both load or store, or both multiply; two
    registers a cycle in loads and stores of several. Branches are predicted, all accesses hit tightly coupled memory.
    """
    fewest = most = i = 0
    while i < len(block):
        first = block[i]
        fewest += max(1, (first.words + 1) // 2)
        i += 1
        if i < len(block) and first.words <= 2 and _can_pair(first, block[i]):
            i += 1
    for instruction in block:
        most += DIVISION if instruction.name in ("sdiv", "udiv") else max(1, instruction.words)
    return fewest, most


def _can_pair(first: Instruction, second: Instruction) -> bool:
    return not (
        (first.is_memory and second.is_memory)
        or (first.name in _MULTIPLICATIONS and second.name in _MULTIPLICATIONS)
        or first.writes & second.reads
        or second.words > 2
    )


@dataclass(frozen=True)
class Trace:
    """Executed basic blocks."""

    jumps: Counter[tuple[int, int]]
    """How often the block at the second address followed the block at the first; the first block follows 0."""
    code: dict[int, bytes]
    """The bytes of each block."""
    unaligned: int
    """Cycles that unaligned loads add on Cortex-M4: one to three bytes apart from the alignment 1, 2, or for halfwords 1."""

    def total(self, time: Callable[[Sequence[Instruction], Instruction | None], int], taken: int) -> int:
        """Cycles of all blocks.

        Args:
            time: of a block, after an instruction or None.
            taken: cycles that a taken branch adds.
        """
        blocks = {address: decode(code, address) for address, code in self.code.items()}
        cycles = 0
        for (source, address), times in self.jumps.items():
            last = blocks[source][-1] if source else None
            is_taken = last is not None and last.address + last.size != address
            cycles += times * (time(blocks[address], None if is_taken else last) + (taken if is_taken else 0))
        return cycles

    @property
    def instructions(self) -> int:
        """Executed instructions."""
        return self.total(lambda block, _: len(block), 0)

    @property
    def m4(self) -> int:
        """Cycles on Cortex-M4."""
        return self.total(m4_cycles, PIPELINE_RELOAD) + self.unaligned

    @property
    def m7(self) -> tuple[int, int]:
        """The fewest and most cycles on Cortex-M7."""
        return self.total(lambda block, _: m7_range(block)[0], 0), self.total(lambda block, _: m7_range(block)[1], 0)


_MODELS = {"cortex-m4": uc.UC_CPU_ARM_CORTEX_M4, "cortex-m7": uc.UC_CPU_ARM_CORTEX_M7}
_SYSTICK_VALUE = 0xE000E018
_PAGE = 1 << 20
_BKPT = 7
"""Unicorn's number of the exception that semihosting raises."""


def trace(elf: Path, core: str) -> Trace:
    """Execute a program, and record what it does between the first two reads of SysTick's counter.

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
    recorder = _Recorder(machine)
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
    if number != _BKPT:
        machine.emu_stop()
        return
    machine.reg_write(uc.UC_ARM_REG_PC, (machine.reg_read(uc.UC_ARM_REG_PC) + 2) | 1)


class _Recorder:
    """Counts blocks while the timer has been read once."""

    def __init__(self, machine: unicorn.Uc) -> None:
        self.machine = machine
        self.reads = 0
        self.jumps: Counter[tuple[int, int]] = Counter()
        self.sizes: dict[int, int] = {}
        self.unaligned = 0
        self._last = 0

    def read_timer(self, machine: unicorn.Uc, *_: object) -> None:
        self.reads += 1
        if self.reads == 1:
            machine.hook_add(unicorn.UC_HOOK_BLOCK, self.enter_block)
            if not os.environ.get("FAST"): machine.hook_add(unicorn.UC_HOOK_MEM_READ, self.read)
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
