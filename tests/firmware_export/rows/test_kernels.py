"""The row engine's fast kernels on emulated cores, against plain 64-bit arithmetic."""

import shutil
import subprocess
from pathlib import Path

import bare_metal
import numpy as np
import pytest

from firmware_export.board import emulator
from firmware_export.rows import engine, fast_kernels

HARNESS = Path(__file__).parent / "kernels_harness.c"
KERNELS = {"mps2-an386": "dsp", "mps2-an500": "dsp", "mps3-an547": "mve"}
ROW, WEIGHTS, CHANNELS = 4096, 16384, 40
ALL_OK = ["ok convolution rows", "ok depthwise rows", "ok addition rows"]

needs_emulator = pytest.mark.skipif(
    None in map(shutil.which, (bare_metal.COMPILER, emulator.EMULATOR)), reason=emulator.INSTALL
)

# Those of ResNet8, narrowed, and what lies at the kernels' edges: one pixel, one channel, one product.
KNOWN = [
    (3, 3, 1, 3, 16, 12),
    (3, 3, 1, 16, 16, 12),
    (3, 3, 2, 32, 40, 8),
    (3, 3, 1, 64, 28, 8),
    (1, 1, 2, 16, 32, 8),
    (1, 1, 1, 64, 10, 1),
    (1, 1, 1, 1, 1, 1),
    (5, 5, 3, 37, 1, 3),
    (3, 3, 2, 16, 16, 13),
    (3, 3, 2, 32, 32, 11),
    (3, 3, 1, 32, 32, 32),
    (3, 3, 1, 48, 24, 16),
    (3, 3, 1, 64, 28, 16),
    (5, 3, 1, 16, 8, 11),
    (1, 3, 1, 16, 20, 6),
    (1, 4, 1, 1, 3, 5),
    (1, 1, 1, 1200, 7, 1),
    (1, 1, 1, 640, 16, 1),
    (1, 1, 1, 128, 21, 1),
    (1, 1, 1, 204, 9, 2),
    (1, 1, 1, 8, 40, 1),
    (1, 1, 1, 1028, 8, 2),
    (3, 3, 1, 128, 9, 3),
    (3, 3, 2, 8, 12, 6),
]


def random_layers(number, seed):
    """[kernel height, kernel width, stride, channels in, channels out, output width], as the harness has room for."""
    generator = np.random.default_rng(seed)
    layers = list(KNOWN)
    while len(layers) < number:
        kernel_height, kernel_width, stride = (int(generator.integers(1, high)) for high in (6, 6, 4))
        channels_in = int(4 * generator.integers(1, 11) if generator.random() < 0.6 else generator.integers(1, 38))
        if generator.random() < 0.2:
            kernel_width, channels_in = 3, int(16 * generator.integers(1, 5))
        depth = kernel_height * kernel_width * channels_in
        channels_out = int(generator.integers(1, min(CHANNELS, WEIGHTS // depth) + 1))
        width = int(4 * generator.integers(1, 4) if generator.random() < 0.5 else generator.integers(1, 14))
        if ((width - 1) * stride + kernel_width) * channels_in <= ROW:
            layers.append((kernel_height, kernel_width, stride, channels_in, channels_out, width))
    return layers


def layer_table(layers, kernels):
    """`layers.h` for the harness: each layer with the scratch memory that `packing` promises to be enough."""
    scratch = [fast_kernels.conv_scratch_bytes(*layer[:2], *layer[3:])[kernels] for layer in layers]
    lines = [f"  {{{', '.join(map(str, (*layer, size)))}}}," for layer, size in zip(layers, scratch, strict=True)]
    fields = "kernel_height, kernel_width, stride, channels_in, channels_out, width_out, scratch_bytes"
    sizes = {"LAYERS": len(layers), "ROW": ROW, "WEIGHTS": WEIGHTS, "CHANNELS": CHANNELS, "SCRATCH": max(scratch)}
    enumerators = ", ".join(f"{name} = {size}" for name, size in {**sizes, "KERNEL_HEIGHT": 5}.items())
    return "\n".join(
        [f"enum {{ {enumerators} }};", f"static const struct {{ int {fields}; }} layers[LAYERS] = {{", *lines, "};", ""]
    )


def write_sources(machine, folder, *, seed=1, edit=lambda text: text):
    """The engine, with an edit of the kernels' text, and the harness's layers."""
    kernels = KERNELS[machine]
    (folder / "layers.h").write_text(layer_table(random_layers(300, seed), kernels))
    for name, text in engine.files().items():
        (folder / name).write_text(edit(text) if name.startswith(f"satkd_engine_{kernels}") else text)


def checked(machine, folder, *, seed=1, flags=(), edit=lambda text: text):
    """What the harness prints on a machine, after an edit of the kernels' text."""
    core = emulator.MACHINES[machine]
    write_sources(machine, folder, seed=seed, edit=edit)
    flags = [*bare_metal.WARNINGS, f"-DSEED={seed}", *flags]
    program = bare_metal.compile_object(HARNESS, core, folder / "harness.o", [*flags, "-I", str(folder)])
    return emulator.run(bare_metal.link([program], core, folder / "harness.elf"), machine).splitlines()


@needs_emulator
@pytest.mark.parametrize(
    "flags", [("-O2",), ("-O0",), ("-Os",), ("-O2", "-DSATKD_ENGINE_KERNELS=SATKD_ENGINE_PORTABLE")], ids=" ".join
)
@pytest.mark.parametrize("machine", sorted(KERNELS))
def test_kernels_match_plain_arithmetic(machine, flags, tmp_path):
    assert checked(machine, tmp_path, flags=flags) == ALL_OK


CLANG_CALLS = """
#include <stddef.h>
void *memset(void *to, int value, size_t count);
void *memcpy(void *to, const void *from, size_t count);
void __aeabi_memclr4(void *to, size_t count) { memset(to, 0, count); }
void __aeabi_memclr8(void *to, size_t count) { memset(to, 0, count); }
void __aeabi_memcpy4(void *to, const void *from, size_t count) { memcpy(to, from, count); }
void __aeabi_memcpy8(void *to, const void *from, size_t count) { memcpy(to, from, count); }
"""


@needs_emulator
@pytest.mark.skipif(shutil.which("clang") is None, reason="apt-get install clang")
def test_clang_compiles_the_same_kernels(tmp_path):
    machine = "mps2-an386"
    write_sources(machine, tmp_path)
    (tmp_path / "calls.c").write_text(CLANG_CALLS)
    calls = bare_metal.compile_object(tmp_path / "calls.c", "cortex-m4", tmp_path / "calls.o")
    flags = ["--target=thumbv7em-none-eabihf", "-mcpu=cortex-m4", "-munaligned-access", "-O2", "-std=c99"]
    flags += ["-ffreestanding", "-DSEED=1", "-DSATKD_ENGINE_KERNELS=SATKD_ENGINE_DSP", f"-I{tmp_path}"]
    subprocess.run(["clang", *flags, "-c", HARNESS, "-o", tmp_path / "harness.o"], check=True)
    elf = bare_metal.link([tmp_path / "harness.o", calls], "cortex-m4", tmp_path / "harness.elf")
    assert emulator.run(elf, machine).splitlines() == ALL_OK


DEFECTS = {
    "halves of negative numbers towards zero": ("mps2-an386", "addend), value >> 31u)", "addend), 0)"),
    "the same in the assembly": ("mps2-an386", '", asr #31', '", lsr #31'),
    "no rounding of the high product": ("mps2-an386", "smmlar", "smmla"),
    "no rounding of the shift": ("mps2-an386", "(uint32_t)1 << (right - 1u)", "0u * (right - 1u)"),
    "the same in the assembly of six": ("mps2-an386", "add r12, r12, r1, lsr #1", "add r12, r12, r1, lsr #2"),
    "last weights forgotten": ("mps2-an386", "if (steps != depth)", "if (steps != depth && depth < 0)"),
    "kernel rows apart wrongly": ("mps2-an386", "row_bytes, last * row_bytes)", "row_bytes, 0)"),
    "scratch overrun": ("mps2-an386", "scratch + (2 * row_bytes)", "scratch + (2 * row_bytes) + 1"),
    "channels of a pair apart wrongly": ("mps2-an386", "ldr r12, [r8, #1152]", "ldr r12, [r8, #1148]"),
    "a tap at the wrong column": ("mps2-an386", "smlad r6, lr, r0, r6", "smlad r6, lr, r1, r6"),
    "sums of the kernel rows before forgotten": ("mps2-an386", "(y == 0) ? NULL : sums", "NULL"),
    "a channel of a pixel twice": ("mps2-an386", 'SATKD_WRITE_CODE("r2")', 'SATKD_WRITE_CODE("r1")'),
    "channels of a pixel apart wrongly": ("mps2-an386", "(2 * between) - depth", "(2 * between) - (depth + 4)"),
    "a hundred and twenty-eight weights too few": ("mps2-an386", "~(uint32_t)127)", "~(uint32_t)255)"),
    "the last weights of a pixel forgotten": ("mps2-an386", "depth & (uint32_t)4)", "depth & (uint32_t)0)"),
    "the last channel of a pixel forgotten": ("mps2-an386", "sums[even] = both[0]", "sums[even] = initial[even]"),
    "equal shifts taken for granted": ("mps2-an386", "channels->are_equal &&", ""),
    "parts of a pixel apart wrongly": ("mps2-an386", "depth - channels.depth;", "0;"),
    "the last of four pixels forgotten": ("mps2-an386", "strb r5, [lr, r10]", "strb r5, [lr]"),
    "the rest of a channel by four pixels forgotten": ("mps2-an386", "cbz r1, 5f", "b 5f"),
    "weights of an odd patch apart wrongly": ("mps2-an386", "six->skip = six->depth - padded", "six->skip = 0"),
    "large sums forgotten": ("mps2-an386", "== 1u) ? 22u : 0u", "== 1u) ? 22u : 22u"),
    "halves of negatives up": ("mps3-an547", "vand q4, q1, q3", "vmov.i32 q4, #0"),
    "the same where all shift right": ("mps3-an547", "vshr.s32 q4, q1, #31", "vmov.i32 q4, #0"),
    "fixed where nothing is shifted": ("mps3-an547", "vand q4, q1, q3", "vmov q4, q1"),
    "lanes exchanged": ("mps3-an547", "r0, r8", "r8, r0"),
    "a step too few": ("mps3-an547", "between % 3", "between % 2"),
    "channels of a lone pixel twice": ("mps3-an547", "(i < left) ? i : 0", "0"),
    "left shifts of a lone pixel forgotten": ("mps3-an547", "vmaxq_s32(shifts, zeros)", "zeros"),
    "halves of negatives up in a lone pixel": ("mps3-an547", "vandq_s32(scaled, rights)", "zeros"),
    "a kernel row of a lone pixel twice": ("mps3-an547", "from[i] += row_bytes", "from[i] += 0"),
    "a lone pixel's row too long": ("mps3-an547", '"dlstp.8 lr, %[count]', '"add lr, %[count], #8\\n\\tdlstp.8 lr, lr'),
    "weights behind the rest": ("mps3-an547", '"add r9, r9, r11\\n\\t"', '""'),
}


DEPTHWISE_DEFECTS = {
    "channels exchanged": ("mps2-an386", "smlabb r5, r11", "smlabb r5, r10"),
    "channels exchanged with any kernel": (
        "mps2-an386",
        "smlabb %[a1], %[w_odd], %[odd]",
        "smlabb %[a1], %[w_even], %[odd]",
    ),
    "channels that overlap": ("mps2-an386", "? (count - 4) : next", "? (count - 3) : next"),
    "a kernel row twice": ("mps2-an386", "= window->rows[y]", "= window->rows[y / 2]"),
    "a tap of one input twice": ("mps2-an386", 'SATKD_TAP_OF_ONE(", #2")', 'SATKD_TAP_OF_ONE(", #1")'),
    "a channel not checked": ("mps2-an386", "is_plain && (i < 4)", "is_plain && (i < 3)"),
    "a kernel row twice on Helium": ("mps3-an547", "= window->rows[y]", "= window->rows[y / 2]"),
    "pairs apart wrongly": ("mps3-an547", "add r2, r2, r11", "add r2, r2, r10"),
    "a lone pixel as a pair": ("mps3-an547", "nine.out_between = 0;", ";"),
    "channels that overlap on Helium": ("mps3-an547", "? (count - 4) : next", "? (count - 3) : next"),
    "inputs of any kernel apart wrongly": ("mps3-an547", "start += 2 * pixel_bytes", "start += pixel_bytes"),
    "one input for all taps": ("mps3-an547", "satkd_add_tap_of_one(&sums, in + i,", "satkd_add_tap_of_one(&sums, in,"),
}


@needs_emulator
@pytest.mark.parametrize("defect", DEPTHWISE_DEFECTS)
def test_a_defect_of_depthwise_rows_is_seen(defect, tmp_path):
    machine, old, new = DEPTHWISE_DEFECTS[defect]
    assert any(old in text for text in engine.files().values())
    assert "FAILED depthwise rows" in checked(machine, tmp_path, edit=lambda text: text.replace(old, new))


@needs_emulator
@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_is_seen(defect, tmp_path):
    machine, old, new = DEFECTS[defect]
    kernels = f"satkd_engine_{KERNELS[machine]}"
    assert any(old in text for name, text in engine.files().items() if name.startswith(kernels))
    assert "FAILED convolution rows" in checked(machine, tmp_path, edit=lambda text: text.replace(old, new))
