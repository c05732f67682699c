import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_export import targets
from firmware_export.errors import UserError

RESNET8 = {"model_bytes": 97_744, "code_bytes": 50_456, "arena_bytes": 203_136}
"""Measured: the student of this project at 64×64."""

sizes = st.integers(1, 1 << 22)
any_target = st.sampled_from(list(targets.TARGETS.values()))


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
        ((None, 1, None, None), "--flash-bytes goes with --target generic"),
        (("samv71", None, None, "cortex-m4"), "--core goes with --target generic, not with 'samv71'"),
        (("nonsuch", None, None, None), "unknown target 'nonsuch'"),
    ],
)
def test_figures_that_do_not_go_together_are_refused(given, said):
    with pytest.raises(UserError, match=said):
        targets.choose(*given)


def test_code_estimate_is_the_measured_sum_for_the_students_operators():
    operators = ["ADD", "CONV_2D", "FULLY_CONNECTED", "MEAN"]
    assert targets.code_bytes(operators, has_cmsis_nn=False) == 143_632 - 97_744
    assert targets.code_bytes(operators) == 148_200 - 97_744


def test_code_estimate_counts_each_operator_once_and_unknown_ones_too():
    once = targets.code_bytes(["CONV_2D"])
    assert targets.code_bytes(["CONV_2D", "CONV_2D"]) == once
    assert targets.code_bytes(["CONV_2D", "BATCH_MATMUL"]) == once + targets.OTHER_KERNEL_BYTES
    assert targets.code_bytes([]) > 16_000


def test_what_the_student_needs_of_a_samv71():
    fit = targets.fit(targets.find("samv71"), **RESNET8)
    assert (fit.flash_needed, fit.flash_left) == (148_200, 2 * 1024 * 1024 - 148_200)
    assert (fit.ram_needed, fit.ram_left) == (203_136 + 6 * 1024, 384 * 1024 - 203_136 - 6 * 1024)
    assert fit.fits
    assert targets.check_fits(fit) is None


def test_an_error_says_by_how_much_and_what_would_fit():
    with pytest.raises(UserError) as caught:
        targets.check_fits(targets.fit(targets.find("va416xx"), **RESNET8))
    assert str(caught.value) == (
        "VORAGO VA41620/VA41630 is too small: RAM is 143,744 bytes short (209,280 needed, 65,536 there): take samv71 "
        "or stm32h743 or stm32l4r5, or shrink the model's input to about 54 % of its height and width"
    )


def test_flash_alone_short():
    with pytest.raises(UserError) as caught:
        targets.check_fits(targets.fit(targets.find("samrh71"), **RESNET8))
    assert "flash is 17,128 bytes short (148,200 needed, 131,072 there): take " in str(caught.value)
    assert str(caught.value).endswith("or train a smaller student")


def test_both_short():
    with pytest.raises(
        UserError, match=r"flash is .* and RAM is .*: take .*, or train a smaller student on smaller images"
    ):
        targets.check_fits(targets.fit(targets.find("va10820"), **RESNET8))


def test_nothing_of_the_table_fits():
    fit = targets.fit(targets.find("samv71"), model_bytes=1 << 23, code_bytes=0, arena_bytes=1)
    assert targets.suggest(fit) == []
    with pytest.raises(UserError, match=r"there\): train a smaller student$"):
        targets.check_fits(fit)


def test_no_input_is_small_enough_for_next_to_no_ram():
    target = targets.generic(1 << 20, targets.STACK_BYTES, "cortex-m4")
    with pytest.raises(UserError, match=r"train a smaller student on smaller images$"):
        targets.check_fits(targets.fit(target, **RESNET8))


@given(target=any_target, model=sizes, code=sizes, arena=sizes)
def test_check_agrees_with_fits_and_is_one_line(target, model, code, arena):
    fit = targets.fit(target, model_bytes=model, code_bytes=code, arena_bytes=arena)
    assert fit.fits == (fit.flash_needed <= target.flash_bytes and fit.ram_needed <= target.ram_bytes)
    if fit.fits:
        targets.check_fits(fit)
    else:
        with pytest.raises(UserError) as caught:
            targets.check_fits(fit)
        assert "\n" not in str(caught.value)


@given(target=any_target, model=sizes, code=sizes, arena=sizes)
def test_suggestions_are_just_the_parts_that_fit_smallest_first(target, model, code, arena):
    needs = {"model_bytes": model, "code_bytes": code, "arena_bytes": arena}
    suggested = targets.suggest(targets.fit(target, **needs))
    assert {t.name for t in suggested} == {row["target"] for row in targets.table(**needs) if row["fits"]}
    assert [t.ram_bytes for t in suggested] == sorted(t.ram_bytes for t in suggested)


@given(target=any_target, excess=sizes)
def test_the_smaller_input_would_fit(target, excess):
    arena = target.ram_bytes + excess
    fit = targets.fit(target, model_bytes=1, code_bytes=1, arena_bytes=arena)
    assert not fit.fits
    side = targets._side_that_fits(fit) / 100
    assert targets.fit(target, model_bytes=1, code_bytes=1, arena_bytes=int(arena * side**2)).fits


def test_the_report_is_json_with_a_row_for_each_part():
    rows = json.loads(json.dumps(targets.table(**RESNET8)))
    assert [row["target"] for row in rows] == list(targets.TARGETS)
    assert [row["target"] for row in rows if row["fits"]] == ["samv71", "stm32h743", "stm32l4r5"]
    assert all(row["ram_left"] == row["ram_bytes"] - row["ram_needed"] for row in rows)
