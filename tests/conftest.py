"""Settings of all tests: quiet TensorFlow, two processors for `tf.distribute`, no cache in the home directory."""

import io
import logging
import math
import os
import sys
import zipfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import hypothesis
import numpy as np
import pytest
from PIL import Image

import keras_satkd  # noqa: F401  (selects legacy Keras before TensorFlow is imported)
from firmware_export.common import steps
from firmware_export.common.command_line import OURS
from firmware_export.common.errors import exit_on_user_error

# The same examples in every run; a slow machine fails no test.
hypothesis.settings.register_profile(
    "ours", deadline=None, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("ours")


def pytest_collection_modifyitems(items):
    """Files with slow tests first: those at the end are short, so no process waits long for the other."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session", autouse=True)
def two_logical_processors():
    import tensorflow as tf

    processor = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(autouse=True)
def no_wait_for_the_disk(monkeypatch):
    """No test cuts the power; an export alone waits a hundred times."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture(autouse=True)
def own_log_level():
    """Restore the levels of our loggers, which commands change."""
    loggers = [logging.getLogger(name) for name in OURS]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture(autouse=True)
def steps_are_not_told(monkeypatch):
    """A command on a slow machine writes nothing about long steps to stderr."""
    monkeypatch.setattr(steps, "FIRST_SECONDS", math.inf)


@pytest.fixture
def call_in_process(monkeypatch, capfd):
    """Runs the `main` of a command in this process: exit code, standard output, standard error."""

    def call(main, program, *words):
        monkeypatch.setattr(sys, "argv", [program, *map(str, words)])
        with pytest.raises(SystemExit) as caught:
            exit_on_user_error(main)
        captured = capfd.readouterr()
        return caught.value.code, captured.out, captured.err

    return call


def encoded(shade: int, size: int = 8, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((size, size, 3), shade, np.uint8)).save(stream, kind)
    return stream.getvalue()


@pytest.fixture
def image_folder(tmp_path):
    """Makes a folder from `{"Forest/1.png": bytes or shade}`; a shade becomes a uniform image of 8x8 pixels."""

    def make(contents: dict[str, bytes | int], name: str = "images") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for file, content in contents.items():
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded(content) if isinstance(content, int) else content)
        return folder

    return make


@pytest.fixture
def image_zip(tmp_path):
    """Makes a zip file from the same description as `image_folder`."""

    def make(contents: dict[str, bytes | int], name: str = "images.zip") -> Path:
        path = tmp_path / name
        with zipfile.ZipFile(path, "w") as archive:
            for file, content in contents.items():
                archive.writestr(file, encoded(content) if isinstance(content, int) else content)
        return path

    return make
