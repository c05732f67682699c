import csv

import numpy as np
import pytest
from PIL import Image

from firmware_export.tflite.convert import float_to_int8
from keras_satkd import select
from keras_satkd.models import students


@pytest.fixture
def source(tmp_path):
    random = np.random.default_rng(0)
    for number in range(6):
        path = tmp_path / "new" / f"day {number % 2}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (16, 16, 3), np.uint8)).save(path)
    return tmp_path / "new"


@pytest.fixture
def model(tmp_path):
    student = students.build("resnet8", 16, 3)
    images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), np.uint8)
    (tmp_path / "student_int8.tflite").write_bytes(float_to_int8(student, images))
    return tmp_path / "student_int8.tflite"


def test_the_list_of_an_int8_model(model, source, call_in_process, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    out = tmp_path / "list.csv"
    code, said, error = call_in_process(
        select.main, "select", model, "--data", source, "--count", 4, "--out", out, "-q"
    )
    assert code == 0, error
    assert said == f"{out}: 4 of 6 images, least sure first\n"
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["rank"] for row in rows] == ["1", "2", "3", "4"]
    assert all((source / row["file"]).exists() for row in rows)
    assert {row["class"] for row in rows} <= {"0", "1", "2"}


def test_one_folder_is_enough(model, source, call_in_process, tmp_path):
    words = ("--data", source, source, "--out", tmp_path / "list.csv")
    code, _, error = call_in_process(select.main, "select", model, *words)
    assert code == 2
    assert "give one folder or zip" in error


@pytest.mark.parametrize("count", [0, -5])
def test_a_count_below_1_is_refused(model, source, call_in_process, tmp_path, count):
    out = tmp_path / "list.csv"
    code, _, error = call_in_process(
        select.main, "select", model, "--data", source, "--out", out, "--count", str(count)
    )
    assert (code, out.exists()) == (2, False)
    assert f"--count {count}: give 1 or more" in error
