import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_export.board import fitting, targets
from firmware_export.common.errors import UserError
from firmware_export.rows.compile import RowsReport

RESNET8 = {"model_bytes": 97_744, "code_bytes": 50_456, "arena_bytes": 203_136}
"""Measured: the student of this project at 64×64."""
ROWS = RowsReport(
    prefix="satkd",
    harden="control",
    context_bytes=23_388,
    scratch_bytes={"portable": 0, "dsp": 2_560, "mve": 1_152},
    constants_bytes=106_432,
    constants_crc32=0,
    steps=529,
    rings=(),
    engine_version=2,
    engine_sha256="",
)
"""Measured: the shipped ResNet8."""
IN_ROWS = {"rows": ROWS}
NOT_IN_ROWS = {"rows": None}

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
    fit = fitting.fit(targets.find("samv71"), **RESNET8)
    assert (fit.flash_needed, fit.flash_left) == (148_200, 2 * 1024 * 1024 - 148_200)
    assert (fit.ram_needed, fit.ram_left) == (203_136 + 6 * 1024, 384 * 1024 - 203_136 - 6 * 1024)
    assert fit.fits
    assert fitting.check_fits(fit) is None


def test_an_error_says_by_how_much_and_what_would_fit():
    with pytest.raises(UserError) as caught:
        fitting.check_fits(fitting.fit(targets.find("va416xx"), **RESNET8))
    assert str(caught.value) == (
        "VORAGO VA41620/VA41630 is too small: RAM is 143,744 bytes short (209,280 needed, 65,536 available): use "
        "samv71 or stm32h743 or stm32l4r5, or shrink the model's input to about 54 % of its height and width"
    )


def test_flash_alone_short():
    with pytest.raises(UserError) as caught:
        fitting.check_fits(fitting.fit(targets.find("samrh71"), **RESNET8))
    assert "flash is 17,128 bytes short (148,200 needed, 131,072 available): use " in str(caught.value)
    assert str(caught.value).endswith("or train a smaller student")


def test_both_short():
    with pytest.raises(
        UserError, match=r"flash is .* and RAM is .*: use .*, or train a smaller student on smaller images"
    ):
        fitting.check_fits(fitting.fit(targets.find("va10820"), **RESNET8))


def test_nothing_of_the_table_fits():
    fit = fitting.fit(targets.find("samv71"), model_bytes=1 << 23, code_bytes=0, arena_bytes=1)
    assert fitting.suggest(fit) == []
    with pytest.raises(UserError, match=r"available\): train a smaller student$"):
        fitting.check_fits(fit)


def test_no_input_is_small_enough_for_next_to_no_ram():
    target = targets.generic(1 << 20, fitting.STACK_BYTES, "cortex-m4")
    with pytest.raises(UserError, match=r"train a smaller student on smaller images$"):
        fitting.check_fits(fitting.fit(target, **RESNET8))


@given(target=any_target, model=sizes, code=sizes, arena=sizes)
def test_check_agrees_with_fits_and_is_one_line(target, model, code, arena):
    fit = fitting.fit(target, model_bytes=model, code_bytes=code, arena_bytes=arena)
    assert fit.fits == (fit.flash_needed <= target.flash_bytes and fit.ram_needed <= target.ram_bytes)
    if fit.fits:
        fitting.check_fits(fit)
    else:
        with pytest.raises(UserError) as caught:
            fitting.check_fits(fit)
        assert "\n" not in str(caught.value)


@given(target=any_target, model=sizes, code=sizes, arena=sizes)
def test_suggestions_are_just_the_parts_that_fit_smallest_first(target, model, code, arena):
    needs = {"model_bytes": model, "code_bytes": code, "arena_bytes": arena}
    suggested = fitting.suggest(fitting.fit(target, **needs))
    assert {t.name for t in suggested} == {row.target for row in fitting.table(**needs, **NOT_IN_ROWS) if row.fits}
    assert [t.ram_bytes for t in suggested] == sorted(t.ram_bytes for t in suggested)


@given(target=any_target, excess=sizes)
def test_the_smaller_input_would_fit(target, excess):
    arena = target.ram_bytes + excess
    fit = fitting.fit(target, model_bytes=1, code_bytes=1, arena_bytes=arena)
    assert not fit.fits
    side = fitting._side_that_fits(fit) / 100
    assert fitting.fit(target, model_bytes=1, code_bytes=1, arena_bytes=int(arena * side**2)).fits


def test_the_report_is_json_with_a_row_for_each_part():
    rows = json.loads(json.dumps([asdict(row) for row in fitting.table(**RESNET8, **IN_ROWS)]))
    assert [row["target"] for row in rows] == list(targets.TARGETS)
    assert [row["target"] for row in rows if row["fits"]] == ["samv71", "stm32h743", "stm32l4r5"]
    assert all(row["ram_left"] == row["ram_bytes"] - row["ram_needed"] for row in rows)


def test_the_row_engine_works_in_its_context_and_the_cores_scratch_memory():
    on_m4, on_m0 = (fitting.fit_rows(targets.TARGETS[name], **IN_ROWS) for name in ("va416xx", "va10820"))
    assert on_m4.ram_needed == 23_388 + 2_560 + fitting.STACK_BYTES
    assert on_m0.ram_needed == 23_388 + fitting.STACK_BYTES
    assert on_m4.fits
    # 118,028 bytes were measured for it on a Cortex-M4; the estimate may be a few hundred off.
    assert on_m4.flash_needed == pytest.approx(118_028, abs=500)


def test_where_tflm_is_too_large_the_row_engine_is_suggested():
    part = targets.TARGETS["va416xx"]
    in_tflm, in_rows = fitting.fit(part, **RESNET8), fitting.fit_rows(part, **IN_ROWS)
    with pytest.raises(UserError, match=r"VA41620.* is too small: RAM is .* short .*: use --engine rows, which needs"):
        fitting.check_fits(in_tflm, in_rows)
    with pytest.raises(UserError) as caught:
        fitting.check_fits(in_tflm)
    assert "--engine rows" not in str(caught.value)


def test_the_table_shows_both_engines_or_says_that_one_does_not_take_it():
    by_name = {row.target: row for row in fitting.table(**RESNET8, **IN_ROWS)}
    assert not by_name["va416xx"].fits
    assert by_name["va416xx"].rows.fits
    assert {row.rows for row in fitting.table(**RESNET8, **NOT_IN_ROWS)} == {None}
