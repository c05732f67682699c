"""Images that the model sees as almost one code, and answers no better than chance."""

import dataclasses

import numpy as np
import pytest

from firmware_export.common.errors import UserError
from firmware_export.tflite import interpreters
from firmware_export.verify import plausibility


def _outputs(classes, count=10):
    return np.where(np.arange(count) == np.asarray(classes)[:, None], 100, -100).astype(np.int8)


def test_a_wrong_range_is_refused(qat_graph, photos):
    graph = dataclasses.replace(qat_graph, stated_range="0..255")
    codes = interpreters.quantize_input(photos, graph)
    with pytest.raises(UserError, match=r"pixel values become only 2 input codes .*range 0\.\.255.*--input-range"):
        plausibility.check_codes(photos, codes, graph)


def test_the_right_range_passes(qat_graph, photos):
    plausibility.check_codes(photos, interpreters.quantize_input(photos, qat_graph), qat_graph)


def test_images_of_two_values_pass_and_of_one_do_not(qat_graph):
    drawn = np.zeros((4, 16, 16, 3), np.uint8)
    with pytest.raises(UserError, match="every value of the images is 0"):
        plausibility.check_codes(drawn, interpreters.quantize_input(drawn, qat_graph), qat_graph)
    drawn[0] = 255
    plausibility.check_codes(drawn, interpreters.quantize_input(drawn, qat_graph), qat_graph)


def test_answers_by_chance_are_refused(qat_graph):
    generator = np.random.default_rng(3)
    labels, answers = generator.integers(0, 10, (2, 400))
    with pytest.raises(UserError, match=r"of 400 labelled images correctly, and 10\..% would be chance.*--class-names"):
        plausibility.check_accuracy(_outputs(answers), labels, qat_graph)


def test_one_answer_to_all_images_is_chance(qat_graph):
    labels = np.repeat([0, 0, 0, 1], 50)
    with pytest.raises(UserError, match=r"75\.0% of 200 labelled images correctly, and 75\.0% would be chance"):
        plausibility.check_accuracy(_outputs(np.zeros(200, int)), labels, qat_graph)


@pytest.mark.parametrize(
    ("labels", "answers"),
    [
        (np.arange(100) % 10, np.where(np.arange(100) < 40, np.arange(100) % 10, 0)),  # a poor model
        (np.arange(40) % 10, np.zeros(40, int)),  # too few
        (np.zeros(200, int), np.arange(200) % 10),  # one class
    ],
)
def test_others_pass(qat_graph, labels, answers):
    plausibility.check_accuracy(_outputs(answers), labels, qat_graph)
