"""Images that the model sees as almost one code, and answers no better than chance."""

import dataclasses

import numpy as np
import pytest
import row_models
from int8_graphs import PIXELS

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


def test_exchanged_classes_are_refused(qat_graph):
    labels = np.arange(200) % 10
    answers = np.where(labels < 2, 1 - labels, labels)
    message = r"80\.0% of 200 .* and 100\.0% if '{0}' means '{1}', '{1}' means '{0}': if they are .*--class-names"
    with pytest.raises(UserError, match=message.format("output 0", "output 1")):
        plausibility.check_accuracy(_outputs(answers), labels, qat_graph)
    with pytest.raises(UserError, match=message.format("a", "b")):
        plausibility.check_accuracy(_outputs(answers), labels, qat_graph, "abcdefghij")


@pytest.fixture(scope="module")
def colored():
    """A model of pixels in 0..1, images of changing colors, and its own answers as their labels."""
    model = row_models.model(
        lambda b, x: b.dense(b.mean_over(x, (1, 2), keeps_rank=False), 3, "NONE"),
        (1, 4, 4, 3),
        seed=3,  # its classes depend on the colors; others answer all images alike
        quantization=PIXELS,
    )
    images = np.random.default_rng(2).integers(0, 256, (200, 1, 1, 3)) + np.zeros((1, 4, 4, 1), int)
    images = images.astype(np.uint8)
    return model, images, interpreters.predict_int8(model, images).argmax(axis=1)


def _check(model, images, labels):
    graph = model.graph
    given = graph.name, plausibility.answers_of(model), images, labels
    plausibility.check_input(*given, graph.input_range, graph.candidate_ranges)


def test_the_right_input_passes(colored):
    _check(*colored)


def test_blue_before_red_is_refused(colored):
    model, images, labels = colored
    with pytest.raises(
        UserError, match=r"100\.0% with 0\.\.1 and blue before red: .* give them with blue first, in flight"
    ):
        _check(model, images[..., ::-1], labels)


def test_another_input_range_is_refused(colored):
    model, images, labels = colored
    message = (
        r"input range imagenet, and 100\.0% with 0\.\.1: if they are like .*, state --input-range 0\.\.1; otherwise"
    )
    with pytest.raises(UserError, match=message):
        _check(model.with_range("imagenet"), images, labels)


def test_a_range_that_the_scale_states_is_not_doubted_because_of_the_light(colored):
    model, images, labels = colored
    hazy = (images * 0.4 + 110).astype(np.uint8)
    assert model.graph.candidate_ranges == ("0..1",)
    _check(model, hazy, labels)


def test_codes_and_few_labels_are_not_judged(colored):
    model, images, labels = colored
    model = model.with_range("imagenet")
    _check(model, images.view(np.int8), labels)
    _check(model, images, np.where(np.arange(len(labels)) < 49, labels, -1))


def test_codes_have_no_range_to_correct(qat_graph):
    labels = np.repeat([0, 0, 0, 1], 50)
    with pytest.raises(
        UserError, match=r"chance: correct the order of its classes .* or give the codes without labels"
    ):
        plausibility.check_accuracy(_outputs(np.zeros(200, int)), labels, qat_graph, of_codes=True)


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
