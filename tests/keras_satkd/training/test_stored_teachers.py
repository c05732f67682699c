import dataclasses

import numpy as np
import pytest

from firmware_export.common.errors import UserError
from keras_satkd.config import CameraConfig, DistillationConfig, MixingConfig, TeachersConfig
from keras_satkd.data import augment
from keras_satkd.models.stored_logits import StoredLogits
from keras_satkd.training.stored_teachers import check, check_can_label, have_views, logits_of_views

FILES = ("a", "b")


def stored(views: int) -> StoredLogits:
    values = np.random.default_rng(0).normal(size=(2, views, 3)).astype(np.float32)
    return StoredLogits("given", FILES, values, "sha256")


def test_the_student_sees_the_views_of_the_file_if_it_is_told_to(teacher):
    assert have_views([teacher(), stored(8)], "dihedral", 8)
    assert not have_views([teacher(), stored(1)], "dihedral", 8)
    assert not have_views([stored(8)], "satellite", 8)
    assert not have_views([stored(8)], "dihedral", 4)


def test_which_logits_belong_to_which_view():
    eight, one = stored(8), stored(1)
    np.testing.assert_array_equal(logits_of_views(eight, ["b"], "dihedral", True), eight.values[1:])
    np.testing.assert_array_equal(logits_of_views(eight, FILES, "none", False), eight.values[:, :1])
    for policy in ("none", "dihedral", "satellite"):
        np.testing.assert_array_equal(logits_of_views(one, FILES, policy, False), one.values)
    mean = eight.values.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(logits_of_views(eight, FILES, "satellite", False), mean, rtol=1e-5)


def test_the_views_are_in_the_order_that_the_documentation_gives():
    image = np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3)
    draws = augment.dihedral_draws(1)
    for view in range(8):
        expected = image[0]
        expected = expected[::-1] if view & 1 else expected
        expected = expected[:, ::-1] if view & 2 else expected
        expected = expected.transpose(1, 0, 2) if view & 4 else expected
        np.testing.assert_array_equal(augment.augment(image, draws[:, view], "dihedral")[0], expected)


LOSS = DistillationConfig(augmentation="dihedral")


@pytest.mark.parametrize(
    ("views", "loss", "camera", "message"),
    [
        (1, {"teacher_logits": "in-loop"}, None, r"in-loop runs teachers: use --distillation\.teacher-logits precomp"),
        (1, {"mixing": MixingConfig(method="mixup")}, None, r"use --distillation\.mixing\.method none"),
        (1, {}, CameraConfig(sensor="poor"), r"use --camera\.teachers-see clean"),
        (
            8,
            {"augmentation": "satellite"},
            None,
            r"not of those of --distillation\.augmentation satellite: use dihedral",
        ),
        (8, {"views": 4}, None, r"--distillation\.views is 4: use 8"),
        (1, {}, None, None),
        (1, {"augmentation": "satellite", "views": 3}, None, None),
        (1, {}, CameraConfig(sensor="poor", teachers_see="clean"), None),
        (8, {}, None, None),
        (8, {"augmentation": "satellite", "teacher_logits": "averaged"}, None, None),
    ],
)
def test_settings(views, loss, camera, message):
    settings = dataclasses.replace(LOSS, **loss)
    given = stored(views), FILES, settings, settings, camera or CameraConfig()
    if message is None:
        check(*given)
    else:
        with pytest.raises(UserError, match=message):
            check(*given)


def test_settings_of_teachers_that_are_taught(teacher):
    with pytest.raises(UserError, match=r"--teachers\.augmentation satellite"):
        check(stored(8), FILES, LOSS, TeachersConfig(), CameraConfig())
    check(stored(8), FILES, LOSS, TeachersConfig(augmentation="dihedral"), CameraConfig())
    check(teacher(), ("other",), DistillationConfig(teacher_logits="in-loop"), TeachersConfig(), CameraConfig())


def test_images_are_checked():
    with pytest.raises(UserError, match="given lacks 'c'"):
        check(stored(1), ("a", "b", "c"), LOSS, LOSS, CameraConfig())


def test_who_can_label_images(teacher):
    check_can_label([teacher(), None])
    with pytest.raises(UserError, match="teacher given is a file of logits and cannot label the images"):
        check_can_label([teacher(), stored(1)])
    with pytest.raises(UserError, match=r"--data\.unlabelled needs teachers"):
        check_can_label([])
