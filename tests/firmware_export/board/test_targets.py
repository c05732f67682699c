import dataclasses

import pytest

from firmware_export.board import targets
from firmware_export.common.errors import UserError


def test_the_table_has_its_parts():
    assert list(targets.TARGETS) == ["samv71", "samrh71", "va416xx", "va10820", "stm32h743", "stm32l4r5"]


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
