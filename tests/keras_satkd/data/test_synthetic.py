import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier

from keras_satkd.data.synthetic import CLASS_NAMES, scene, scenes


def test_every_class_is_drawn_as_often_as_it_goes():
    drawn = scenes(23, seed=0, image_size=16)
    assert drawn.images.shape == (23, 16, 16, 3)
    assert (drawn.images.dtype, drawn.labels.dtype) == (np.uint8, np.int32)
    np.testing.assert_array_equal(np.bincount(drawn.labels), [3, 3, 3, 2, 2, 2, 2, 2, 2, 2])
    assert drawn.class_names == tuple(sorted(CLASS_NAMES))
    assert len(set(drawn.files)) == 23
    assert drawn.files[1] == "synthetic/AnnualCrop/00001"


def test_drawing_more_scenes_changes_none():
    few, many = scenes(20, seed=3, image_size=16), scenes(45, seed=3, image_size=16)
    where = dict(zip(many.files, many.images, strict=True))
    for file, image in zip(few.files, few.images, strict=True):
        np.testing.assert_array_equal(image, where[file])


@pytest.mark.parametrize("name", CLASS_NAMES)
def test_scenes_vary_with_position_and_seed(name):
    one = scene(name, 0, seed=0, image_size=64)
    assert one.shape == (64, 64, 3)
    assert one.std() > 2
    np.testing.assert_array_equal(one, scene(name, 0, seed=0, image_size=64))
    for other in (scene(name, 1, seed=0, image_size=64), scene(name, 0, seed=1, image_size=64)):
        assert np.abs(one.astype(int) - other).mean() > 2


@pytest.mark.slow
def test_colors_and_places_do_not_give_the_class_away():
    drawn = scenes(1000, seed=0, image_size=16)
    pixels = drawn.images.reshape(len(drawn), -1) / np.float32(255)
    test = np.arange(len(drawn)) % 5 == 0
    linear = RidgeClassifier(alpha=1000).fit(pixels[~test], drawn.labels[~test])
    assert linear.score(pixels[test], drawn.labels[test]) < 0.5
