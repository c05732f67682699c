"""The stack that a call takes at most: the frame sizes along the deepest chain of calls.

The calls are read from the disassembly of the linked program, so inlining, copies of functions and calls of the
compiler's library are seen as they are. The frame sizes are those that `-fstack-usage` writes, or what the function's
instructions push, if that is more: the compiler does not count what assembly in C pushes.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

INDIRECT_CALLS: Mapping[str, Sequence[str]] = {}
"""For each function of the engine that calls through a pointer, all functions that it may call. The engine has none."""

_FUNCTION = re.compile(r"^[0-9a-f]+ <([^>]+)>:$")
_DIRECT = re.compile(r"\t(b|bl|blx|b[a-z]{2}|cbn?z)(?:\.[nw])?\t(?:[^<]* )?[0-9a-f]+ <([^>+]+)>")
# `bx lr`, `mov pc, lr` and `ldr pc, [sp], #4` return.
_INDIRECT = re.compile(
    r"\t(?:bx|blx)[a-z]{0,2}(?:\.[nw])?\t(?!lr)|\t(?:ldr|mov)[a-z]{0,2}(?:\.[nw])?\tpc, (?!lr|\[sp\])"
)
_PUSHED = re.compile(
    r"\t(?:v?push(?:\.\w+)?\t|v?stmdb(?:\.\w+)?\tsp!, )\{(?P<registers>[^}]+)\}"
    r"|\tsubw?(?:\.w)?\tsp, (?:sp, )?#(?P<bytes>\d+)"
    r"|\[sp, #-(?P<before>\d+)\]!"
)
_NAME = re.compile(r"([\w.]+)(?:\(.*\))?$")  # of C, or of C++ with its parameters


class UnboundedStackError(Exception):
    """The stack has no bound: a call cannot be resolved, calls are recursive, or a frame has no static size."""


@dataclass(frozen=True)
class Calls:
    """The functions of a linked program.

    Attributes:
        callees: for each function, the functions that it calls or jumps to.
        indirect: the functions that call or jump through a register.
    """

    callees: Mapping[str, frozenset[str]]
    indirect: frozenset[str]


def read_calls(disassembly: str) -> Calls:
    """The calls in the output of `arm-none-eabi-objdump -d --no-show-raw-insn`."""
    callees: dict[str, set[str]] = {}
    indirect = set()
    function = ""
    for line in disassembly.splitlines():
        if begins := _FUNCTION.match(line):
            function = _base_name(begins[1])
            callees.setdefault(function, set())
        elif calls := _DIRECT.search(line):
            name = _base_name(calls[2])
            if name != function or calls[1] == "bl":  # a jump to a function's own start is a loop
                callees[function].add(name)
        elif _INDIRECT.search(line):
            indirect.add(function)
    return Calls({name: frozenset(found) for name, found in callees.items()}, frozenset(indirect))


def read_frames(stack_usage: Iterable[str]) -> dict[str, int]:
    """Bytes of each function's frame.

    Args:
        stack_usage: the content of every `.su` file.

    Raises:
        UnboundedStackError: the size of a frame is known only at run time.
    """
    frames: dict[str, int] = {}
    for line in (line for content in stack_usage for line in content.splitlines()):
        place, size, kind = line.split("\t")
        if found := _NAME.search(place):
            name = _base_name(found[1])
            if kind not in ("static", "dynamic,bounded"):
                raise UnboundedStackError(f"the frame of {name} has no static size")
            frames[name] = max(frames.get(name, 0), int(size))
    return frames


def read_pushed(disassembly: str) -> dict[str, int]:
    """Bytes by which all instructions of a function lower the stack pointer; of several copies, the most."""
    pushed: dict[str, int] = {}
    function, total = "", 0
    for line in disassembly.splitlines():
        if begins := _FUNCTION.match(line):
            function, total = _base_name(begins[1]), 0
            pushed.setdefault(function, 0)
        elif found := _PUSHED.search(line):
            listed = found["registers"]
            total += _register_bytes(listed) if listed else int(found["bytes"] or found["before"])
            pushed[function] = max(pushed[function], total)
    return pushed


def with_pushed(frames: Mapping[str, int], pushed: Mapping[str, int]) -> dict[str, int]:
    """The larger of each function's frame and of what its instructions push."""
    return {name: max(size, pushed.get(name, 0)) for name, size in frames.items()}


def _register_bytes(listed: str) -> int:
    """The size of registers.

    >>> _register_bytes("r4, r5, lr"), _register_bytes("d8-d10")
    (12, 24)
    """
    total = 0
    for each in listed.split(", "):
        first, _, last = each.partition("-")
        total += (int((last or first)[1:]) - int(first[1:]) + 1 if last else 1) * (8 if first.startswith("d") else 4)
    return total


def deepest(
    function: str, calls: Calls, frames: Mapping[str, int], indirect: Mapping[str, Sequence[str]] = INDIRECT_CALLS
) -> int:
    """Bytes of stack that a call of a function takes at most, without the frames of its callers and of interrupts.

    Args:
        function: its name.
        calls: of the program.
        frames: bytes of each function's frame.
        indirect: for each function that calls through a pointer, all functions that it may call.

    Raises:
        UnboundedStackError: calls are recursive, a call through a pointer is not in `indirect`, or the size of a frame
            is unknown.
    """
    known: dict[str, int] = {}

    def depth(name: str, chain: tuple[str, ...]) -> int:
        if name in chain:
            raise UnboundedStackError(f"{' calls '.join((*chain[chain.index(name) :], name))}")
        if name in calls.indirect and name not in indirect:
            raise UnboundedStackError(f"{name} calls through a pointer")
        if name not in frames:
            raise UnboundedStackError(f"the frame of {name} has no known size")
        if name not in known:
            callees = {*calls.callees.get(name, ()), *indirect.get(name, ())}
            known[name] = frames[name] + max((depth(callee, (*chain, name)) for callee in callees), default=0)
        return known[name]

    return depth(function, ())


def _base_name(name: str) -> str:
    """A function's name without the number of its copy: gcc's list of frames does not have these numbers.

    >>> _base_name("satkd_find_row.constprop.0"), _base_name("satkd_run")
    ('satkd_find_row.constprop', 'satkd_run')
    """
    return re.sub(r"\.\d+$", "", name)
