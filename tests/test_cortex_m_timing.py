"""Cycles of hand-worked snippets, by Arm's tables for Cortex-M4 and the stated range for Cortex-M7."""

import shutil
import subprocess

import pytest

pytest.importorskip("capstone", reason="capstone is not installed")
import cortex_m_timing as timing

pytestmark = pytest.mark.skipif(shutil.which("arm-none-eabi-as") is None, reason="no arm-none-eabi-as")


def block(text, folder):
    """The instructions of a snippet; `;` separates them."""
    source, made, code = folder / "a.s", folder / "a.o", folder / "a.bin"
    source.write_text(".syntax unified\n.cpu cortex-m4\n.thumb\n" + "\n".join(text.split(";")) + "\n")
    subprocess.run(["arm-none-eabi-as", str(source), "-o", str(made)], check=True)
    subprocess.run(["arm-none-eabi-objcopy", "-O", "binary", str(made), str(code)], check=True)
    return timing.decode(code.read_bytes(), 0)


@pytest.mark.parametrize(
    ("text", "cycles"),
    [
        ("add r0, r1, r2", 1),
        ("smlad r0, r1, r2, r0; smmlar r0, r1, r2, r3; mla r0, r1, r2, r3", 3),
        ("ldr r0, [r1]", 2),
        # The manual's own examples of pipelined loads and stores.
        ("ldr r0, [r1]; ldr r1, [r2]", 3),
        ("ldr r0, [r1, r2]; str r0, [r3, #20]", 3),
        ("ldr r0, [r1, r2]; str r1, [r3, r2]", 3),
        ("ldr r0, [r1, r5]; ldr r1, [r2]; ldr r2, [r3, #4]", 4),
        # An address that the load before gives.
        ("ldr r0, [r1]; ldr r2, [r0]", 4),
        # No forwarding from data processing to an address, but to data.
        ("add r1, r1, #4; ldr r0, [r1]", 4),
        ("add r0, r0, #4; str r0, [r1]", 2),
        ("str r0, [r1, #4]; ldr r2, [r3]", 3),
        ("str r0, [r1, r2]", 2),
        # Loads and stores of several registers: one cycle and one for each; never pipelined.
        ("ldmia r0!, {r1, r2, r3, r4}", 5),
        ("ldr r5, [r6]; ldmia r0!, {r1, r2, r3}", 6),
        ("ldmia r0!, {r1, r2, r3}; ldr r5, [r6]", 6),
        ("ldrd r0, r1, [r2]; strd r0, r1, [r3]", 6),
        ("push {r4, r5, lr}; pop {r4, r5, pc}", 8),
        ("sdiv r0, r1, r2", 12),
        ("cmp r0, #0; bne .", 2),
        # A word of weights by four pixels, before and after the kernels of six: 8 and 12 SMLAD.
        (
            "ldr r7, [r8], #4; ldmia r0!, {r3, r4, r5, r6}; sxtb16 r9, r7; sxtb16 r7, r7, ror #8;"
            + "smlad r1, r9, r3, r1;" * 4
            + "ldmia r0!, {r3, r4, r5, r6};"
            + "smlad r1, r7, r3, r1;" * 4,
            22,
        ),
        (
            "ldr r12, [r8, #1152]; ldr r11, [r8], #4; ldr r1, [r9, #4]; ldr r10, [r9, #8]; ldr r0, [r9], #12;"
            + "sxtb16 lr, r11; sxtb16 lr, r12; sxtb16 r11, r11, ror #8; sxtb16 r12, r12, ror #8;"
            + "smlad r2, lr, r0, r2;" * 6
            + "ldmia r9!, {r0, r1, r10};"
            + "smlad r2, lr, r0, r2;" * 6,
            26,
        ),
    ],
)
def test_cortex_m4(text, cycles, tmp_path):
    assert timing.m4_cycles(block(text.strip(";"), tmp_path)) == cycles


def test_a_load_is_pipelined_with_one_of_the_block_before(tmp_path):
    before = block("ldr r0, [r1]", tmp_path)[0]
    after = block("ldr r2, [r3]", tmp_path)
    assert timing.m4_cycles(after, before) == 1
    assert timing.m4_cycles(after) == 2


@pytest.mark.parametrize(
    ("text", "fewest", "most"),
    [
        ("add r0, r1, r2; add r3, r4, r5", 1, 2),
        ("add r0, r1, r2; add r3, r0, r5", 2, 2),
        ("smlad r0, r1, r2, r0; smlad r3, r1, r2, r3", 2, 2),
        ("ldr r4, [r5]; smlad r3, r1, r2, r3", 1, 2),
        ("ldr r4, [r5]; ldr r3, [r6]", 2, 2),
        ("ldmia r0!, {r1, r2, r3, r4}; add r5, r6, r7", 3, 5),
    ],
)
def test_range_of_cortex_m7(text, fewest, most, tmp_path):
    assert timing.m7_range(block(text, tmp_path)) == (fewest, most)


def test_unknown_instructions_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no timing of rbit"):
        timing.m4_cycles(block("rbit r0, r1", tmp_path))
    with pytest.raises(ValueError, match="no instruction at 0x2"):
        timing.decode(b"\x00\xbf\xff\xff", 0)
