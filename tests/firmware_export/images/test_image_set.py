from dataclasses import replace

import numpy as np

from firmware_export.images.image_set import ImageSet

THREE = ImageSet(
    np.arange(12, dtype=np.uint8).reshape(3, 2, 2, 1),
    np.array([0, 1, 1], np.int32),
    ("Forest/1.png", "River/1.png", "River/2.png"),
    ("Forest", "River"),
    ("train", "test", "train"),
)


def test_length_is_the_number_of_images():
    assert len(THREE) == 3


def test_images_are_taken_in_the_order_asked_for_with_labels_and_names():
    taken = THREE.take([2, 0])
    assert taken.images[:, 0, 0, 0].tolist() == [8, 0]
    assert taken.labels.tolist() == [1, 0]
    assert taken.files == ("River/2.png", "Forest/1.png")
    assert taken.class_names == THREE.class_names
    assert taken.parts == ("train", "train")


def test_taken_images_are_a_copy():
    taken = THREE.take(range(3))
    taken.images[:] = 99
    assert THREE.images.max() == 11


def test_a_set_that_is_not_split_stays_so():
    assert replace(THREE, parts=()).take([1]).parts == ()


def test_none_can_be_taken():
    assert THREE.take([]).images.shape == (0, 2, 2, 1)
