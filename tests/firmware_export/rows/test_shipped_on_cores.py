"""The shipped students in the row engine on emulated cores, image by image against the host's TFLM."""

import shutil
from pathlib import Path

import bare_metal
import engine_bench
import eurosat_archive
import pytest

from firmware_export.board import emulator

PRETRAINED = Path(__file__).parents[3] / "keras_satkd" / "pretrained"
IMAGES = 2
"""Each runs every kernel of the model."""


@pytest.fixture(scope="module")
def images():
    return eurosat_archive.divided().test.images[:IMAGES]


@pytest.mark.slow
@pytest.mark.parametrize("machine", emulator.MACHINES)
@pytest.mark.parametrize("student", ["resnet8", "resnet16"])
def test_every_output_is_tflms(student, machine, images, tmp_path):
    if None in map(shutil.which, (bare_metal.COMPILER, emulator.EMULATOR)):
        pytest.skip(emulator.INSTALL)
    model = (PRETRAINED / f"{student}_eurosat_int8.tflite").read_bytes()
    program = engine_bench.row_engine(model, tmp_path)
    assert engine_bench.measure(program, model, student, machine, tmp_path, images).wrong_outputs == 0
