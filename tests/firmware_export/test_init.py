import os
import subprocess
import sys
from pathlib import Path

import pytest

SHIPPED = Path(__file__).parents[2] / "keras_satkd" / "pretrained"


def imported(code: str, **environment: str) -> subprocess.CompletedProcess:
    clean = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    return subprocess.run(
        [sys.executable, "-c", code], env={**clean, **environment}, capture_output=True, text=True, check=False
    )


def test_imported_first_it_chooses():
    done = imported("import firmware_export, tensorflow as tf; print(tf.keras.Model.__module__)")
    assert done.stdout.startswith("tf_keras"), done.stderr


def test_imported_after_tensorflow_it_still_chooses():
    done = imported("import tensorflow as tf, firmware_export; print(tf.keras.Model.__module__)")
    assert done.stdout.startswith("tf_keras"), done.stderr


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import tensorflow as tf; tf.keras.Model; import firmware_export", "is already Keras 3 in this process"),
        ("from tensorflow.keras import layers; import firmware_export", "is already Keras 3 in this process"),
    ],
)
def test_too_late_is_said_clearly(code, said):
    done = imported(code)
    assert done.returncode == 1
    assert said in done.stderr.splitlines()[-1]
    assert "TF_USE_LEGACY_KERAS=1" in done.stderr.splitlines()[-1]


REFUSED = "TF_USE_LEGACY_KERAS is '0', '1' expected: unset TF_USE_LEGACY_KERAS or set it to 1"


def test_keras_3_in_the_environment_is_refused_where_keras_is_needed():
    code = (
        "import firmware_export, keras_satkd, importlib\n"
        "for module in ('distiller', 'models.students', 'models.teachers'):\n"
        "    try:\n"
        "        importlib.import_module(f'keras_satkd.{module}')\n"
        "    except ImportError as error:\n"
        "        print(error)"
    )
    assert imported(code, TF_USE_LEGACY_KERAS="0").stdout.splitlines() == [REFUSED] * 3


COMMANDS = {
    "keras_satkd.distill": "--data synthetic",
    "keras_satkd.evaluate": "resnet8_eurosat.keras --data synthetic",
    "keras_satkd.lower": "--data synthetic",
    "keras_satkd.quantize": "--data synthetic",
    "keras_satkd.redraw": "--workdir .",
    "keras_satkd.ship": "--workdir . --out .",
    "keras_satkd.study": "--data synthetic",
    "keras_satkd.teach": "--data synthetic",
    "firmware_export": f"{SHIPPED / 'resnet8_eurosat.keras'} --out out",
}


@pytest.mark.parametrize("module", COMMANDS)
def test_commands_that_need_keras_refuse_keras_3_in_one_line(module, tmp_path):
    code = f"import os, sys; os.chdir({str(tmp_path)!r}); from runpy import run_module\n"
    code += (
        f"sys.argv = ['x', *{COMMANDS[module].split()}]; run_module({module!r}, run_name='__main__', alter_sys=True)"
    )
    done = imported(code, TF_USE_LEGACY_KERAS="0")
    told = [line for line in done.stderr.splitlines() if " s so far" not in line]  # of a busy machine
    assert (done.returncode, told) == (2, [f"error: {REFUSED}"])
    assert not list(tmp_path.iterdir())


def test_a_tflite_file_is_read_whatever_the_environment_selects():
    path = SHIPPED / "resnet8_eurosat_int8.tflite"
    code = (
        "import sys; from pathlib import Path; from firmware_export.verify import verify\n"
        f"verify.read(Path({str(path)!r}).read_bytes(), 'm.tflite'); print('tensorflow' in sys.modules)"
    )
    assert imported(code, TF_USE_LEGACY_KERAS="0").stdout == "False\n"


@pytest.mark.slow
@pytest.mark.parametrize("first", ["tensorflow", "keras", "keras_cv_attention_models"])
def test_networks_are_legacy_keras_whatever_was_imported_first(first):
    done = imported(
        f"import {first}, keras_satkd, tf_keras\n"
        "from keras_satkd.models import teacher_zoo\n"
        "for name in ('efficientvit_m0@64', 'efficientnet_lite0@64'):\n"
        "    network = teacher_zoo.network(name, 3, 'none')\n"
        "    assert all(isinstance(layer, tf_keras.layers.Layer) for layer in [network, *network.layers])\n"
        "from tensorflow.keras import Model\n"
        "print(Model is tf_keras.Model)"
    )
    assert done.stdout.splitlines()[-1:] == ["True"], done.stderr


@pytest.mark.slow
def test_kecam_imported_after_tensorflow_is_refused():
    done = imported("import tensorflow, keras_cv_attention_models, keras_satkd")
    assert done.stderr.splitlines()[-1].startswith("ImportError: tf.keras is already Keras 3 in this process")
