import functools
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from firmware_export import __main__ as command_line
from firmware_export.common import defaults
from firmware_export.tflite import convert


@pytest.fixture
def run(call_in_process):
    return functools.partial(call_in_process, command_line.main, "firmware_export")


@pytest.fixture(scope="module")
def files(tmp_path_factory, qat_model, qat_keras, float_keras, photos):
    folder = tmp_path_factory.mktemp("given")
    (folder / "student.tflite").write_bytes(qat_model.content)
    qat_keras.save(folder / "qat.h5")
    float_keras.save(folder / "float.keras")
    np.save(folder / "photos.npy", photos)
    np.savez(folder / "labelled.npz", images=photos, labels=np.zeros(len(photos), int))
    (folder / "names.txt").write_text("\n".join(f"class {n}" for n in range(10)))
    return folder


def test_help_shows_defaults():
    done = subprocess.run(
        [sys.executable, "-m", "firmware_export", "--help"], capture_output=True, text=True, check=True
    )
    assert defaults.SYMBOL in done.stdout
    for option in ("--out", "--images", "--class-names", "--symbol", "--keras"):
        assert option in done.stdout


def test_help_imports_nothing_heavy():
    code = (
        "import sys; sys.argv = ['x', '--help']\n"
        "from firmware_export.__main__ import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'numpy', 'tensorflow', 'tf_keras', 'tflite_micro', 'ai_edge_litert'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or None)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_tflite_with_images_names_and_keras(run, files, tmp_path):
    code, out, err = run(
        files / "student.tflite", "--out", tmp_path / "firmware", "--images", files / "photos.npy",
        "--class-names", files / "names.txt", "--keras", files / "qat.h5", "--symbol", "g_eurosat_model_data",
        "--validation", files / "labelled.npz", "--error-rate", "0.5",
        "--false-alarm-rate", "0.02", "--drift-window", "64",
    )  # fmt: skip
    assert code == 0, err
    assert "bytes found" in out
    assert "256 images, real" in out
    said = json.loads((tmp_path / "firmware" / "export.json").read_text())
    assert said["command"] == (
        "python -m firmware_export student.tflite --out firmware --images photos.npy --validation labelled.npz "
        "--keras qat.h5 --error-rate 0.5 --false-alarm-rate 0.02 --drift-window 64 --class-names names.txt "
        "--symbol g_eurosat_model_data"
    )
    assert said["class_names"][3] == "class 3"
    assert (said["drift"]["false_alarm_rate"], said["drift"]["window"]) == (0.02, 64)
    assert "every 64 images" in " ".join(out.split())
    assert said["keras_parity"]["images"] == 256
    assert "namespace eurosat_model {" in (tmp_path / "firmware" / "model_ops.h").read_text()


def test_without_images_everything_says_generated(run, files, tmp_path):
    code, out, _ = run(files / "student.tflite", "--out", tmp_path / "firmware")
    assert code == 0
    assert "GENERATED" in out
    assert not json.loads((tmp_path / "firmware" / "export.json").read_text())["images_are_real"]
    assert "GENERATED" in (tmp_path / "firmware" / "model_data.h").read_text()


@pytest.mark.slow
def test_quantization_aware_h5(run, files, tmp_path, qat_model):
    code, out, err = run(files / "qat.h5", "--out", tmp_path / "firmware", "--images", files / "photos.npy")
    assert code == 0, err
    assert err == ""
    assert "Keras model" in out
    assert (tmp_path / "firmware" / "model.tflite").read_bytes() == qat_model.content


@pytest.mark.slow
def test_float_keras_is_calibrated_on_a_folder_of_images(run, files, tmp_path, photos):
    folder = tmp_path / "images"
    folder.mkdir()
    for index, photo in enumerate(photos):
        Image.fromarray(photo).save(folder / f"{index:03}.png")
    code, _, err = run(files / "float.keras", "--out", tmp_path / "firmware", "--images", folder)
    assert code == 0, err
    said = json.loads((tmp_path / "firmware" / "export.json").read_text())
    assert said["has_unit_input"]
    assert said["images_are_real"]
    assert said["keras_parity"] is None


@pytest.fixture(scope="module")
def bad(tmp_path_factory, qat_model, keras):
    folder = tmp_path_factory.mktemp("bad")
    (folder / "cut.tflite").write_bytes(qat_model.content[: qat_model.size // 2])
    (folder / "text.tflite").write_text("not a model")
    (folder / "few").mkdir()
    Image.new("RGB", (8, 8)).save(folder / "few" / "one.png")
    np.save(folder / "floats.npy", np.zeros((256, 16, 16, 3)))
    small = np.zeros((256, 8, 8, 3), np.uint8)
    np.save(folder / "small.npy", small)
    np.savez(folder / "small.npz", images=small, labels=np.zeros(256, int))
    for name, content in _undeployable(keras).items():
        (folder / f"{name}.tflite").write_bytes(content)
    return folder


def _undeployable(keras):
    """What TFLite's converter makes and no microcontroller of ours runs, by name."""
    import tensorflow as tf

    image = keras.Input((8, 8, 1), batch_size=1, name="image")
    conv = keras.Model(image, keras.layers.Flatten()(keras.layers.Conv2D(2, 3)(image)))
    other = keras.Input((8, 8, 1), batch_size=1, name="other")
    two_inputs = keras.Model([image, other], keras.layers.Add()([image, other]))
    enlarged = keras.Model(image, keras.layers.Flatten()(keras.layers.UpSampling2D(interpolation="bilinear")(image)))
    top = keras.Model(image, keras.layers.Lambda(lambda x: tf.math.top_k(x[:, :, 0, 0], 3)[0])(image))
    builtins = tf.lite.OpsSet
    int16 = builtins.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    return {
        "float": _converted(conv),
        "dynamic_range": _converted(conv, optimizations=[tf.lite.Optimize.DEFAULT]),
        "int16": _quantized(conv, int16, tf.int16),
        "two_inputs": _quantized(two_inputs, builtins.TFLITE_BUILTINS_INT8, tf.int8),
        "enlarged": _quantized(enlarged, builtins.TFLITE_BUILTINS_INT8, tf.int8),
        "top_k": _quantized(top, builtins.TFLITE_BUILTINS_INT8, tf.int8),
    }


def _quantized(model, operators, dtype):
    import tensorflow as tf

    samples = [[np.full(tensor.shape, value, np.float32) for tensor in model.inputs] for value in (0, 1)]
    return _converted(
        model,
        optimizations=[tf.lite.Optimize.DEFAULT],
        representative_dataset=lambda: iter(samples),
        target_spec=tf.lite.TargetSpec(supported_ops=[operators]),
        inference_input_type=dtype,
        inference_output_type=dtype,
    )


def _converted(model, **settings):
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    for name, value in settings.items():
        setattr(converter, name, value)
    with convert._quiet():
        return converter.convert()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{bad}/absent.tflite"], "absent.tflite' not found"),
        (["{bad}"], "is a folder: give a .tflite"),
        (["{bad}/cut.tflite"], "cut.tflite is truncated or corrupt"),
        (["{bad}/text.tflite"], "text.tflite is not a .tflite model"),
        (["{bad}/float.tflite"], "is a float model, int8 expected: quantize it to full int8"),
        (["{bad}/dynamic_range.tflite"], "int8 expected: quantize it to full int8"),
        (["{bad}/int16.tflite"], "is int16, int8 expected: quantize activations to int8, not 16x8"),
        (["{bad}/two_inputs.tflite", "--engine", "rows"], "two_inputs.tflite has 2 inputs, the row engine takes one"),
        (["{bad}/top_k.tflite"], "lacks: TOPK_V2: replace those layers"),
        (["{files}/student.tflite", "--images", "{bad}/small.npy"], "uint8 [N, 16, 16, 3] expected"),
        (["{files}/float.keras"], "float.keras is a float model: give --images"),
        (["{files}/qat.h5", "--keras", "{files}/qat.h5"], "is only for a .tflite MODEL"),
        (["{files}/student.tflite", "--symbol", "a-b"], "symbol 'a-b'"),
        (["{files}/student.tflite", "--class-names", "a", "b"], "2 class names for 10 outputs"),
        (["{files}/student.tflite", "--images", "{bad}/floats.npy"], "are float64"),
        (["{files}/student.tflite", "--images", "{bad}/absent.npy"], "absent.npy' not found"),
        (["{files}/student.tflite", "--images", "{bad}/few"], "1 images, at least 256 needed"),
        (["{files}/student.tflite", "--keras", "{bad}/absent.h5"], "absent.h5 is not a file"),
        (["{files}/student.tflite", "--target", "samv72"], "unknown target 'samv72': did you mean 'samv71'?"),
        (
            ["{files}/student.tflite", "--target", "generic", "--core", "cortex-m4"],
            "without --flash-bytes and --ram-bytes",
        ),
        (
            ["{files}/student.tflite", "--target", "samv71", "--ram-bytes", "9"],
            "--ram-bytes is only for --target generic",
        ),
        (["{files}/student.tflite", "--validation", "{bad}/absent.npz"], "absent.npz' not found"),
        (
            ["{files}/student.tflite", "--validation", "{files}/labelled.npz", "--error-rate", "2"],
            "error rate 2, a number",
        ),
        (
            ["{files}/student.tflite", "--validation", "{files}/labelled.npz", "--false-alarm-rate", "0.0001"],
            "false alarm rate 0.0001, a number",
        ),
        (["{files}/student.tflite", "--validation", "{bad}/small.npz"], "uint8 [N, 16, 16, 3] expected"),
        (["{files}/student.tflite", "--format", "cmake", "zephir"], "unknown format 'zephir': did you mean 'zephyr'?"),
        (
            ["{files}/student.tflite", "--engine", "rows", "--engine-prefix", "Cloud"],
            "engine prefix 'Cloud' is not a valid start of C identifiers",
        ),
        (["{files}/student.tflite", "--engine-prefix", "cloud"], "has no effect with --engine tflm"),
        (["{files}/student.tflite", "--engine", "rows", "--symbol", "weights"], "give --engine-prefix instead"),
        (["{bad}/enlarged.tflite", "--engine", "rows"], "RESIZE_BILINEAR"),
        (
            [
                "{files}/student.tflite",
                "--target",
                "generic",
                "--core",
                "cortex-m4",
                "--flash-bytes",
                "65536",
                "--ram-bytes",
                "4096",
            ],
            "RAM is",
        ),
    ],
)
def test_mistakes_are_one_line_and_write_nothing(run, bad, files, tmp_path, words, said):
    filled = [word.format(bad=bad, files=files) for word in words]
    code, _, err = run(*filled, "--out", tmp_path / "out")
    assert code == 2
    assert err.startswith("error: ")
    assert said in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_files_of_others_are_one_line_and_kept(run, files, tmp_path):
    (tmp_path / "satkd_model.c").write_text("int mine;")
    code, _, err = run(files / "student.tflite", "--out", tmp_path, "--engine", "rows")
    assert code == 2
    assert err.startswith("error: ")
    assert "contains files that this tool did not write (satkd_model.c): give another --out, or --force" in err
    assert err.count("\n") == 1
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"satkd_model.c": "int mine;"}


@pytest.mark.slow
def test_an_engine_prefix_is_quoted_and_used(run, files, tmp_path):
    words = ("--engine", "rows", "--engine-prefix", "cloud", "--format", "cmake")
    code, _, err = run(files / "student.tflite", "--out", tmp_path / "firmware", *words)
    assert code == 0, err
    said = json.loads((tmp_path / "firmware" / "export.json").read_text())
    command = (
        "python -m firmware_export student.tflite --out firmware --format cmake --engine rows --engine-prefix cloud"
    )
    assert said["command"] == command
    assert said["rows"]["prefix"] == "cloud"
    names = {"cloud_golden.c", "cloud_golden.h", "cloud_model.c", "cloud_model.h"}
    assert names < set(said["files"])
    assert all(command in (tmp_path / "firmware" / name).read_text() for name in names)
    assert "add_library(cloud_model STATIC" in (tmp_path / "firmware" / "CMakeLists.txt").read_text()


@pytest.mark.slow
def test_the_level_of_hardening_is_quoted_and_used(run, files, tmp_path):
    words = ("--engine", "rows", "--harden", "detect")
    code, _, err = run(files / "student.tflite", "--out", tmp_path / "firmware", *words)
    assert code == 0, err
    said = json.loads((tmp_path / "firmware" / "export.json").read_text())
    assert said["command"] == "python -m firmware_export student.tflite --out firmware --engine rows --harden detect"
    assert said["rows"]["harden"] == "detect"
    assert "Hardening: detect." in (tmp_path / "firmware" / "satkd_model.h").read_text()


@pytest.mark.parametrize("harden", ["detect", "correct", "none"])
def test_hardening_needs_the_row_engine(run, files, tmp_path, harden):
    code, _, err = run(files / "student.tflite", "--out", tmp_path / "out", "--harden", harden)
    assert code == 2
    assert err == f"error: --harden {harden} has no effect with --engine tflm: give --engine rows or both\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("harden", ["more", "", "Detect"])
def test_unknown_levels_of_hardening_are_refused(run, files, tmp_path, harden):
    code, _, err = run(files / "student.tflite", "--out", tmp_path / "out", "--engine", "rows", "--harden", harden)
    assert code == 2
    assert "none" in err
    assert "correct" in err
    assert not (tmp_path / "out").exists()


def test_usage_errors_exit_with_two(run):
    assert run("--nonsense")[0] == 2
    assert run()[0] == 2
    assert run("model.tflite", "--out", "x", "--engine", "row")[0] == 2
