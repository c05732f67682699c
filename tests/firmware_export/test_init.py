import os
import subprocess
import sys

import pytest


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
    ("code", "environment", "said"),
    [
        ("import tensorflow as tf; tf.keras.Model; import firmware_export", {}, "is already Keras 3 in this process"),
        ("from tensorflow.keras import layers; import firmware_export", {}, "is already Keras 3 in this process"),
        ("import firmware_export", {"TF_USE_LEGACY_KERAS": "0"}, "TF_USE_LEGACY_KERAS is '0'"),
    ],
)
def test_too_late_is_said_clearly(code, environment, said):
    done = imported(code, **environment)
    assert done.returncode == 1
    assert said in done.stderr.splitlines()[-1]
    assert "TF_USE_LEGACY_KERAS=1" in done.stderr.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize("first", ["keras_satkd", "tensorflow", "keras", "tf_keras", "keras_cv_attention_models"])
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
