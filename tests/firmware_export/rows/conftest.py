"""A model with every kernel of the row engine in it, its C, and its golden vectors."""

import ctypes
import subprocess

import numpy as np
import pytest
import row_models
import rows_runner
import rows_server

from firmware_export.rows import golden
from firmware_export.rows.compile import compile_rows
from firmware_export.verify import golden_vectors


@pytest.fixture(scope="package")
def model():
    return row_models.every_layer()


@pytest.fixture(scope="package")
def compiled(model):
    return compile_rows(model, "python -m firmware_export m.tflite --engine rows")


@pytest.fixture(scope="package")
def vectors(model):
    images = np.random.default_rng(1).integers(0, 256, (3, 9, 7, 3), dtype=np.uint8)
    return golden_vectors.golden_vectors(model, images, count=3)


@pytest.fixture(scope="package")
def library(model, compiled, vectors, tmp_path_factory):
    """All of it, for this machine."""
    folder = tmp_path_factory.mktemp("library")
    texts = compiled.files | golden.render(model, "make", compiled, vectors, images_are_real=True)
    for name, text in texts.items():
        (folder / name).write_text(text)
    sources = [str(folder / name) for name in texts if name.endswith(".c")]
    subprocess.run(["gcc", *rows_runner.WARNINGS, "-shared", "-fPIC", *sources, "-o", str(folder / "m.so")], check=True)
    return ctypes.CDLL(str(folder / "m.so"))


@pytest.fixture
def context(compiled):
    return ctypes.create_string_buffer(b"\xff" * compiled.report.context_bytes)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A program that runs any model, see `rows_server`."""
    return rows_server.compiled(tmp_path_factory.mktemp("server"))
