"""What holds for every test: quiet TensorFlow, two processors for `tf.distribute`, no cache in the user's home."""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest

import keras_satkd  # noqa: F401  (chooses legacy Keras before TensorFlow is imported)
from firmware_export.common.errors import exit_on_user_error


@pytest.fixture(scope="session", autouse=True)
def two_logical_processors():
    import tensorflow as tf

    processor = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def call_in_process(monkeypatch, capfd):
    """Run a command's `main` in this process: exit code, standard output, standard error."""

    def call(main, program, *words):
        monkeypatch.setattr(sys, "argv", [program, *map(str, words)])
        with pytest.raises(SystemExit) as caught:
            exit_on_user_error(main)
        captured = capfd.readouterr()
        return caught.value.code, captured.out, captured.err

    return call
