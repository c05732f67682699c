"""The statements of SECURITY.md about files are true."""

import shutil
import zipfile
from pathlib import Path

import pytest
from hostile_models import LIVE, saved

from firmware_export import cli
from keras_satkd import distill, evaluate

ROOT = Path(__file__).parents[1]


@pytest.fixture
def hostile(tmp_path):
    """A model whose Lambda layer leaves a file when it runs, and the path of that file."""
    return saved(LIVE["top level"], tmp_path / "hostile.h5", tmp_path / "trace"), tmp_path / "trace"


@pytest.fixture
def image_paths(image_folder):
    return image_folder({f"{kind}/{number}.png": 20 * number for kind in "ab" for number in range(10)})


def refused(call, main, program, *words):
    code, _, error = call(main, program, *words)
    assert code == 2
    assert "Traceback" not in error
    said = error.strip().splitlines()[-1]
    assert said.startswith("error: ")
    assert "layer 'spy': it is a Lambda" in said
    return said


def test_every_command_refuses_a_model_with_code(hostile, image_paths, call_in_process, tmp_path):
    model, trace = hostile
    out = tmp_path / "out"
    refused(call_in_process, cli.work, "firmware_export", model, "--out", out)
    shutil.copy(ROOT / "keras_satkd/pretrained/resnet8_eurosat_int8.tflite", tmp_path / "fine.tflite")
    refused(call_in_process, cli.work, "firmware_export", tmp_path / "fine.tflite", "--keras", model, "--out", out)
    refused(call_in_process, evaluate.main, "evaluate", model, "--data", image_paths)
    named = ("distill", "--data", image_paths, "--workdir", out, "--teachers.names", model)
    refused(call_in_process, distill.main, *named)
    learned = ("--distillation.initial-weights", model, "--distillation.weighting.rule", "none")
    refused(call_in_process, distill.main, "distill", "--config", "demo", "--workdir", out, *learned)
    assert not trace.exists()
    assert not out.exists()


def test_an_author_can_be_trusted(hostile, image_paths, call_in_process, tmp_path):
    model, trace = hostile
    code, _, error = call_in_process(
        evaluate.main, "evaluate", model, "--data", image_paths, "--trust-model", "--json", "--split", "all"
    )
    assert (code, trace.exists()) == (2, True), error
    assert "classes" in error
    trace.unlink()
    named = ("--workdir", tmp_path / "run", "--teachers.names", model, "--trust-model")
    _, _, error = call_in_process(distill.main, "distill", "--data", image_paths, *named)
    assert "has 3 classes, the data has 2" in error
    assert trace.exists()


def test_shipped_models_have_no_lambda_layer():
    models = sorted((ROOT / "keras_satkd" / "pretrained").glob("*.keras"))
    assert models
    for model in models:
        with zipfile.ZipFile(model) as archive:
            assert b'"class_name": "Conv2D"' in archive.read("config.json")
            assert b"Lambda" not in archive.read("config.json")
