"""Exports for the row engine, alone and beside TensorFlow Lite Micro."""

import exporting
import numpy as np
import public_models
import pytest

from firmware_export.board import targets
from firmware_export.common.dense_scale import DenseScale
from firmware_export.common.errors import UserError
from firmware_export.rows.engine import files as engine_files


def test_a_part_for_the_row_engine_alone_is_told_and_taken(qat_model, qat_graph, tmp_path):
    part = targets.generic(flash_bytes=1 << 16, ram_bytes=10 << 10, core="cortex-m4")
    with pytest.raises(UserError, match=r"RAM is .* short .* use --engine rows"):
        exporting.export(qat_model, tmp_path / "firmware", target=part)
    report = exporting.export(qat_model, tmp_path / "firmware", target=part, engine="rows")
    assert report.rows.context_bytes < 10 << 10
    assert "The same model with `--engine rows`" in (tmp_path / "firmware" / "fitting_report.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["rows", "both"])
def test_row_engine(qat_model, qat_graph, photos, tmp_path, engine):
    report = exporting.export(qat_model, tmp_path, images=photos, engine=engine)
    rows = {"satkd_model.c", "satkd_model.h", "satkd_golden.c", "satkd_golden.h"}
    assert rows < set(report.files)
    assert ("classifier.cc" in report.files) == (engine == "both")
    assert report.rows.context_bytes < report.arena_bytes
    assert report.rows.compiled_with
    assert (report.compiled_with is None) == (engine == "rows")
    for name in rows:
        assert report.sha256 in (tmp_path / name).read_text()
    header = (tmp_path / "satkd_model.h").read_text()
    largest = report.rows.context_bytes + max(report.rows.scratch_bytes.values())
    assert f"#define SATKD_CONTEXT_BYTES {largest} " in header
    for name, text in engine_files().items():
        assert (tmp_path / name).read_text() == text


@pytest.mark.parametrize("engine", ["rows", "both"])
def test_the_monitor_has_the_engines_prefix(one_convolution, tmp_path, engine):
    images = np.random.default_rng(8).integers(0, 256, (256, 4, 4, 3), np.uint8)
    validation = (images, np.zeros(256, int))
    report = exporting.export(
        one_convolution, tmp_path, validation=validation, engine=engine, engine_prefix="cloud", formats=("arduino",)
    )
    assert report.drift.file == "cloud_monitor.h"
    assert [name for name in report.files if "monitor" in name] == ["cloud_monitor.h"]
    assert (
        (tmp_path / "library.properties")
        .read_text()
        .rstrip()
        .endswith(",cloud_monitor.h" if engine == "both" else "cloud_model.h,cloud_monitor.h")
    )


def _files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_files_of_an_earlier_export_do_not_stay(one_convolution, tmp_path):
    """A folder is of one model and of the engines last asked for; what its user put there stays."""
    (tmp_path / "mine.txt").write_text("mine")
    first = exporting.export(one_convolution, tmp_path, engine="both", formats=("zephyr",))
    assert _files(tmp_path) == {*first.files, "mine.txt"}
    second = exporting.export(one_convolution, tmp_path, engine="rows", engine_prefix="cloud")
    assert _files(tmp_path) == {*second.files, "mine.txt"}
    assert not (tmp_path / "zephyr").exists()


def test_both_engines_share_checksum_repair_and_golden_vectors(one_convolution, tmp_path):
    exporting.export(one_convolution, tmp_path, engine="both")
    texts = {path.name: path.read_text() for path in tmp_path.glob("*.[ch]*")}
    assert [name for name, text in texts.items() if "0x1db71064" in text] == ["satkd_engine_repair.c"]
    assert "satkd_repair_by_majority(a, b, c" in texts["integrity.cc"]
    assert (
        "(&kGoldenOutputs)[kGoldenVectorCount][kGoldenOutputBytes] = satkd_golden_outputs;" in texts["golden_vectors.h"]
    )
    assert "kGoldenInputs" not in texts["golden_vectors.cc"]


@pytest.mark.slow
@pytest.mark.parametrize("dense_scale", DenseScale)
def test_dense_layers_of_either_version(tmp_path, dense_scale):
    """A public model whose outputs depend on TFLM's version, in both engines, with a golden vector that tells."""
    path = public_models.FOLDER / "mlperf_ad01_int8.tflite"
    if not path.exists():
        pytest.skip("the public models are not at ../shared/models")
    report = exporting.export(path.read_bytes(), tmp_path, engine="both", dense_scale=dense_scale)
    dense = report.dense_scale
    assert (dense.dense_scale, dense.can_differ, dense.has_golden_vector) == (dense_scale, True, True)
    assert len(dense.layers) == 9
    for name in ("fitting_report.md", "model_data.h"):
        assert dense_scale.versions in " ".join((tmp_path / name).read_text().replace("//", "").split()), name
