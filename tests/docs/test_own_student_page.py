"""The page about students of one's own, executed on made-up images."""

import json
import os

import numpy as np
import prepared_process
import pytest
from documented_commands import commands
from markdown_text import ROOT, fences, text
from PIL import Image

from keras_satkd.models import attention, student_registry

PAGE = ROOT / "docs" / "own_student.md"
DISTIL, EXPORT = commands(PAGE)
MODULE, FROM_PYTHON = [fence.text for fence in fences(text(PAGE)) if fence.language == "python"]
SHORT = ("--distillation.weighting.rule", "none", "--distillation.epochs", "6", "--quantization.epochs", "1")
SMALL = ("--data.image-size", "16", "--distillation.batch-size", "32", "--quantization.calibration-images", "32")


def table(heading):
    return text(PAGE).partition(heading)[2].partition("\n\n")[0]


def test_every_student_and_block_is_named():
    assert all(f"`{name}`" in table("| `--student` |") for name in student_registry.OURS)
    blocks = {name for name in dir(attention) if getattr(attention, name).__class__.__name__ == "function"}
    assert {line.split("`")[1] for line in table("| block |").splitlines()[2:]} == {
        name for name in blocks if not name.startswith("_")
    }


@pytest.fixture
def folder(tmp_path):
    """A folder with the page's module and images of two classes."""
    (tmp_path / "my_students.py").write_text(MODULE)
    random = np.random.default_rng(0)
    for name, channel in (("Forest", 1), ("Water", 2)):
        (tmp_path / "my_images" / name).mkdir(parents=True)
        for i in range(170):
            pixels = random.integers(0, 120, (16, 16, 3), np.uint8)
            pixels[..., channel] += 120
            Image.fromarray(pixels).save(tmp_path / "my_images" / name / f"{i}.png")
    return tmp_path


def run(folder, *words):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(folder / "cache")}
    return prepared_process.run(words, folder, environment)


@pytest.mark.slow
def test_from_the_function_to_c(folder):
    done = run(folder, *DISTIL.words, *SHORT, *SMALL)
    assert done.returncode == 0, done.stderr
    assert "my_students_build" in done.stdout
    assert (folder / "runs/mine/firmware/export.json").exists()
    images = folder / "my_images"
    done = run(folder, *EXPORT.words, "--images", str(images))
    assert done.returncode == 0, done.stderr
    report = json.loads((folder / "runs/mine/rows/export.json").read_text())
    assert report["rows"]["compiled_with"]


def test_a_student_that_does_not_fit_stops_before_anything_is_written(folder):
    wrong = MODULE.replace("layers.Dense(classes,", "layers.Dense(classes + 1,")
    (folder / "my_students.py").write_text(wrong)
    done = run(folder, *DISTIL.words, *SHORT, *SMALL)
    assert done.returncode == 2
    [line] = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "output shape (None, 3), but the images have 2 classes" in line
    assert not (folder / "runs").exists()


def test_the_python_is_valid():
    compile(FROM_PYTHON, "page", "exec")
