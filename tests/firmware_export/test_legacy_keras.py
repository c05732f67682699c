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
        ("import tensorflow as tf; tf.keras.Model; import firmware_export", {}, "is Keras 3 in this process already"),
        ("import firmware_export", {"TF_USE_LEGACY_KERAS": "0"}, "TF_USE_LEGACY_KERAS is '0'"),
    ],
)
def test_too_late_is_said_clearly(code, environment, said):
    done = imported(code, **environment)
    assert done.returncode == 1
    assert said in done.stderr.splitlines()[-1]
    assert "TF_USE_LEGACY_KERAS=1" in done.stderr.splitlines()[-1]
