"""Cycles of basic blocks on Cortex-M4 and Cortex-M7 at zero wait states: a model, not a measurement.

Cortex-M4: the tables of instruction timings and the rules of load and store timings in Arm's Cortex-M4 Technical
Reference Manual (DDI 0439, chapter 3.3). Cortex-M7: Arm publishes no timings, so there is only a range: `m7_range`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import capstone
from capstone import arm as registers

PIPELINE_RELOAD = 2
"""P, the cycles that a taken branch adds: 1 to 3 by the manual, depending on the target's alignment and width."""

DIVISION = 12
"""The longest; by the manual 2 to 12, depending on the operands."""

_SINGLE_LOADS = {"ldr", "ldrb", "ldrh", "ldrsb", "ldrsh"}
_SINGLE_STORES = {"str", "strb", "strh"}
_FLOATING = {"vldr", "vstr", "vpush", "vpop", "vldmia", "vstmia"}
"""Loads and stores of floating-point registers, with which compilers copy words (chapter 7.2.3)."""
_MULTIPLE = {"ldm", "ldmdb", "stm", "stmdb", "push", "pop", "ldrd", "strd"} | _FLOATING
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
    memory = [operand.mem for operand in decoded.operands if operand.type == registers.ARM_OP_MEM]
    bases = {register for mem in memory for register in (mem.base, mem.index) if register}
    listed = [operand.reg for operand in decoded.operands if operand.type == registers.ARM_OP_REG]
    words = 0
    if name in ("push", "pop"):
        bases, words = {registers.ARM_REG_SP}, len(listed)
    elif name.startswith(("ldm", "stm")):
        bases, words = {listed[0]}, len(listed) - 1
    elif name in ("ldrd", "strd"):
        words = 2
    elif name in _FLOATING:
        words = sum(
            2 if decoded.reg_name(register).startswith("d") else 1 for register in listed if register not in bases
        )
    return Instruction(
        name=name,
        address=decoded.address,
        size=decoded.size,
        reads=frozenset(reads),
        writes=frozenset(writes),
        address_registers=frozenset(bases),
        has_index=any(mem.index for mem in memory),
        words=words,
        writes_pc=registers.ARM_REG_PC in writes and name not in _BRANCHES,
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
