import numpy as np
import pytest
import tf_keras

from firmware_export.common.errors import UserError
from firmware_export.rows.compile import compile_rows
from firmware_export.rows.verify import check_answers
from firmware_export.tflite import interpreters
from firmware_export.tflite.convert import quantized_aware_to_int8
from firmware_export.tflite.reader import read
from keras_satkd.models import mixer, student_registry, students
from keras_satkd.training.qat_model import quantization_aware
from keras_satkd.training.qat_ranges import fix_ranges

RESNET8 = {"parameters": 98_522, "macs": 58_393_216, "ram": 25_948}
"""Costs of the ResNet8 at 64×64×3 in `docs/row_engine.md`; RAM on a Cortex-M4."""


@pytest.mark.parametrize(("name", "most"), [("mixer", 98_522), ("mixer_50k", 50_000), ("mixer_25k", 25_000)])
def test_the_ladder(name, most):
    student = students.build(name, 64, 10)
    assert 0.9 * most < students.trainable_parameters(student) <= most
    assert students.macs(student) < RESNET8["macs"] / 3


def test_too_small_an_image():
    with pytest.raises(UserError, match=r"image_size is 7: give at least 8"):
        students.build("mixer", 7, 10)


def int8(student, images):
    quantized = quantization_aware(student)
    fix_ranges(quantized, student, images)
    return read(quantized_aware_to_int8(quantized))


@pytest.fixture(scope="module")
def exported():
    """The mixer at 64×64×3, untrained, in int8 after `quantization_aware`."""
    tf_keras.utils.set_random_seed(0)
    images = np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3), np.uint8)
    return int8(students.build("mixer", 64, 10), images), images


@pytest.mark.slow
def test_it_needs_no_more_ram_than_resnet8(exported):
    report = compile_rows(exported[0], "").report
    assert report.context_bytes + report.scratch_bytes["dsp"] <= RESNET8["ram"]


@pytest.mark.slow
def test_only_operators_of_both_engines(exported):
    names = {operator.name for operator in exported[0].graph.operators}
    assert names == {"CONV_2D", "DEPTHWISE_CONV_2D", "MUL", "ADD", "MEAN", "FULLY_CONNECTED"}


@pytest.mark.slow
def test_the_row_engine_gives_tflms_codes(exported):
    model, images = exported
    inputs = interpreters.quantize_input(images, model.graph)
    outputs = interpreters.run(model, inputs)
    assert len(np.unique(outputs)) > 5
    assert check_answers(compile_rows(model, ""), interpreters.firmware_input(inputs, model.graph), outputs)


def test_every_shape_has_a_name_of_a_student():
    assert set(mixer.SHAPES) <= set(student_registry.OURS)
