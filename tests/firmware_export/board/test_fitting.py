import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_export.board import fitting, targets
from firmware_export.board.cores import CORES
from firmware_export.common.errors import UserError
from firmware_export.rows.compile import RowsReport

RESNET8 = fitting.TflmNeeds(constants_bytes=97_744, code_bytes=50_456, arena_bytes=203_136)
"""Measured: the student of this project at 64×64."""
ROWS = RowsReport(
    prefix="satkd",
    harden="control",
    context_bytes=23_388,
    scratch_bytes={"portable": 0, "dsp": 2_560, "mve": 1_152},
    constants_bytes=106_432,
    constants_crc32=0,
    steps=529,
    layers=(),
    rings=(),
    engine_version=2,
    engine_sha256="",
)
"""Measured: the shipped ResNet8."""
IN_ROWS = fitting.RowsNeeds(ROWS, golden_bytes=1_000)

sizes = st.integers(1, 1 << 22)
any_target = st.sampled_from(list(targets.TARGETS.values()))


def test_code_estimate_is_the_measured_sum_for_the_students_operators():
    operators = ["ADD", "CONV_2D", "FULLY_CONNECTED", "MEAN"]
    assert fitting.code_bytes(operators, has_cmsis_nn=False) == 143_632 - 97_744
    assert fitting.code_bytes(operators) == 148_200 - 97_744


def test_code_estimate_counts_each_operator_once_and_unknown_ones_too():
    once = fitting.code_bytes(["CONV_2D"])
    assert fitting.code_bytes(["CONV_2D", "CONV_2D"]) == once
    assert fitting.code_bytes(["CONV_2D", "BATCH_MATMUL"]) == once + fitting.OTHER_KERNEL_BYTES
    assert fitting.code_bytes([]) > 16_000


def test_what_the_student_needs_of_a_samv71():
    samv71 = targets.find("samv71")
    fit = RESNET8.on(samv71)
    assert (fit.flash_needed, fit.flash_left) == (148_200, 2 * 1024 * 1024 - 148_200)
    assert (fit.ram_needed, fit.ram_left) == (203_136 + 6 * 1024, 384 * 1024 - 203_136 - 6 * 1024)
    assert fit.fits
    assert fitting.check_fits(samv71, RESNET8) is None


def test_an_error_says_by_how_much_and_what_would_fit():
    with pytest.raises(UserError) as caught:
        fitting.check_fits(targets.find("va416xx"), RESNET8)
    assert str(caught.value) == (
        "VORAGO VA41620/VA41630 is too small: RAM is 143,744 bytes short (209,280 needed, 65,536 available): use "
        "nrf52840 or rp2040 or stm32f746 or samv71, or shrink the model's input to about 54 % of its height and width"
    )


def test_flash_alone_short():
    with pytest.raises(UserError) as caught:
        fitting.check_fits(targets.find("samrh71"), RESNET8)
    assert "flash is 17,128 bytes short (148,200 needed, 131,072 available): use " in str(caught.value)
    assert str(caught.value).endswith("or train a smaller student")


def test_both_short():
    with pytest.raises(
        UserError, match=r"flash is .* and RAM is .*: use .*, or train a smaller student on smaller images"
    ):
        fitting.check_fits(targets.find("va10820"), RESNET8)


def test_nothing_of_the_table_fits():
    needs = fitting.TflmNeeds(constants_bytes=1 << 30, code_bytes=0, arena_bytes=1)
    assert fitting.suggest(needs) == []
    with pytest.raises(UserError, match=r"available\): train a smaller student$"):
        fitting.check_fits(targets.find("samv71"), needs)


def test_no_input_is_small_enough_for_next_to_no_ram():
    target = targets.generic(1 << 20, fitting.STACK_BYTES, "cortex-m4")
    with pytest.raises(UserError, match=r"train a smaller student on smaller images$"):
        fitting.check_fits(target, RESNET8)


def test_tflm_does_not_run_where_the_high_byte_comes_first():
    gr712rc = targets.find("gr712rc")
    small = fitting.TflmNeeds(constants_bytes=1, code_bytes=1, arena_bytes=1)
    assert small.on(gr712rc).ram_left > 0
    assert not small.on(gr712rc).fits
    assert IN_ROWS.on(gr712rc).fits
    with pytest.raises(UserError, match=r"GR712RC has a big-endian core \(leon3\), .*: use --engine rows, which needs"):
        fitting.check_fits(gr712rc, small, IN_ROWS)


@given(target=any_target, constants=sizes, code=sizes, arena=sizes)
def test_check_agrees_with_fits_and_is_one_line(target, constants, code, arena):
    needs = fitting.TflmNeeds(constants, code, arena)
    fit = needs.on(target)
    has_room = fit.flash_needed <= target.flash_bytes and fit.ram_needed <= target.ram_bytes
    assert fit.fits == (has_room and target.core != "leon3")
    if fit.fits:
        fitting.check_fits(target, needs)
    else:
        with pytest.raises(UserError) as caught:
            fitting.check_fits(target, needs)
        assert "\n" not in str(caught.value)


@given(constants=sizes, code=sizes, arena=sizes)
def test_suggestions_are_just_the_parts_that_fit_smallest_first(constants, code, arena):
    needs = fitting.TflmNeeds(constants, code, arena)
    suggested = fitting.suggest(needs)
    assert {t.name for t in suggested} == {row.target for row in fitting.table(needs, None) if row.fits}
    assert [t.ram_bytes for t in suggested] == sorted(t.ram_bytes for t in suggested)


@given(target=any_target, excess=sizes)
def test_the_smaller_input_would_fit(target, excess):
    arena = target.ram_bytes + excess
    fit = fitting.TflmNeeds(1, 1, arena).on(target)
    assert not fit.fits
    side = fitting._side_that_fits(fit) / 100
    assert fitting.TflmNeeds(1, 1, int(arena * side**2)).on(target).ram_left >= 0


def test_the_report_is_json_with_a_row_for_each_part():
    rows = json.loads(json.dumps([asdict(row) for row in fitting.table(RESNET8, IN_ROWS)]))
    assert [row["target"] for row in rows] == list(targets.TARGETS)
    fitting_parts = {row["target"] for row in rows if row["fits"]}
    assert {"samv71", "stm32h743", "stm32l4r5"} <= fitting_parts
    assert fitting_parts.isdisjoint({"samrh71", "va416xx", "va10820", "gr712rc", "stm32f411"})
    assert all(row["ram_left"] == row["ram_bytes"] - row["ram_needed"] for row in rows)
    assert not any(row["is_asked_for"] for row in rows)


def test_the_row_engine_works_in_its_context_and_the_cores_scratch_memory():
    on_m4, on_m0, on_m55 = (IN_ROWS.on(targets.TARGETS[name]) for name in ("va416xx", "va10820", "stm32n657"))
    assert on_m4.ram_needed == 23_388 + 2_560 + fitting.STACK_BYTES
    assert on_m0.ram_needed == 23_388 + fitting.STACK_BYTES
    assert on_m55.ram_needed == 23_388 + 1_152 + fitting.STACK_BYTES
    assert on_m4.fits
    assert on_m4.flash_needed == 106_432 + 1_000 + CORES["cortex-m4"].rows_code_bytes


def test_code_for_another_instruction_set_is_scaled():
    on = {name: RESNET8.on(targets.TARGETS[name]).flash_needed - 97_744 for name in ("samv71", "rp2040", "esp32p4")}
    assert on == {"samv71": 50_456, "rp2040": round(1.25 * 50_456), "esp32p4": round(1.1 * 50_456)}


def test_where_tflm_is_too_large_the_row_engine_is_suggested():
    part = targets.TARGETS["va416xx"]
    with pytest.raises(UserError, match=r"VA41620.* is too small: RAM is .* short .*: use --engine rows, which needs"):
        fitting.check_fits(part, RESNET8, IN_ROWS)
    with pytest.raises(UserError) as caught:
        fitting.check_fits(part, RESNET8)
    assert "--engine rows" not in str(caught.value)


def test_parts_for_the_row_engine_are_suggested_by_its_own_needs():
    with pytest.raises(UserError, match=r"va10820|use va416xx or stm32f411"):
        fitting.check_fits(targets.generic(1 << 10, 1 << 10, "cortex-m0"), IN_ROWS)


def test_the_table_shows_both_engines_or_says_that_one_does_not_take_it():
    by_name = {row.target: row for row in fitting.table(RESNET8, IN_ROWS)}
    assert not by_name["va416xx"].fits
    assert by_name["va416xx"].rows.fits
    assert {row.rows for row in fitting.table(RESNET8, None)} == {None}


def test_the_part_that_was_asked_for_is_marked():
    known = fitting.table(RESNET8, IN_ROWS, targets.find("va416xx"))
    assert [row.target for row in known if row.is_asked_for] == ["va416xx"]
    assert [row.target for row in known] == list(targets.TARGETS)
    own = fitting.table(RESNET8, IN_ROWS, targets.generic(1 << 20, 1 << 18, "cortex-m33"))
    assert [row.target for row in own] == ["generic", *targets.TARGETS]
    assert [row.is_asked_for for row in own] == [True] + [False] * len(targets.TARGETS)
