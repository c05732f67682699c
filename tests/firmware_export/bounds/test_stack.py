import re

import pytest

from firmware_export.bounds import stack

# As arm-none-eabi-objdump -d --no-show-raw-insn prints it.
DISASSEMBLY = """
checks.elf:     file format elf32-littlearm

Disassembly of section .text:

00000040 <top>:
      40:\tpush\t{r4, lr}
      42:\tbl\t60 <middle.constprop.0>
      46:\tbeq.n\t42 <top+0x2>
      48:\tcbz\tr0, 44 <top+0x4>
      4a:\tldr.w\tpc, [sp], #4

00000060 <middle.constprop.0>:
      60:\tcmp\tr0, #0
      62:\tble.w\t80 <leaf>
      66:\tb.w\t60 <middle.constprop.0>
      6a:\tmov\tpc, lr

00000080 <leaf>:
      80:\tbxne\tlr
      82:\tpop\t{r4, pc}

000000a0 <through_pointer>:
      a0:\tblx\tr3
      a2:\tbx\tlr
"""
FRAMES = {"top": 8, "middle.constprop": 24, "leaf": 100, "through_pointer": 16}


def _calls(text=DISASSEMBLY):
    return stack.read_calls(text)


def test_calls_are_read():
    calls = _calls()
    assert calls.callees["top"] == {"middle.constprop"}
    assert calls.callees["middle.constprop"] == {"leaf"}, "a jump to the own start is a loop"
    assert calls.callees["leaf"] == set()
    assert calls.indirect == {"through_pointer"}, "returns are not calls through a pointer"


def test_what_assembly_pushes_is_read():
    text = """
00000100 <asm>:
     100:\tstmdb\tsp!, {r4, r5, r8, fp, lr}
     104:\tsub\tsp, #8
     106:\tpush\t{r0, r7}
     108:\tldmdb\tr0, {r3, r7, r8, lr}
     10c:\tldrd\tr1, r2, [r3, #-16]!
     110:\tpop\t{r0, r7}

00000120 <copied.constprop.1>:
     120:\tvpush\t{d8-d10}
     124:\tsub.w\tsp, sp, #1024\t@ 0x400

00000140 <copied.constprop.0>:
     140:\tstr.w\tlr, [sp, #-4]!
     144:\tstrd\tr4, r5, [sp, #-16]!
     148:\tsubw\tsp, sp, #1028

00000160 <none>:
     160:\tbx\tlr
"""
    pushed = stack.read_pushed(text)
    assert pushed == {"asm": 20 + 8 + 8, "copied.constprop": 1048, "none": 0}
    assert stack.with_pushed({"asm": 28, "none": 4, "absent": 8}, pushed) == {"asm": 36, "none": 4, "absent": 8}


def test_the_deepest_chain_counts():
    calls = _calls()
    assert stack.deepest("top", calls, FRAMES) == 8 + 24 + 100
    assert stack.deepest("leaf", calls, FRAMES) == 100


def test_a_call_through_a_pointer_needs_a_list():
    with pytest.raises(stack.UnboundedStackError, match="through_pointer calls through a pointer"):
        stack.deepest("through_pointer", _calls(), FRAMES)
    assert stack.deepest("through_pointer", _calls(), FRAMES, {"through_pointer": ["leaf", "top"]}) == 16 + 132


@pytest.mark.parametrize(
    "register", ["ldr\tpc, [r3, #4]", "bx\tr3", "mov\tpc, r3", "blxne\tr4", "ldr.w\tpc, [r2, r3, lsl #2]"]
)
def test_every_kind_of_jump_through_a_register_is_seen(register):
    assert "leaf" in _calls(DISASSEMBLY.replace("bxne\tlr", register)).indirect


@pytest.mark.parametrize("instruction", ["bl", "b.w", "bne.n", "cbnz\tr2,"])
def test_recursion_has_no_bound(instruction):
    jump = f"{instruction}\t40 <top>" if "," not in instruction else f"{instruction} 40 <top>"
    calls = _calls(DISASSEMBLY.replace("bxne\tlr", jump))
    with pytest.raises(stack.UnboundedStackError, match=r"top calls middle.constprop calls leaf calls top"):
        stack.deepest("top", calls, FRAMES)


def test_a_call_of_itself_has_no_bound():
    with pytest.raises(stack.UnboundedStackError, match="leaf calls leaf"):
        stack.deepest("leaf", _calls(DISASSEMBLY.replace("bxne\tlr", "bl\t80 <leaf>")), FRAMES)


def test_a_function_of_unknown_frame_has_no_bound():
    with pytest.raises(stack.UnboundedStackError, match="the frame of leaf has no known size"):
        stack.deepest("top", _calls(), {name: size for name, size in FRAMES.items() if name != "leaf"})


def test_frames_are_read():
    c = "x.c:12:5:satkd_run\t16\tstatic\nx.c:9:5:part.constprop\t8\tstatic\nx.c:9:5:part.constprop\t24\tstatic\n"
    cxx = (
        "y.cc:20:7:void* memcpy(void*, const void*, size_t)\t8\tstatic\ny.h:1:2:void a::Write(const char*)\t0\tstatic\n"
    )
    assert stack.read_frames([c, cxx]) == {"satkd_run": 16, "part.constprop": 24, "memcpy": 8, "Write": 0}


def test_a_frame_without_a_static_size_has_no_bound():
    with pytest.raises(stack.UnboundedStackError, match="the frame of f has no static size"):
        stack.read_frames(["x.c:1:2:f\t16\tdynamic\n"])


def test_names_without_numbers():
    assert {stack._base_name(name) for name in re.findall(r"<([^>+]+)>:", DISASSEMBLY)} == set(FRAMES)
