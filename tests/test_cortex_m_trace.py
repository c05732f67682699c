"""What the trace of a small program counts, by hand and by QEMU."""

import shutil
from collections import Counter

import bare_metal
import pytest

from firmware_export.board import emulator

pytest.importorskip("unicorn", reason="unicorn is not installed")
pytest.importorskip("capstone", reason="capstone is not installed")
import cortex_m_trace

pytestmark = pytest.mark.skipif(shutil.which(bare_metal.COMPILER) is None, reason=emulator.INSTALL)

READ_TIMER = "*(volatile unsigned *)0xe000e018u"
PROGRAM = """
int main(void) {{
  static unsigned words[4];
  unsigned a = {timer}, count = 10, word;
  const unsigned char *at = (const unsigned char *)words + {offset};
  __asm__ volatile(
      "1:\\n\\t"
      "ldr %[word], [%[at]]\\n\\t"
      "subs %[count], %[count], #1\\n\\t"
      "bne 1b\\n\\t"
      : [word] "=&r"(word), [count] "+r"(count) : [at] "r"(at) : "cc", "memory");
  unsigned b = {timer};
  return (int)(a - b);
}}
"""


def traced(folder, core, offset):
    (folder / "main.c").write_text(PROGRAM.format(timer=READ_TIMER, offset=offset))
    made = bare_metal.compile_object(folder / "main.c", core, folder / "main.o")
    return cortex_m_trace.trace(bare_metal.link([made], core, folder / "main.elf"), core)


@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m7"])
def test_a_loop(core, tmp_path):
    found = traced(tmp_path, core, 0)
    # The first of ten turns belongs to the block that reads the timer, which is not counted.
    loop = [address for (source, address), times in found.jumps.items() if source == address and times == 8]
    assert len(loop) == 1
    others = {edge: times for edge, times in found.jumps.items() if edge[1] not in loop}
    without = cortex_m_trace.Trace(Counter(others), found.code, 0)
    # Nine times LDR 2, SUBS 1, BNE 1, and eight times 2 for a taken branch.
    assert found.m4 - without.m4 == 9 * 4 + 8 * 2
    assert found.instructions - without.instructions == 9 * 3
    fewest, most = found.m7
    assert fewest <= found.instructions <= most


@pytest.mark.parametrize(("offset", "cycles"), [(0, 0), (1, 20), (2, 10), (3, 20), (4, 0)])
def test_unaligned_loads(offset, cycles, tmp_path):
    assert traced(tmp_path, "cortex-m4", offset).unaligned == cycles


def test_a_program_without_a_timer(tmp_path):
    (tmp_path / "main.c").write_text("int main(void) { return 0; }\n")
    made = bare_metal.compile_object(tmp_path / "main.c", "cortex-m4", tmp_path / "main.o")
    with pytest.raises(RuntimeError, match=r"main.elf ended after 0 reads of SysTick"):
        cortex_m_trace.trace(bare_metal.link([made], "cortex-m4", tmp_path / "main.elf"), "cortex-m4")
