import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import prepared_process
import pytest
from PIL import Image
from rasters import raster_folder
from tests_support import tiny_network

from firmware_export.common.command_line import read
from firmware_export.common.errors import UserError
from firmware_export.images.image_set import Bands
from firmware_export.images.scaling import Scaling
from firmware_export.tflite.convert import float_to_int8
from firmware_export.tflite.input_range import INPUT_RANGES
from keras_satkd import evaluate
from keras_satkd.evaluation.classifier import Classifier
from keras_satkd.settings.data_config import DataConfig
from keras_satkd.settings.setting_types import InputRange

COLORS = ("Blue", "Green", "Red")
SIZE = 16


@pytest.fixture
def pictures(tmp_path):
    """Makes an image folder of plain pictures, so many of each of `COLORS`."""

    def make(**counts: int) -> Path:
        folder = tmp_path / "pictures"
        for name, count in counts.items():
            (folder / name).mkdir(parents=True)
            for number in range(count):
                pixels = np.full((SIZE, SIZE, 3), 60 + number, np.uint8)
                pixels[..., 2 - COLORS.index(name)] = 200
                Image.fromarray(pixels).save(folder / name / f"{number}.png")
        return folder

    return make


@pytest.fixture
def model(tmp_path):
    """A Keras model that is always right about `pictures`, and knows its class names (red, green, blue)."""
    network = tiny_network()
    kernel = np.zeros((3, 3, 3, 4), np.float32)
    kernel[1, 1, range(3), range(3)] = 1
    network.get_layer("convolution").set_weights([kernel, np.zeros(4)])
    network.get_layer("logits").set_weights([8 * np.eye(4, 3), np.zeros(3)])
    network.save(tmp_path / "student.keras")
    (tmp_path / "student.json").write_text(json.dumps({"class_names": ["Red", "Green", "Blue"]}))
    return tmp_path / "student.keras"


def run(*arguments: object) -> subprocess.CompletedProcess:
    return prepared_process.run(["python", "-m", "keras_satkd.evaluate", *arguments])


def told(monkeypatch, capsys, *arguments: object) -> str:
    """What the command prints on stdout, called in this process."""
    monkeypatch.setattr(sys, "argv", ["evaluate", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        evaluate.main()
    captured = capsys.readouterr()
    assert stop.value.code == 0, captured.err
    return captured.out


def test_input_ranges_are_those_of_teachers():
    assert set(get_args(InputRange)) == set(INPUT_RANGES)


def test_splits_are_those_of_training_and_a_limit_samples_all_classes(pictures):
    arguments = evaluate.Arguments("model", DataConfig(source=str(pictures(Blue=20, Red=20)), seed=3))
    model = Classifier("model", 8, 2, None, np.asarray)
    parts = {
        part: evaluate._images(replace(arguments, split=part), model) for part in ("train", "validation", "test", "all")
    }
    assert {part: len(images) for part, images in parts.items()} == {
        "train": 28, "validation": 4, "test": 8, "all": 40
    }  # fmt: skip
    assert not set(parts["train"].files) & set(parts["test"].files)
    assert parts["test"].images.shape[1:] == (8, 8, 3)
    limited = evaluate._images(replace(arguments, limit=5), model)
    assert limited.files == parts["test"].files[:5]
    sample = evaluate._images(replace(arguments, split="all", limit=20), model)
    assert len(set(sample.files)) == 20
    assert set(sample.labels) == {0, 1}
    assert len(evaluate._images(replace(arguments, limit=1000), model)) == 8


def test_tables_fit_80_columns(model, pictures, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    out = told(monkeypatch, capsys, model, "--data", pictures(Blue=9, Red=9), "--corruptions")
    assert "student.keras on 4 images of pictures" in out
    for expected in ("macro", "weighted", "Blue", "Red", "100.00", "motion blur"):
        assert expected in out
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= 80


def test_labels_that_speak_for_another_order_of_colors(model, pictures, monkeypatch, capsys):
    options = ("--data", pictures(Blue=20, Green=20, Red=20), "--split", "all", "--json")
    assert "doubt" not in json.loads(told(monkeypatch, capsys, model, *options))
    found = json.loads(told(monkeypatch, capsys, model, *options, "--bands", "3", "2", "1"))
    assert found["accuracy"] == pytest.approx(1 / 3)
    assert found["doubt"].endswith("like those of its training, give --data.bands 1 2 3")


def test_camera_and_sensor_in_80_columns(model, pictures, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    out = told(monkeypatch, capsys, model, "--data", pictures(Blue=9, Red=9), "--camera", "--sensor", "poor")
    for expected in (
        "PSF sigma, pixels",
        "never in training",
        "behind the sensor poor",
        "all parts",
        "risk % at coverage",
        "sensor healthy",
    ):
        assert expected in out
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= 80


def test_a_guide_on_the_ground_in_80_columns(model, pictures, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    out = told(monkeypatch, capsys, model, "--data", pictures(Blue=9, Red=9), "--guide", model)
    assert "accuracy % by share sent" in out
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= 80


def test_a_guide_that_names_no_samples_sees_those_of_the_student(image_set, monkeypatch):
    from keras_satkd.evaluation import classifier

    bands = Bands(("1", "2", "3"), (2, 1, 0), 4)
    scaling = Scaling(bands, "uint16", (0,) * 3, (4095,) * 3, "given")
    student = Classifier("s", 8, 3, None, lambda x: x.mean(axis=(1, 2)), scaling=scaling)
    part = image_set(6)
    seen = []

    def loads(size, own):
        return lambda *_, **__: replace(student, name="guide", image_size=size, scaling=own)

    def images(arguments, each):
        seen.append((each.image_size, each.scaling))
        return part

    monkeypatch.setattr(evaluate, "_images", images)
    arguments = evaluate.Arguments(model="s", guide="guide")
    other = replace(scaling, high=(1023,) * 3)
    for size, own in ((8, None), (16, None), (8, other), (16, other)):
        monkeypatch.setattr(classifier, "load", loads(size, own))
        evaluate._guidance(arguments, student, part, part.labels)
    assert seen == [(16, scaling), (8, other), (16, other)]


def test_drift_in_80_columns(model, tmp_path, monkeypatch, capsys):
    from keras_satkd.evaluation import drift

    kinds = {name: drift.kinds_of(3)[name] for name in ("snr", "dead_band")}
    monkeypatch.setattr(drift.evaluate, "__defaults__", (kinds,))
    monkeypatch.setattr(drift, "WINDOWS", 200)
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "student.json").unlink()
    images = np.random.default_rng(0).integers(0, 256, (40, SIZE, SIZE, 3), np.uint8)
    network = tiny_network(classes=10)
    (tmp_path / "student.tflite").write_bytes(float_to_int8(network, images))
    words = ["--data", "synthetic", "--synthetic-images", "3000", "--image-size", SIZE, "--cache-dir", tmp_path]
    out = told(monkeypatch, capsys, tmp_path / "student.tflite", *words, "--drift", "--sensor", "healthy")
    for expected in ("windows with an", "false", "dead band", "SNR at the", "told by"):
        assert expected in out
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.slow
def test_a_subset_of_an_int8_models_classes_with_fewer_than_three_images(
    model, pictures, tmp_path, monkeypatch, capsys
):
    from firmware_export.tflite.convert import load_keras

    folder = pictures(Blue=2, Red=1)
    images = np.random.default_rng(0).integers(0, 256, (40, SIZE, SIZE, 3), np.uint8)
    (tmp_path / "student.tflite").write_bytes(float_to_int8(load_keras(model), images))
    out = told(monkeypatch, capsys, tmp_path / "student.tflite", "--data", folder, "--split", "all", "--json")
    result = json.loads(out)
    right = {"precision": 1.0, "recall": 1.0}
    assert result["per_class"] == {"Red": right | {"images": 1}, "Blue": right | {"images": 2}}


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--limit", "0"], "--limit is 0"),
        (["--test-fraction", "1.5"], r"test_fraction is 1.5"),
        (["--image-size", "0"], r"image_size is 0"),
        (["--sensor", "por"], "unknown sensor 'por': did you mean 'poor'"),
        (["--drift"], "--drift is for int8 models, 'absent.keras' is none"),
        (["--drift", "--drift-window", "0"], "drift window 0"),
        (["--drift", "--false-alarm-rate", "1"], "false alarm rate 1"),
    ],
)
def test_values_out_of_range(flags, said, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["evaluate", "absent.keras", "--data", "absent", *flags])
    with pytest.raises(SystemExit) as stop:
        evaluate.main()
    assert stop.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_json_is_alone_on_stdout(model, pictures):
    done = run(model, "--data", f"{pictures(Blue=5, Green=6, Red=7)}/", "--split", "all", "--corruptions", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["model"], result["data"], result["split"]) == ("student.keras", "pictures", "all")
    assert (result["images"], result["accuracy"], result["macro_f1"]) == (18, 1.0, 1.0)
    assert {name: found["images"] for name, found in result["per_class"].items()} == {"Red": 7, "Green": 6, "Blue": 5}
    assert all(len(accuracies) == 5 for accuracies in result["corruptions"].values())
    assert done.stderr == ""


@pytest.mark.slow
def test_a_mistake_is_one_line(model, pictures):
    folder = pictures(Blue=3, Red=3)
    (folder / "Red").rename(folder / "Red_roofs")
    done = run(model, "--data", folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: unknown class in --data 'Red_roofs'")
    assert done.stderr.count("\n") == 1


def test_help_imports_no_tensorflow():
    code = (
        "import sys, runpy\n"
        "sys.argv = ['evaluate', '--help']\n"
        "try:\n"
        "    runpy.run_module('keras_satkd.evaluate', run_name='__main__')\n"
        "except SystemExit as stop:\n"
        "    assert not stop.code\n"
        "assert not {'tensorflow', 'keras', 'tf_keras', 'numpy'} & set(sys.modules), 'heavy import'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--corruptions" in done.stdout


@pytest.mark.parametrize("prefix", ["--", "--data."])
def test_data_settings_have_the_names_of_training_and_their_short_ones(prefix):
    values = {
        "data_dir": "datasets", "cache_dir": "cache", "image_size": 32, "validation_fraction": 0.2,
        "test_fraction": 0.3, "seed": 4, "synthetic_images": 90,
    }  # fmt: skip
    words = [word for name, value in values.items() for word in (prefix + name.replace("_", "-"), str(value))]
    arguments = read(
        evaluate.Arguments, "evaluate", ["m.keras", "--data", "x", *words], short_options=evaluate.SHORT_OPTIONS
    )
    assert arguments.data == DataConfig(source="x", **values)


def test_the_data_must_be_given(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["evaluate", "student.keras"])
    with pytest.raises(SystemExit) as stop:
        evaluate.main()
    assert stop.value.code == 2
    assert "--data" in capsys.readouterr().err


CASES = Path(__file__).parents[3] / "shared" / "cases"


@pytest.mark.skipif(not CASES.exists(), reason="the failing inputs are not at ../shared/cases")
def test_case_of_12_bits_in_16_scores_as_its_jpeg(tmp_path, monkeypatch, capsys):
    case, found = CASES / "sentinel_12bit_rgb_tiff", {}
    for name in ("tif", "jpeg"):
        options = ("--split", "all", "--cache-dir", tmp_path, "--json")
        scores = json.loads(told(monkeypatch, capsys, "resnet8_eurosat_int8.tflite", "--data", case / name, *options))
        found[name] = {each: kind["recall"] for each, kind in scores["per_class"].items()}
        assert scores["accuracy"] > 0.85
    assert found["tif"].keys() == found["jpeg"].keys()


@pytest.fixture
def of_bands(tmp_path):
    """A Keras model of the bands B08 and B02, with the scaling of its run, and images that it is right about."""
    folder = raster_folder(tmp_path / "scenes", 10, size=SIZE)
    network = tiny_network(2, SIZE, channels=2)
    kernel = np.zeros((3, 3, 2, 4), np.float32)
    kernel[1, 1, range(2), range(2)] = 1
    network.get_layer("convolution").set_weights([kernel, np.zeros(4)])
    # B02 is bright in Forest, B08 in River.
    network.get_layer("logits").set_weights([8 * np.eye(4, 2)[:, ::-1], np.zeros(2)])
    network.save(tmp_path / "student.keras")
    (tmp_path / "student.json").write_text(json.dumps({"class_names": ["Forest", "River"]}))
    made = Scaling(Bands(("B08", "B02"), (3, 0), 4), "uint16", (0, 0), (4095, 4095), "given")
    (tmp_path / "scaling.json").write_text(json.dumps(made.to_dict()))
    return tmp_path / "student.keras", folder


def test_bands_and_scaling_are_those_of_the_run(of_bands, tmp_path, monkeypatch, capsys):
    model, folder = of_bands
    options = ("--cache-dir", tmp_path / "cache", "--json", "--split", "all")
    found = json.loads(told(monkeypatch, capsys, model, "--data", folder, *options))
    assert found["accuracy"] == 1.0
    part = json.loads(told(monkeypatch, capsys, model, "--data", folder, *options[:-2]))
    assert (part["split"], part["accuracy"]) == ("test", 1.0)
    with pytest.raises(UserError, match=r"model's are in another order: give --data\.bands B08 B02$"):
        evaluate._result(
            read(evaluate.Arguments, "x", [*map(str, (model, "--data.source", folder, "--data.bands", "B02", "B08"))])
        )


@pytest.mark.parametrize("bands", ['["B08", "B02"]', "[4, 1]"])
def test_a_teacher_chooses_the_bands_that_its_settings_name(of_bands, tmp_path, monkeypatch, capsys, bands):
    model, folder = of_bands
    (tmp_path / "scaling.json").unlink()
    settings = tmp_path / "teacher.toml"
    settings.write_text(f'model = "{model.name}"\nbands = {bands}\nclass_names = ["Forest", "River"]\n')
    options = ("--cache-dir", tmp_path / "cache", "--json", "--split", "all")
    assert json.loads(told(monkeypatch, capsys, settings, "--data", folder, *options))["accuracy"] == 1.0


def test_a_model_takes_as_many_bands_as_it_was_made_for(of_bands, tmp_path):
    model, folder = of_bands
    (tmp_path / "scaling.json").unlink()
    arguments = read(evaluate.Arguments, "x", [str(model), "--data.source", str(folder)])
    with pytest.raises(UserError, match=r"takes images of 2 channels, these have 4 \(B02, B03, B04, B08\): choose"):
        evaluate._result(arguments)
