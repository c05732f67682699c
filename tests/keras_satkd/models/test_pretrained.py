"""The weights in the package: whole, and as good as their descriptions say."""

import hashlib
import json
import logging
from pathlib import Path

import eurosat_archive
import pytest

from firmware_export.common.errors import UserError
from keras_satkd.camera.suite import KINDS
from keras_satkd.evaluation import classifier, scoring
from keras_satkd.models import pretrained, provenance, students, teachers

DESCRIPTIONS = sorted(pretrained.FOLDER.rglob("*.json"))
LARGEST = 40e6
SLICE = 500


def identity(path: Path) -> str:
    return str(path.relative_to(pretrained.FOLDER))


def test_a_shipped_name_is_found_and_others_are_paths(tmp_path, monkeypatch):
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    (tmp_path / "teacher_eurosat").mkdir()
    assert pretrained.path("teacher_eurosat") == tmp_path / "teacher_eurosat"
    for name in ("", ".", "..", "other", "runs/teacher_eurosat"):
        assert pretrained.path(name) == Path(name)


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A folder of shipped models, and an empty folder where the user is."""
    folder, here = tmp_path / "pretrained", tmp_path / "here"
    for each in (folder, here):
        each.mkdir()
    (folder / "student_int8.tflite").write_bytes(b"shipped")
    monkeypatch.setattr(pretrained, "FOLDER", folder)
    monkeypatch.chdir(here)
    pretrained._log_hidden.cache_clear()
    return folder


def test_a_users_own_file_wins_and_one_line_says_so(shipped, caplog):
    Path("student_int8.tflite").write_bytes(b"own")
    with caplog.at_level(logging.INFO, "keras_satkd"):
        for _ in range(2):
            assert pretrained.path("student_int8.tflite").read_bytes() == b"own"
    assert [record.getMessage() for record in caplog.records] == [
        "using student_int8.tflite in the current folder; the shipped one is shipped:student_int8.tflite"
    ]


@pytest.mark.parametrize("is_hidden", [False, True], ids=["alone", "hidden by a file"])
def test_shipped_is_always_the_shipped_one(shipped, is_hidden, caplog):
    if is_hidden:
        Path("student_int8.tflite").write_bytes(b"own")
    with caplog.at_level(logging.INFO, "keras_satkd"):
        assert pretrained.path("shipped:student_int8.tflite").read_bytes() == b"shipped"
    assert not caplog.records


def test_what_is_not_shipped_is_an_error(shipped):
    for name in ("student_int9.tflite", "", "..", "../here"):
        with pytest.raises(UserError, match=f"unknown shipped model '{name}': .*choose from student_int8.tflite"):
            pretrained.path(f"shipped:{name}")


def test_only_models_are_suggested():
    with pytest.raises(UserError, match=r"did you mean 'resnet8_eurosat\.keras'\?") as caught:
        pretrained.path("shipped:resnet9")
    assert ".json" not in str(caught.value)


def test_every_caller_takes_the_users_own_file_or_the_shipped_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = "resnet8_eurosat.keras"
    Path(name).write_bytes(b"no model")
    teacher = Path(pretrained.EUROSAT_TEACHERS[0])
    teacher.mkdir()
    for load in (classifier.load, teachers.load, lambda path: students.build("resnet8", 64, 10, path)):
        with pytest.raises(UserError, match=name):
            load(name)
        load(f"shipped:{name}")
    with pytest.raises(UserError, match=r"no readable teacher\.json"):
        teachers.load(str(teacher))
    assert teachers.load(f"shipped:{teacher}").name == str(teacher)
    assert provenance.describe(name)["sha256"] == hashlib.sha256(b"no model").hexdigest()
    assert provenance.describe(f"shipped:{name}") == provenance.describe(str(pretrained.FOLDER / name))


def test_teachers_by_classes():
    assert pretrained.teacher_names(pretrained.EUROSAT_CLASSES) == pretrained.EUROSAT_TEACHERS
    assert pretrained.teacher_names(("cat", "dog")) == pretrained.UNTRAINED_TEACHERS


def test_all_files_together_are_small():
    assert sum(path.stat().st_size for path in pretrained.FOLDER.rglob("*") if path.is_file()) <= LARGEST


@pytest.mark.parametrize("description", DESCRIPTIONS, ids=identity)
def test_every_file_is_the_one_described(description):
    told = json.loads(description.read_text())
    content = (description.parent / told["file"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == told["sha256"]
    assert len(content) == told["bytes"]
    assert tuple(told["class_names"]) == pretrained.EUROSAT_CLASSES
    for fact in ("command", "seed", "split_sha256", "schedule", "hardware", "hours", "validation", "test"):
        assert fact in told


def test_no_file_without_description():
    described = {description.parent / json.loads(description.read_text())["file"] for description in DESCRIPTIONS}
    assert {path for path in pretrained.FOLDER.rglob("*") if path.is_file()} == described | set(DESCRIPTIONS)


@pytest.fixture(scope="module")
def test_images():
    divided = eurosat_archive.divided()
    return divided.test.take(range(SLICE)), divided.sha256


@pytest.mark.slow
@pytest.mark.parametrize("description", DESCRIPTIONS, ids=identity)
def test_a_slice_of_the_test_images_scores_as_told(description, test_images):
    images, split_sha256 = test_images
    told = json.loads(description.read_text())
    assert told["split_sha256"] == split_sha256
    model = description.parent if told["file"].startswith("teacher") else description.parent / told["file"]
    found = scoring.evaluate(classifier.load(str(model)), images.images, images.labels)
    assert found["accuracy"] == pytest.approx(told["test"]["accuracy"], abs=0.01)


FLOORS = {
    "resnet8_eurosat_int8": {"clean": 96, "snr": 95, "jpeg": 95, "psf": 94.5, "prnu": 94.5, "registration": 88},
    "resnet16_eurosat_int8": {"clean": 96.5, "snr": 95, "jpeg": 95.5, "psf": 94.5, "prnu": 95, "registration": 88},
}
"""Least accuracy in percent of each shipped int8 model on the slice, clean and under `SEVERITIES`."""

SEVERITIES = {"snr": 20, "jpeg": 90, "psf": 0.8, "prnu": 5, "registration": 1}
"""Severity of each kind of disturbance, in the unit of `suite.KINDS`."""


def test_every_shipped_int8_model_has_floors():
    assert {path.stem for path in pretrained.FOLDER.glob("*.tflite")} == set(FLOORS)
    assert all(set(floors) == {"clean", *SEVERITIES} for floors in FLOORS.values())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["clean", *SEVERITIES])
@pytest.mark.parametrize("name", FLOORS)
def test_int8_models_under_disturbances(name, kind, test_images):
    images, _ = test_images
    pixels = images.images if kind == "clean" else KINDS[kind].apply(images.images, SEVERITIES[kind])
    logits = classifier.load(f"{name}.tflite").logits(pixels)
    assert 100 * (logits.argmax(axis=1) == images.labels).mean() >= FLOORS[name][kind]
