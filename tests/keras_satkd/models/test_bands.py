import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from firmware_export.common.errors import UserError
from firmware_export.images.image_set import RGB
from keras_satkd.models import bands, teachers
from keras_satkd.models.stored_logits import StoredLogits
from keras_satkd.models.teacher import Teacher

NAMES = ("B02", "B03", "B04", "B08")
IMAGES = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 4), np.uint8)
ZOO = "mobilevit_xxs@64"


def network(channels, seed=0):
    tf_keras.utils.set_random_seed(seed)
    image = tf_keras.layers.Input((64, 64, channels))
    features = tf_keras.layers.Conv2D(4, 3, strides=4)(image)
    return tf_keras.Model(image, tf_keras.layers.Dense(3)(tf_keras.layers.GlobalAveragePooling2D()(features)))


def teacher(channels, **others):
    return Teacher("t", network(channels), 64, "imagenet", **others)


def test_a_teacher_of_rgb_sees_red_green_and_blue():
    found = bands.select(teacher(3), NAMES, (2, 1, 0))
    np.testing.assert_array_equal(found.logits(IMAGES), teacher(3).logits(IMAGES[..., [2, 1, 0]]))
    assert found.digest() != teacher(3).digest()
    assert bands.select(teacher(3), RGB, (0, 1, 2)).bands == ()


def test_a_teacher_of_named_bands_sees_those():
    made = teacher(2, band_names=("B08", "B02"))
    np.testing.assert_array_equal(bands.select(made, NAMES, None).logits(IMAGES), made.logits(IMAGES[..., [3, 0]]))
    with pytest.raises(UserError, match=r"teacher t sees band 'B08', the images have B02, B03: add it to --data.bands"):
        bands.select(made, ("B02", "B03"), None)


def test_a_teacher_whose_settings_choose_its_bands_keeps_them():
    made = teacher(3, bands=(3, 2, 1))
    assert bands.select(made, NAMES, None) is made
    with pytest.raises(UserError, match=r"teacher t sees band 4, the images have 3 \(red, green, blue\): correct its"):
        bands.select(made, RGB, (0, 1, 2))


def test_bands_are_chosen_again_for_other_images():
    made = bands.select(teacher(2, band_names=("B08", "B02")), NAMES, None)
    assert bands.select(made, NAMES[::-1], None).bands == (0, 3)
    assert bands.select(made, ("B08", "B02"), None).bands == ()


def test_stored_logits_see_no_images():
    stored = StoredLogits("s", ("a",), np.zeros((1, 1, 3), np.float32), "sha256")
    assert bands.select(stored, NAMES, None) is stored


def test_a_teacher_of_all_bands_takes_them_as_they_are():
    assert bands.select(teacher(4), NAMES, None).bands == ()
    with pytest.raises(UserError, match=r"teacher t takes 2 bands, the images have 4 \(B02, B03, B04, B08\)"):
        bands.select(teacher(2), NAMES, None)


def test_unknown_colors_are_asked_for():
    with pytest.raises(UserError, match=r"teacher t sees red, green and blue, and nothing tells .* --data.rgb"):
        bands.select(teacher(3), ("1", "2", "3", "4"), None)
    with pytest.raises(UserError, match=r"teacher a@64 \(--teachers.bands rgb\) sees"):
        bands.check(("1", "2", "3", "4"), None, "rgb", ["a@64"])
    for names, rgb, seen in ((NAMES, (2, 1, 0), "rgb"), (RGB, None, "rgb"), (NAMES, None, "all")):
        bands.check(names, rgb, seen, ["a@64"])
    bands.check(NAMES, None, "rgb", [])


@pytest.mark.slow
def test_a_wider_first_layer_begins_as_the_network_of_rgb():
    tf_keras.utils.set_random_seed(1)
    narrow = teachers.build(ZOO, 3, "none")
    wide = bands.for_fine_tuning(narrow, ZOO, NAMES, (2, 1, 0), "all")
    assert (wide.channels, wide.bands, wide.band_names) == (4, (2, 1, 0, 3), ("B04", "B03", "B02", "B08"))
    expected = narrow.logits(tf.constant(IMAGES[..., [2, 1, 0]]))
    np.testing.assert_allclose(wide.logits(tf.constant(IMAGES)), expected, atol=1e-5)
    averaged = bands.for_fine_tuning(narrow, ZOO, NAMES, None, "all")
    gray = np.repeat(IMAGES[..., :1], 4, axis=-1)
    # Without colors, every band has the same part in the first layer, and all together as much as RGB.
    np.testing.assert_allclose(averaged.logits(tf.constant(gray)), narrow.logits(tf.constant(gray[..., :3])), atol=0.05)


@pytest.mark.slow
def test_a_teacher_of_all_bands_is_read_as_it_was_written(tmp_path):
    tf_keras.utils.set_random_seed(1)
    made = bands.for_fine_tuning(teachers.build(ZOO, 3, "none"), ZOO, NAMES, (2, 1, 0), "all")
    teachers.save(made, ("a", "b", "c"), {}, tmp_path / "t")
    found = bands.select(teachers.load(str(tmp_path / "t")), NAMES, None)
    assert (found.bands, found.band_names) == (made.bands, made.band_names)
    np.testing.assert_allclose(found.logits(tf.constant(IMAGES)), made.logits(tf.constant(IMAGES)), atol=1e-5)
    swapped = bands.select(teachers.load(str(tmp_path / "t")), NAMES[::-1], None)
    np.testing.assert_allclose(
        swapped.logits(tf.constant(IMAGES[..., ::-1])), made.logits(tf.constant(IMAGES)), atol=1e-5
    )


def test_fine_tuning_on_rgb_records_its_bands():
    found = bands.for_fine_tuning(teacher(3), "t@64", NAMES, (2, 1, 0), "rgb")
    assert (found.bands, found.band_names) == ((2, 1, 0), ("B04", "B03", "B02"))
    assert bands.for_fine_tuning(teacher(3), "t@64", RGB, (0, 1, 2), "all").band_names == ()
