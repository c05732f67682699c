"""The page about extensions: its module, named on a command line and given to a `Distiller` as objects."""

import importlib
import json
import os
import sys
import tomllib

import numpy as np
import prepared_process
import pytest
import tomli_w
from documented_commands import commands
from markdown_text import ROOT, fences, text
from PIL import Image
from tests_support import tiny_network

from firmware_export.common import digests
from keras_satkd import registry
from keras_satkd.config_io import from_dict, own_extensions
from keras_satkd.data import synthetic
from keras_satkd.models.teachers import Teacher

PAGE = ROOT / "docs" / "extending.md"
[DISTIL] = commands(PAGE)
MODULE, SNIPPET = (fence.text for fence in fences(text(PAGE)) if fence.language == "python")
NAMES = {
    "distillation.loss.name": "my_method:squares",
    "distillation.weighting.rule": "my_method:surest",
    "distillation.teacher_schedule": "my_method:alternating",
    "distillation.augmentation": "my_method:mirrored",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "my_method.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield tmp_path
    sys.modules.pop("my_method", None)


def test_every_kind_and_group_is_on_the_page():
    page = text(PAGE)
    for setting, of_setting in registry.SETTINGS.items():
        option = "--loss" if setting == "distillation.loss.name" else f"--{setting}".replace("_", "-")
        assert f"`{option}`" in page or setting == "teachers.augmentation"
        assert of_setting.group in page


def test_settings_are_recorded_with_the_digest(folder):
    settings = {
        "loss": {"name": NAMES["distillation.loss.name"]},
        "weighting": {"rule": NAMES["distillation.weighting.rule"]},
        "teacher_schedule": NAMES["distillation.teacher_schedule"],
        "augmentation": NAMES["distillation.augmentation"],
    }
    found = own_extensions(from_dict({"distillation": settings}, "test"))
    digest = digests.of(folder / "my_method.py")[: registry.DIGEST_LENGTH]
    assert found == {setting: f"{name}@{digest}" for setting, name in NAMES.items()}


@pytest.mark.usefixtures("folder")
def test_objects():
    size = 16
    scenes = synthetic.scenes(24, seed=0, image_size=size)
    classes = len(scenes.class_names)
    teachers = [Teacher(name, tiny_network(classes, size, seed), size, "0..1") for seed, name in enumerate("ab")]
    names = {"student": tiny_network(classes, size, 5), "teachers": teachers}
    exec(SNIPPET, names)
    distiller = names["distiller"]
    distiller.compile(optimizer="adam")
    history = distiller.fit(scenes.images, scenes.labels, batch_size=12, epochs=2, verbose=0).history
    assert np.isfinite(history["distillation_loss"]).all()
    assert history["weight_a"][1] == history["weight_b"][0] == 0


@pytest.mark.slow
def test_the_command(folder):
    """The documented command with quick settings, to its int8 model."""
    random = np.random.default_rng(0)
    for channel, name in enumerate(("Fire", "Forest", "Water")):
        (folder / "my_images" / name).mkdir(parents=True)
        for number in range(60):
            pixels = random.integers(0, 100, (16, 16, 3), np.uint8)
            pixels[..., channel] += 100
            Image.fromarray(pixels).save(folder / "my_images" / name / f"{number}.png")
    for seed in (1, 2):
        tiny_network(seed=seed).save(folder / f"teacher{seed}.keras")
    tiny_network(seed=3).save(folder / "student.keras")
    quick = {
        "student": "student.keras",
        "data": {"image_size": 16},
        "teachers": {"names": ["teacher1.keras", "teacher2.keras"], "accept_weak": True},
        "distillation": {"epochs": 2, "batch_size": 32, "views": 2},
        "quantization": {"epochs": 1, "batch_size": 32},
    }
    (folder / "quick.toml").write_text(tomli_w.dumps(quick))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(folder / "cache")}
    words = [*DISTIL.words, "--config", "quick.toml", "--workdir", "run"]
    words[2] = "keras_satkd.quantize"  # the same settings, without the export
    done = prepared_process.run(words, folder, environment)
    assert done.returncode == 0, done.stderr
    distillation = json.loads((folder / "run" / "config.json").read_text())["distillation"]
    assert distillation["loss"]["name"].startswith("my_method:squares@")
    assert (folder / "run" / "student_int8.tflite").exists()


def test_the_entry_point_is_toml():
    [block] = [fence.text for fence in fences(text(PAGE)) if fence.language == "toml"]
    assert tomllib.loads(block)["project"]["entry-points"]["keras_satkd.losses"] == {"squares": "my_method:squares"}
