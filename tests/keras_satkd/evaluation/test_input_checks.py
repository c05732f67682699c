from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from firmware_export.tflite.input_range import INPUT_RANGES, of_channels
from keras_satkd.evaluation.classifier import Classifier
from keras_satkd.evaluation.input_checks import doubt, other_input
from keras_satkd.models.teacher import Teacher

IMAGES = np.random.default_rng(0).integers(0, 256, (300, 4, 4, 3), np.uint8)
LABELS = (IMAGES[..., 0].mean(axis=(1, 2)) > IMAGES[..., 2].mean(axis=(1, 2))).astype(int)


class Network:
    """Answers by red and blue where its inputs have the range and order of colors that it knows, else by chance."""

    input_shape, layers = (None, 4, 4, 3), ()

    def __init__(self, knows, order=(0, 1, 2)):
        self.knows, self.order = knows, order

    def logits(self, teacher, images):
        (mean, deviation), (known, spread) = of_channels(teacher.input_range, 3), of_channels(self.knows, 3)
        seen = (images[..., list(teacher.bands or (0, 1, 2))] - np.array(mean)) / np.array(deviation)
        pixels = (seen * np.array(spread) + np.array(known))[..., list(self.order)]
        is_known = -1 < pixels.min() < 50 and 200 < pixels.max() < 257
        red = (pixels[..., 0].mean(axis=(1, 2)) > pixels[..., 2].mean(axis=(1, 2))).astype(int)
        return np.eye(2)[red if is_known else np.arange(len(images)) % 2]


def _found(network, **settings):
    teacher = Teacher("one", network, 4, **settings)
    return other_input(teacher, IMAGES, LABELS, lambda tried, images: network.logits(tried, images))


def test_a_teacher_that_gets_its_range_is_not_doubted():
    assert _found(Network("imagenet"), input_range="imagenet") is None


@pytest.mark.parametrize(("given", "knows"), [("0..1", "-1..1"), ("0..255", "imagenet"), ("-1..1", "0..255")])
def test_a_clearly_better_range_is_named(given, knows):
    said = _found(Network(knows), input_range=given)
    assert f"with input range {given}, and 100.0% with {knows}: state input_range" in said


def test_blue_before_red_is_named():
    said = _found(Network("0..1", order=(2, 1, 0)), input_range="0..1")
    assert "100.0% with 0..1 and blue before red: state" in said
    assert said.endswith('input_range = "0..1" and bands = [3, 2, 1] in its TOML file')


def test_a_teacher_that_knows_nothing_is_left_to_other_checks():
    blind = Teacher("one", Network("0..1"), 4, "0..1")
    assert other_input(blind, IMAGES, LABELS, lambda tried, images: np.eye(2)[np.arange(len(images)) % 2]) is None


def _doubt(network, given, bands=(), **settings):
    teacher = Teacher("one", network, 4, given)
    stated = {"class_names": None, "input_range": given, "ranges": tuple(INPUT_RANGES), "name": "one.keras", **settings}
    classifier = Classifier(
        image_size=4,
        classes=2,
        logits=partial(network.logits, teacher),
        with_range=lambda name: partial(network.logits, replace(teacher, input_range=name)),
        **stated,
    )
    return doubt(classifier, IMAGES, LABELS, bands)


def test_a_model_that_is_fed_and_read_as_it_should_is_not_doubted():
    assert _doubt(Network("imagenet"), "imagenet") is None


def test_another_range_and_order_of_bands_are_told():
    said = _doubt(Network("imagenet", order=(2, 1, 0)), "0..1")
    assert said.endswith("training, give --input-range imagenet and --data.bands 3 2 1")
    said = _doubt(Network("0..1", order=(2, 1, 0)), "0..1", ("4", "3", "1"))
    assert said.endswith("training, give --data.bands 1 3 4")


def test_a_teacher_s_settings_are_where_it_is_corrected():
    network = Network("imagenet", order=(2, 1, 0))
    teacher = Teacher("one", network, 4, "0..1", bands=(0, 1, 2))
    said = _doubt(network, "0..1", name="one.toml", teacher=teacher)
    assert said.endswith('training, state input_range = "imagenet" and bands = [3, 2, 1] in its TOML file')


def test_the_range_that_a_file_shows_is_not_doubted():
    assert _doubt(Network("imagenet"), "0..1", ranges=("0..1",)) is None


def test_exchanged_classes_are_told_with_their_names():
    class Exchanged(Network):
        def logits(self, teacher, images):
            return super().logits(teacher, images)[:, ::-1]

    said = _doubt(Exchanged("0..1"), "0..1", class_names=("ice", "sea"), channels=4)
    assert "0.0% of 256 labelled images are right, and 100.0% if 'ice' means 'sea', 'sea' means 'ice': if they" in said
    assert said.endswith("correct the class_names of the data, or those in one.json beside the model")
