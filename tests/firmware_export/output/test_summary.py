import dataclasses

import exporting
import pytest

from firmware_export.bounds.count import Count
from firmware_export.bounds.measure import Bounds, Instructions, not_measured
from firmware_export.output import summary


@pytest.fixture(scope="module")
def report(one_convolution, tmp_path_factory):
    return exporting.export(one_convolution, tmp_path_factory.mktemp("summary") / "firmware", engine="both")


def _rows(report, bounds):
    return dict(summary._rows(dataclasses.replace(report, bounds=bounds)))


def test_bounds_are_shown(report):
    instructions = {"push_row": Instructions(1, 2_000), "image": Instructions(1, 30_000)}
    bounds = Bounds("cortex-m4", stack_bytes={"run": 1_400, "finish": 40}, instructions=instructions)
    assert _rows(report, bounds)["bounds"] == (
        "1,400 bytes of stack, 2,000 instructions for the longest push, 30,000 for an image (emulated cortex-m4)"
    )


def test_missing_bounds_are_explained(report):
    assert _rows(report, not_measured("no tools"))["bounds"] == "not measured: no tools"
    assert "bounds" not in _rows(report, None)


def test_parts_are_listed_for_both_engines(report):
    rows = _rows(report, None)
    assert rows["fits, TFLM"].startswith("samv71, samrh71, va416xx")
    assert "gr712rc" not in rows["fits, TFLM"]
    assert "gr712rc" in rows["fits, row engine"]


def test_the_part_that_was_asked_for_is_marked_for_both_engines(report):
    targets = [dataclasses.replace(part, is_asked_for=part.target == "gr712rc") for part in report.targets]
    rows = _rows(dataclasses.replace(report, targets=tuple(targets)), None)
    assert rows["fits, TFLM"].startswith("gr712rc (asked for): NO; others: samv71, ")
    assert rows["fits, row engine"].startswith("gr712rc (asked for): yes; others: samv71, ")
    nothing = [dataclasses.replace(part, fits=False, rows=None) for part in report.targets]
    rows = _rows(dataclasses.replace(report, targets=tuple(nothing)), None)
    assert rows["fits, TFLM"] == "none of the parts known here"
    assert "fits, row engine" not in rows


def test_time_is_estimated_on_the_part_that_was_asked_for(report):
    counts = (Count("cortex-m4", "mps2-an386", None, 60_000_000, ()), Count("cortex-m55", "mps3-an547", "no tools"))
    counted = dataclasses.replace(report, counts=counts)
    assert _rows(counted, None)["instructions"] == "60,000,000 (cortex-m4) per image in the row engine"
    first = dataclasses.replace(report.targets[0], is_asked_for=True, rows_milliseconds=(140.0, 240.0))
    rows = _rows(dataclasses.replace(counted, targets=(first, *report.targets[1:])), None)
    assert rows["time, estimated"].startswith("140 to 240 ms per image in the row engine on samv71, ")
    assert "instructions" not in rows


def test_the_table_names_folder_and_digest(report, tmp_path, capsys):
    summary.show(report, tmp_path)
    printed = capsys.readouterr().out
    assert printed.startswith(f"{tmp_path}: ")
    assert "flash, model" in printed
