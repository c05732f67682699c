import dataclasses

import numpy as np
import pytest
from tests_support import tiny_network

from firmware_export.common.errors import UserError
from keras_satkd.models.stored_logits import StoredLogits
from keras_satkd.models.teacher import Teacher, digests, with_classes

SIZE = 16
NAMES = ("Forest", "Lake", "River")


@pytest.mark.parametrize(
    ("input_range", "white", "black"),
    [("0..1", 1.0, 0.0), ("-1..1", 1.0, -1.0), ("0..255", 255.0, 0.0), ("imagenet", 2.2489, -2.1179)],
)
def test_each_teacher_sees_its_own_range_and_size(input_range, white, black):
    teacher = Teacher("tiny", tiny_network(), SIZE, input_range)
    images = np.stack([np.full((32, 32, 3), shade, np.uint8) for shade in (255, 0)])
    seen = teacher.normalize(images).numpy()
    assert seen.shape == (2, SIZE, SIZE, 3)
    np.testing.assert_allclose(seen[:, 0, 0, 0], [white, black], atol=1e-3)


def test_a_teacher_sees_the_bands_that_it_takes(teacher, image_set):
    images, one = image_set(3).images, teacher("one")
    reversed_bands = dataclasses.replace(one, bands=(2, 1, 0))
    np.testing.assert_array_equal(reversed_bands.normalize(images), one.normalize(images[..., ::-1]))
    assert digests([one]) != digests([reversed_bands])


def test_any_number_of_bands():
    images = np.full((1, SIZE, SIZE, 5), 255, np.uint8)
    seen = Teacher("tiny", tiny_network(channels=5), SIZE, "-1..1").normalize(images).numpy()
    np.testing.assert_array_equal(seen, np.ones((1, SIZE, SIZE, 5)))


def test_a_teacher_of_other_classes(teacher):
    with pytest.raises(UserError, match=r"has 3 classes, the data has 10"):
        with_classes(teacher(), tuple("abcdefghij"))
    knowing = dataclasses.replace(teacher(), class_names=NAMES)
    with pytest.raises(UserError, match="has class 'Lake' where the data has 'Sea'"):
        with_classes(knowing, ("Forest", "River", "Sea"))


def stored(**settings) -> StoredLogits:
    return StoredLogits("file", ("a",), np.array([[[1, 2, 3]]], np.float32), "sha256", **settings)


def test_classes_in_another_order_are_put_in_order(teacher, image_set):
    images, wanted = image_set(4).images, ("River", "Forest", "Lake")
    knowing = dataclasses.replace(teacher(), class_names=NAMES)
    assert with_classes(knowing, NAMES) is knowing
    unnamed = teacher()
    assert with_classes(unnamed, wanted) is unnamed
    found = with_classes(knowing, wanted)
    np.testing.assert_array_equal(found.logits(images), knowing.logits(images).numpy()[:, [2, 0, 1]])
    assert found.class_names == wanted
    assert found.digest() != knowing.digest()
    again = with_classes(found, NAMES)
    np.testing.assert_array_equal(again.logits(images), knowing.logits(images))
    np.testing.assert_array_equal(with_classes(stored(class_names=NAMES), wanted).of(["a"]), [[[3, 1, 2]]])


def test_probabilities_are_put_in_order_before_the_logarithm(teacher, image_set):
    one = teacher(activation="softmax")
    knowing = dataclasses.replace(one, class_names=NAMES, gives_probabilities=True)
    expected = np.log(one.logits(image_set(4).images).numpy()[:, [2, 0, 1]])
    found = with_classes(knowing, ("River", "Forest", "Lake"))
    np.testing.assert_allclose(found.logits(image_set(4).images), expected, atol=1e-5)
