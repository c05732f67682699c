import hashlib
import json
import os
import zlib

import exporting
import numpy as np
import pytest
from int8_graphs import several_ends
from model_surgery import with_ends

from firmware_export.board import targets
from firmware_export.common import defaults
from firmware_export.common.errors import UserError
from firmware_export.drift import monitor
from firmware_export.memory.arena import least_bytes
from firmware_export.output import fitting_report
from firmware_export.tflite import interpreters, reader
from firmware_export.tflm import classifier, integrity, read_back
from firmware_export.verify import abstention, golden_vectors, kernel_parity

FILES = {"model_data.cc", "model_data.h", "model_ops.h", "model.tflite", "export.json", *integrity.FILES}
FILES |= {*classifier.FILES, classifier.header(defaults.SYMBOL), fitting_report.FILE}


def _content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def exported(qat_model, qat_keras, photos, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "new" / "firmware"
    names = [f"class {n}" for n in range(10)]
    report = exporting.export(
        qat_model,
        folder,
        images=photos,
        class_names=names,
        keras_model=qat_keras,
        expect_unit_input=True,
    )
    return folder, report


def test_writes_its_files_and_nothing_else(exported, qat_model):
    folder, report = exported
    assert set(_content(folder)) == FILES == set(report.files)
    assert (folder / "model.tflite").read_bytes() == qat_model.content
    assert os.listdir(folder.parent) == ["firmware"]


def test_report_is_what_export_json_says(exported, qat_model, qat_graph):
    folder, report = exported
    said = json.loads((folder / "export.json").read_text())
    assert len(said.pop("report_sha256")) == 64
    assert said == json.loads(json.dumps(report.as_dict()))
    assert said["sha256"] == hashlib.sha256(qat_model.content).hexdigest()
    assert int(said["crc32"], 16) == zlib.crc32(qat_model.content)
    assert said["flash_bytes"] == qat_model.size
    assert said["arena_bytes"] == least_bytes(qat_model)
    assert (said["macs"], said["parameters"]) == (qat_graph.macs, qat_graph.parameters)
    assert (said["verified_images"], said["images_are_real"], said["has_unit_input"]) == (256, True, True)
    assert said["keras_parity"]["largest_difference"] <= 1
    assert len(said["kernel_parity"]) == len(said["layers"]) == 10
    assert said["given_sha256"] == said["sha256"]
    assert sum(layer["macs"] for layer in said["layers"]) == said["macs"]
    assert sum(layer["parameters"] for layer in said["layers"]) == said["parameters"]
    assert said["unsure"] == {"least_margin": 0, "reason": abstention.NO_ABSTENTION.reason}
    assert said["drift"] == {"reason": monitor.NO_MONITOR.reason}
    assert said["golden_vectors"]["count"] == golden_vectors.GOLDEN_VECTORS


def test_no_file_holds_a_machine_path(exported):
    folder, _ = exported
    for name, content in _content(folder).items():
        assert str(folder.parent).encode() not in content, name


def test_again_is_byte_identical_and_leaves_other_files(exported, qat_model, qat_keras, photos):
    folder, _ = exported
    before = _content(folder)
    (folder / "main.cc").write_text("int main() {}")
    names = [f"class {n}" for n in range(10)]
    exporting.export(qat_model, folder, images=photos, class_names=names, keras_model=qat_keras)
    after = _content(folder)
    assert after.pop("main.cc") == b"int main() {}"
    (folder / "main.cc").unlink()
    assert after == before


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"class_names": ["a", "b"]}, "2 class names for 10 outputs"),
        ({"symbol": "1x"}, "not a C identifier"),
        ({"images": np.zeros((256, 16, 16, 3), np.float32)}, "float32"),
        ({"images": np.zeros((256, 8, 8, 3), np.uint8)}, "expected"),
        ({"images": np.zeros((255, 16, 16, 3), np.uint8)}, "255 images, at least 256 needed"),
    ],
)
def test_wrong_arguments_write_nothing(qat_model, tmp_path, changes, words):
    with pytest.raises(UserError, match=words):
        exporting.export(qat_model, tmp_path / "out", **changes)
    assert os.listdir(tmp_path) == []


def test_a_better_memory_plan_is_shipped_and_said(skipping_model, photos, tmp_path):
    report = exporting.export(skipping_model, tmp_path, images=photos)
    shipped = (tmp_path / "model.tflite").read_bytes()
    assert report.arena_bytes == least_bytes(reader.read(shipped)) < report.given_arena_bytes
    assert report.sha256 == hashlib.sha256(shipped).hexdigest()
    assert report.given_sha256 == hashlib.sha256(skipping_model.content).hexdigest() != report.sha256
    header = " ".join((tmp_path / "model_data.h").read_text().replace("//", "").split())
    assert f"The original model (SHA-256 {report.given_sha256}) needs {report.given_arena_bytes} bytes" in header
    codes = interpreters.quantize_input(photos, skipping_model.graph)[:32]
    assert np.array_equal(interpreters.run(reader.read(shipped), codes), interpreters.run(skipping_model, codes))


def test_margin_is_chosen_on_labelled_images(qat_model, photos, tmp_path):
    answers = interpreters.predict_int8(qat_model, photos)
    labels = answers.argmax(axis=1)
    tops = abstention.top_margins(answers)
    hardest = np.argsort(tops)[:10]
    labels[hardest] = (labels[hardest] + 1) % 10  # wrong where the model is least sure
    report = exporting.export(qat_model, tmp_path, images=photos, validation=(photos, labels), error_rate=0.05)
    assert report.unsure.least_margin > 0
    assert report.unsure.accuracy == pytest.approx(1 - 10 / 256)
    assert report.unsure.curve[0].coverage == 1.0
    assert report.unsure.curve[0].risk == pytest.approx(10 / 256)
    header = (tmp_path / "classifier.h").read_text()
    assert f"kLeastMargin = {report.unsure.least_margin};" in header
    assert "was chosen on 256 validation images" in " ".join(header.replace("//", "").split())


def test_the_monitor_is_written_for_labelled_images(qat_model, photos, tmp_path):
    validation = (photos, np.zeros(len(photos), int))
    report = exporting.export(qat_model, tmp_path, validation=validation, false_alarm_rate=0.05, drift_window=20)
    assert report.drift.file == "student_model_monitor.h"
    assert report.drift.file in report.files
    text = (tmp_path / report.drift.file).read_text()
    assert "#define STUDENT_MODEL_MONITOR_WINDOW 20 " in text
    upper = ", ".join(map(str, report.drift.upper))
    assert f"student_model_monitor_upper[STUDENT_MODEL_MONITOR_STATISTICS] = {{{upper}}};" in text
    assert "#define STUDENT_MODEL_MONITOR_ROWS 16\n" in text


def test_a_file_in_the_way_is_refused(qat_model, tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(UserError, match="is a file, a folder expected"):
        exporting.export(qat_model, tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


def test_disagreeing_kernels_leave_what_was_there(monkeypatch, qat_model, tmp_path):
    (tmp_path / "model_data.cc").write_text("older")

    def disagree(*_):
        raise UserError("operator 3 differs")

    monkeypatch.setattr(kernel_parity, "check_kernels", disagree)
    with pytest.raises(UserError, match="operator 3"):
        exporting.export(qat_model, tmp_path)
    assert _content(tmp_path) == {"model_data.cc": b"older"}


def test_text_that_does_not_compile_leaves_what_was_there(monkeypatch, qat_model, tmp_path):
    (tmp_path / "model_data.cc").write_text("older")
    monkeypatch.setattr(read_back, "FLAGS", (*read_back.FLAGS, "-Dextern=broken"))
    if read_back.find_compiler() is None:
        pytest.skip("no C++ compiler on PATH")
    with pytest.raises(UserError, match="failed on the generated files"):
        exporting.export(qat_model, tmp_path)
    assert _content(tmp_path) == {"model_data.cc": b"older"}


def _with_input_scale(model, edit_model, scale):
    def edit(content):
        subgraph = content.subgraphs[0]
        subgraph.tensors[subgraph.inputs[0]].quantization.scale = np.array([scale], np.float32)

    return edit_model(model, edit)


def test_another_input_scale_is_warned_of_or_refused(qat_model, edit_model, tmp_path):
    model = _with_input_scale(qat_model, edit_model, 0.02)
    with pytest.raises(UserError, match="1/255 and -128 expected"):
        exporting.export(model, tmp_path / "out", expect_unit_input=True)
    report = exporting.export(model, tmp_path / "out")
    assert not report.has_unit_input
    assert "Firmware must quantize it itself" in (tmp_path / "out" / "model_data.h").read_text()


def test_pixels_of_another_range_are_flipped_too(qat_model, edit_model, tmp_path):
    report = exporting.export(_with_input_scale(qat_model, edit_model, 1.0), tmp_path / "out", expect_unit_input=True)
    assert (report.has_unit_input, report.input_range) == (True, "0..255")
    header = (tmp_path / "out" / "model_data.h").read_text()
    assert "pixels in 0..255 with scale 1 and zero point -128: feed" in header
    assert "Classify(const uint8_t* pixels)" in (tmp_path / "out" / "classifier.h").read_text()


def test_a_wrong_range_stops_the_export(qat_model, photos, tmp_path):
    with pytest.raises(UserError, match="pixel values become only 2 input codes"):
        exporting.export(qat_model, tmp_path / "out", images=photos, input_range="0..255")
    assert not (tmp_path / "out").exists()


def test_accuracy_by_chance_stops_the_export_of_the_command_line(qat_model, photos, tmp_path):
    labels = np.random.default_rng(0).integers(0, 10, len(photos))
    with pytest.raises(UserError, match="labelled images correctly"):
        exporting.export(qat_model, tmp_path / "out", images=photos, labels=labels, refuses_chance=True)
    with pytest.raises(UserError, match="labelled images correctly"):
        exporting.export(qat_model, tmp_path / "out", validation=(photos, labels), refuses_chance=True)


def test_changes_of_the_model_are_listed(one_convolution, tmp_path):
    given = with_ends(one_convolution, "float32")
    report = exporting.export(given, tmp_path / "out")
    assert report.given_sha256 == hashlib.sha256(given).hexdigest() != report.sha256
    assert len(report.changes) == 3
    text = (tmp_path / "out" / "model_data.h").read_text()
    assert "lost its QUANTIZE from float32" in " ".join(text.replace("//", "").split())
    assert report.changes[0] in (tmp_path / "out" / fitting_report.FILE).read_text()


def test_several_ends_have_no_classifier(tmp_path):
    report = exporting.export(several_ends(), tmp_path / "out")
    assert [end.shape for end in report.outputs] == [(1, 4, 4, 3)] * 2
    assert not [name for name in report.files if name.startswith("classifier")]
    header = (tmp_path / "out" / "model_data.h").read_text()
    assert "constexpr int kInput2Shape[] = {1, 4, 4, 3};" in header
    assert "constexpr float kOutput2Scale" in header
    assert "follow one another" in (tmp_path / "out" / "golden_vectors.h").read_text().replace("\n//", "")
    with pytest.raises(UserError, match="has 2 inputs, the row engine takes one"):
        exporting.export(several_ends(), tmp_path / "rows", engine="rows")


def test_parity_sentence_counts_what_was_allowed(exported):
    folder, report = exported
    text = " ".join((folder / "model_data.h").read_text().replace("//", "").split())
    assert "agree bit for bit in all 10 tensors" in text
    assert f"{report.keras_parity.differing} of 2560 outputs differ, 0 by more than one step" in text


def test_a_part_that_is_too_small_is_refused_with_one_that_is_not(qat_model, tmp_path):
    small = targets.generic(flash_bytes=1 << 14, ram_bytes=1 << 10, core="cortex-m0")
    with pytest.raises(UserError, match=r"flash is [\d,]+ bytes short .* and RAM is [\d,]+ bytes short .* use "):
        exporting.export(qat_model, tmp_path / "firmware", target=small)
    assert not (tmp_path / "firmware").exists()


def test_metadata_of_build_systems_lie_beside_and_below(qat_model, tmp_path):
    (tmp_path / "zephyr").mkdir()
    (tmp_path / "zephyr" / "mine.c").write_text("int mine;")
    for _ in range(2):  # the second time over its own files
        report = exporting.export(qat_model, tmp_path, formats=("zephyr", "cmake"))
    assert {"CMakeLists.txt", "zephyr/module.yml", "zephyr/Kconfig", "zephyr/CMakeLists.txt"} < set(report.files)
    assert "classifier.cc" in (tmp_path / "CMakeLists.txt").read_text()
    assert (tmp_path / "zephyr" / "mine.c").read_text() == "int mine;"
    assert all((tmp_path / name).is_file() for name in report.files)
    assert {part.target for part in report.targets} >= {"samv71", "va416xx"}


def test_files_of_others_are_kept_unless_forced(qat_model, tmp_path):
    (tmp_path / "CMakeLists.txt").write_text("# mine")
    with pytest.raises(UserError, match=r"did not write \(CMakeLists\.txt\): .*--force"):
        exporting.export(qat_model, tmp_path, formats=("cmake",))
    assert [path.name for path in tmp_path.iterdir()] == ["CMakeLists.txt"]
    exporting.export(qat_model, tmp_path, formats=("cmake",), force=True)
    assert "add_library(student_model" in (tmp_path / "CMakeLists.txt").read_text()
