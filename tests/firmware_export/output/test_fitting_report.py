import dataclasses

import exporting
import pytest

from firmware_export.output import fitting_report
from firmware_export.output.report import AbstentionReport, DriftReport
from firmware_export.tflite import interpreters


@pytest.fixture(scope="module")
def report(qat_model, qat_keras, photos, tmp_path_factory):
    labels = interpreters.predict_int8(qat_model, photos).argmax(axis=1)
    labels[::40] = (labels[::40] + 1) % 10
    return exporting.export(
        qat_model,
        tmp_path_factory.mktemp("reported"),
        images=photos,
        validation=(photos, labels),
        error_rate=0.1,
        class_names=[f"class {n}" for n in range(10)],
        command="python -m firmware_export student.tflite --out firmware",
        keras_model=qat_keras,
    )


def tables(text):
    """Rows of cells of all Markdown tables, by the heading above."""
    found, heading = {}, ""
    for line in text.splitlines():
        if line.startswith("#"):
            heading = line
        if line.startswith("|") and not set(line) <= set("|-: "):
            found.setdefault(heading, []).append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def test_every_figure_is_the_reports_own(report):
    text = fitting_report.render(report)
    rows = tables(text)
    work = rows["## 3. Work"][1:]
    assert [row[0] for row in work] == [layer.operator for layer in report.layers]
    assert sum(int(row[2].replace(",", "")) for row in work) == report.macs
    parts = rows["## 4. Memory"][1:]
    assert [(row[0], row[-1] == "yes") for row in parts] == [(part.part, part.fits) for part in report.targets]
    assert [row[3].endswith(" external") for row in parts] == [part.has_external_flash for part in report.targets]
    in_rows = rows["### In the row engine"][1:]
    assert [row[-1] == "yes" for row in in_rows] == [part.rows.fits for part in report.targets]
    for fact in (report.sha256, report.crc32, report.command, report.golden_vectors.sha256):
        assert f"`{fact}`" in text
    assert report.unsure.reason in text
    assert report.arena_margin_rule in text


def test_the_part_that_was_asked_for_is_marked(report):
    assert "asked for" not in fitting_report.render(report).lower()
    marked = dataclasses.replace(report.targets[2], is_asked_for=True, part="a|b", source="DS_1", note="n")
    others = [part for part in report.targets if part.target != marked.target]
    text = fitting_report.render(dataclasses.replace(report, targets=(marked, *others)))
    assert "\nAsked for: **a\\|b**. Its figures: DS_1 (n).\n" in text
    assert text.count("| **a\\|b** (asked for) | ") == 2


def test_tables_are_whole(report):
    for rows in tables(fitting_report.render(report)).values():
        assert len({len(row) for row in rows}) == 1


def test_curve_is_short_and_holds_both_ends_and_the_chosen_margin(report):
    rows = tables(fitting_report.render(report))["## 6. Abstention"][1:]
    margins = [int(row[0].split()[0]) for row in rows]
    assert margins == sorted(margins)
    assert 3 <= len(rows) <= 13
    curve = report.unsure.curve
    assert (margins[0], margins[-1]) == (curve[0].margin, curve[-1].margin)
    if report.unsure.least_margin:
        assert f"{report.unsure.least_margin} (chosen)" in [row[0] for row in rows]


def test_the_monitor_is_explained(report):
    text = fitting_report.render(report)
    rows = tables(text)["## 7. Drift"][1:]
    bounds = zip(report.drift.statistics, report.drift.lower, report.drift.upper, strict=True)
    assert rows == [[str(bit), name, str(low), str(high)] for bit, (name, low, high) in enumerate(bounds)]
    assert report.drift.reason in text
    assert "`student_model_monitor.h`" in text
    assert "student_model_monitor_result(&monitor, outputs) == STUDENT_MODEL_MONITOR_OUT_OF_RANGE" in text


def test_what_was_not_done_is_said(report):
    bare = dataclasses.replace(
        report,
        keras_parity=None,
        compiled_with=None,
        images_are_real=False,
        class_names=(),
        unsure=AbstentionReport(0, "None given."),
        drift=DriftReport("There is none."),
    )
    text = fitting_report.render(bare)
    for said in (
        "not done: no quantization-aware model was given",
        "no C++ compiler was found",
        "256 GENERATED images",
        "No class names",
    ):
        assert said in text
    assert "Clopper" not in text
    assert text.endswith("## 7. Drift\n\nThere is none.\n")


def test_a_plan_of_ours_is_told(report):
    planned = dataclasses.replace(report, given_arena_bytes=report.arena_bytes + 4096, given_sha256="0" * 64)
    text = fitting_report.render(planned)
    assert f"it needs {report.arena_bytes + 4096:,} bytes" in text
    assert "0" * 64 in text
    assert "added a memory plan" not in fitting_report.render(report)


def test_differences_are_counted(report):
    parity = tuple(dataclasses.replace(tensor, differing=0) for tensor in report.kernel_parity)
    assert "values: identical" in fitting_report.render(dataclasses.replace(report, kernel_parity=parity))
    parity = (dataclasses.replace(parity[0], differing=3), *parity[1:])
    text = fitting_report.render(dataclasses.replace(report, kernel_parity=parity))
    assert "3 differ, all by the one step allowed there" in text


@pytest.fixture(scope="module")
def in_rows(qat_model, photos, tmp_path_factory):
    """For the row engine, without and with TensorFlow Lite Micro."""

    def make(engine):
        folder = tmp_path_factory.mktemp(engine)
        return exporting.export(
            qat_model, folder, images=photos, command="make test", engine=engine, engine_prefix="cloud"
        )

    return {engine: make(engine) for engine in ("rows", "both")}


@pytest.mark.parametrize("engine", ["rows", "both"])
def test_the_row_engines_part_is_told(in_rows, engine):
    report = in_rows[engine]
    text = fitting_report.render(report)
    found = tables(text)
    rings = found["### In the row engine"][1 : 1 + len(report.rows.rings)]
    assert [(int(held), int(of)) for _, held, of, _ in rings] == [
        (ring.rows, ring.of_rows) for ring in report.rows.rings
    ]
    assert sum(int(row[-1].replace(",", "")) for row in rings) < report.rows.context_bytes
    verified = {row[0]: row[-1] for row in found["## 5. Verification"]}
    assert verified["the row engine's C: every output compared with TensorFlow Lite Micro"] == "identical"
    assert f"0x{report.rows.constants_crc32:08x}" in text
    assert "`cloud_self_test()`" in text
    not_run = dataclasses.replace(report, rows=dataclasses.replace(report.rows, compiled_with=None))
    assert "not done: no C compiler was found" in fitting_report.render(not_run)


def test_a_folder_for_the_row_engine_alone_speaks_of_no_array(in_rows):
    alone, both = (fitting_report.render(in_rows[engine]) for engine in ("rows", "both"))
    for said in ("the array", "Classifier::SelfTest", "no C++ compiler", "g_student_model_data", "found necessary"):
        assert said not in alone
    assert alone.startswith("# Fitting report: cloud_model\n")
    for said in ("the array", "Classifier::SelfTest", "found necessary"):
        assert said in both
