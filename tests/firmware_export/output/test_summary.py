import dataclasses

import exporting
import pytest

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


def test_the_table_names_folder_and_digest(report, tmp_path, capsys):
    summary.show(report, tmp_path)
    printed = capsys.readouterr().out
    assert printed.startswith(f"{tmp_path}: ")
    assert "flash, model" in printed
