"""The weights in the package: whole, and as good as their descriptions say."""

import hashlib
import json
from pathlib import Path

import eurosat_archive
import pytest

from keras_satkd.evaluation import classifier, scoring
from keras_satkd.models import pretrained

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
