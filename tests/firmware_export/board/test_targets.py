import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from firmware_export.board import targets
from firmware_export.common.errors import UserError


def test_the_table_has_its_parts():
    space = {"samv71", "samrh71", "va416xx", "va10820", "gr712rc"}
    st = {"stm32f411", "stm32f746", "stm32h743", "stm32l4r5", "stm32n657"}
    assert set(targets.TARGETS) == space | st | {"same70", "rp2040", "rp2350", "nrf52840", "esp32s3", "esp32p4"}


def test_the_help_lists_them_all():
    shown = subprocess.run(
        [sys.executable, "-m", "firmware_export", "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"COLUMNS": "200", "NO_COLOR": "1"},
    ).stdout
    assert [name for name in (*targets.TARGETS, targets.GENERIC) if name not in shown] == []


def test_the_page_lists_them_with_their_sources():
    page = (Path(targets.__file__).parents[2] / "docs" / "board.md").read_text()
    for part in targets.TARGETS.values():
        clock = f"{part.clock_hz / 1e6:g}"
        flash = f"{part.flash_bytes // targets.KB:,}{' external' if part.has_external_flash else ''}"
        figures = (
            f"| `{part.name}` | {part.part} | {part.core} | {clock} | {flash} | {part.ram_bytes // targets.KB:,} |"
        )
        assert f"{figures} {part.source} |" in page


@pytest.mark.parametrize("target", targets.TARGETS.values(), ids=str)
def test_every_part_is_described_in_full(target):
    assert target.core in targets.CORES
    assert target.source
    assert target.part
    assert target.clock_hz % 1_000_000 == 0
    assert target.flash_bytes % targets.KB == target.ram_bytes % targets.KB == 0
    assert targets.find(target.name) is target


def test_a_misspelt_part_gets_a_suggestion():
    with pytest.raises(UserError, match="unknown target 'stm32h734': did you mean 'stm32h743'"):
        targets.find("stm32h734")


def test_the_table_cannot_be_changed():
    with pytest.raises(TypeError):
        targets.TARGETS["other"] = targets.find("samv71")
    with pytest.raises(dataclasses.FrozenInstanceError):
        targets.find("samv71").ram_bytes = 0


def test_a_part_of_ones_own():
    target = targets.generic(256 * 1024, 96 * 1024, "cortex-m33")
    assert (target.flash_bytes, target.ram_bytes, target.core) == (262_144, 98_304, "cortex-m33")
    assert target.clock_hz is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((0, 1024, "cortex-m4"), "flash of 0 bytes, a positive number expected"),
        ((1024, -1, "cortex-m4"), "RAM of -1 bytes, a positive number expected"),
        ((1024, 1024, "cortex-m5"), "unknown core 'cortex-m5': did you mean 'cortex-m"),
    ],
)
def test_a_part_that_cannot_be(arguments, said):
    with pytest.raises(UserError, match=said):
        targets.generic(*arguments)


def test_a_command_line_names_a_part_of_the_table_or_gives_one():
    assert targets.choose(None, None, None, None) is None
    assert targets.choose("samv71", None, None, None) is targets.TARGETS["samv71"]
    assert targets.choose("generic", 1 << 18, 1 << 16, "cortex-m4") == targets.generic(1 << 18, 1 << 16, "cortex-m4")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("generic", 1, None, None), "without --ram-bytes and --core"),
        ((None, 1, None, None), "--flash-bytes is only for --target generic"),
        (("samv71", None, None, "cortex-m4"), "--core is only for --target generic, not for 'samv71'"),
        (("nonsuch", None, None, None), "unknown target 'nonsuch'"),
    ],
)
def test_figures_that_do_not_go_together_are_refused(given, said):
    with pytest.raises(UserError, match=said):
        targets.choose(*given)


def test_a_file_describes_a_part(tmp_path):
    path = tmp_path / "my_board.toml"
    path.write_text('part = "My board"\ncore = "cortex-m33"\nflash_kb = 512\nram_kb = 64\n')
    found = targets.choose(str(path), None, None, None)
    assert (found.name, found.core, found.ram_bytes) == ("my_board", "cortex-m33", 65_536)
    with pytest.raises(UserError, match=r"absent\.toml': No such file"):
        targets.choose("absent.toml", None, None, None)


def test_a_name_of_the_table_is_no_file():
    assert targets.named("samv71") is targets.TARGETS["samv71"]
    for name in ("generic", "my_board.toml", "samv7"):
        with pytest.raises(UserError, match=f"unknown target '{name}'"):
            targets.named(name)
