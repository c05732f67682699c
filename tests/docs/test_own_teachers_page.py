"""The page about teachers of one's own, executed on made-up images, with a stand-in for PyTorch and timm."""

import json
import os
import sys
import tomllib
from types import ModuleType, SimpleNamespace

import numpy as np
import prepared_process
import pytest
import tensorflow as tf
import tomli_w
from documented_commands import commands
from foreign_models import as_tflite, keras_3_copy
from markdown_text import ROOT, fences, text
from PIL import Image
from tests_support import by_color

from keras_satkd.models import stored_logits, teacher_settings
from keras_satkd.models.formats import files
from keras_satkd.models.teacher_settings import TeacherSettings
from keras_satkd.training.stored_teachers import CAN_FOLLOW

PAGE = ROOT / "docs" / "own_teachers.md"
LIST, DISTIL = commands(PAGE)
CLASSES = ("Fire", "Forest", "Water")
SIZE = 64


def block(language: str) -> str:
    [found] = [fence.text for fence in fences(text(PAGE)) if fence.language == language]
    return found


def test_every_format_and_setting_is_named():
    page = text(PAGE)
    table = page.partition("| file |")[2].partition("\n\n")[0]
    wanted = {*files.KERAS_SUFFIXES[:2], ".onnx", ".tflite", teacher_settings.SUFFIX, *stored_logits.READERS}
    assert {span for span in table.split("`") if span.startswith(".")} == wanted
    settings = page.partition("| setting |")[2].partition("\n\n")[0]
    assert [line.split("`")[1] for line in settings.splitlines()[2:]] == list(TeacherSettings.__dataclass_fields__)
    assert CAN_FOLLOW[0] in page


def test_the_settings_are_valid(tmp_path):
    (tmp_path / "my.toml").write_text(block("toml"))
    (tmp_path / tomllib.loads(block("toml"))["model"]).touch()
    settings, _ = teacher_settings.read(tmp_path / "my.toml")
    assert (settings.input_range, len(settings.class_names)) == ("imagenet", 3)


class Tensor:
    """The few methods of PyTorch's tensors that the page uses."""

    def __init__(self, values):
        self.values = values

    def permute(self, *axes):
        return Tensor(self.values.transpose(axes))

    def numpy(self):
        return self.values


def interpolate(tensor, size, mode):
    assert mode == "bilinear"
    images = tensor.values.transpose(0, 2, 3, 1)
    return Tensor(tf.image.resize(images, size, mode).numpy().transpose(0, 3, 1, 2))


@pytest.fixture
def _stand_ins(monkeypatch):
    """`torch` and `timm`, whose model names the brightest channel."""
    torch, timm = ModuleType("torch"), ModuleType("timm")

    class Brightest:
        def eval(self):
            return self

        def __call__(self, tensor):
            assert tensor.values.shape[1:] == (3, 224, 224)
            return Tensor(20 * tensor.values.mean(axis=(2, 3)))

    def create_model(name, num_classes, checkpoint_path):
        assert (name, num_classes) == ("vit_small_patch16_224", len(CLASSES))
        return Brightest()

    expected = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5), "input_size": (3, 224, 224)}
    torch.from_numpy, torch.inference_mode = Tensor, pytest.MonkeyPatch.context
    torch.nn = SimpleNamespace(functional=SimpleNamespace(interpolate=interpolate))
    timm.create_model = create_model
    timm.data = SimpleNamespace(resolve_model_data_config=lambda model: expected)
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "timm", timm)


def run(folder, command, *words):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(folder / "cache"), "COLUMNS": "200"}
    done = prepared_process.run([*command.words, *words], folder, environment)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def draw(folder):
    """Images of three classes, of which each is brightest in one channel."""
    random = np.random.default_rng(0)
    for channel, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for number in range(110):
            pixels = random.integers(0, 100, (SIZE, SIZE, 3), np.uint8)
            pixels[..., channel] += 100
            Image.fromarray(pixels).save(folder / name / f"{number}.png")


@pytest.mark.slow
@pytest.mark.usefixtures("_stand_ins")
def test_logits_of_another_program_teach(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draw(tmp_path / "my_images")
    assert "330 names, 3 classes" in run(tmp_path, LIST)
    exec(block("python"), {})
    with np.load("my_vit.npz") as arrays, np.load("images.npz") as given:
        assert arrays["logits"].shape == (330, 8, 3)
        assert tuple(arrays["class_names"]) == CLASSES
        assert (arrays["logits"][:, 5].argmax(axis=1) == given["labels"]).all()
    by_color(SIZE).save(tmp_path / "student.keras")
    quick = {
        "student": "student.keras",
        "distillation": {"epochs": 1, "batch_size": 32},
        "quantization": {"epochs": 0},
    }
    (tmp_path / "quick.toml").write_text(tomli_w.dumps(quick))
    said = run(tmp_path, DISTIL, "--config", "quick.toml", "--workdir", "run")
    assert "teacher my_vit" in said
    assert (tmp_path / "run" / "firmware" / "classifier.h").exists()
    assert (tmp_path / "run" / "report.html").exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation")
def test_models_in_place_of_their_logits(tmp_path):
    """Foreign networks go through a whole run too, to its report."""
    draw(tmp_path / "my_images")
    keras_3_copy(by_color()).save(tmp_path / "three.keras")
    as_tflite(by_color(), tmp_path / "lite.tflite")
    by_color(SIZE).save(tmp_path / "student.keras")
    quick = {
        "student": "student.keras",
        "teachers": {"names": ["three.keras", "lite.tflite"]},
        "distillation": {"epochs": 1, "batch_size": 32, "views": 1},
        "quantization": {"epochs": 0},
    }
    (tmp_path / "quick.toml").write_text(tomli_w.dumps(quick))
    command = SimpleNamespace(words=("python", "-m", "keras_satkd.distill"))
    said = run(tmp_path, command, "--data", "my_images", "--config", "quick.toml", "--workdir", "run")
    assert "teacher three: accuracy 100.0 %" in said
    cost = json.loads((tmp_path / "run" / "metrics.json").read_text())["test"]["cost"]
    assert cost["teacher three"]["macs"] is None
    assert cost["teacher lite"]["bytes"] == (tmp_path / "lite.tflite").stat().st_size
    assert (tmp_path / "run" / "report.html").exists()
