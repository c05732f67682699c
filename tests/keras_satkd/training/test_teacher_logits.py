import numpy as np

from keras_satkd.camera.training import Mixture, Range
from keras_satkd.data import augment
from keras_satkd.training import teacher_logits


def test_every_view_is_what_the_teacher_says_of_it(image_set, teacher, tmp_path):
    images, both = image_set(5), [teacher("one", 1), teacher("two", 2)]
    known = teacher_logits.compute_view_logits(
        both, images.images, policy="satellite", views=3, seed=9, folder=tmp_path, batch_size=2
    )
    assert known.logits.shape == (5, 3, 2, 3)
    for view in range(3):
        seen = augment.augment(images.images, known.draws[:, view], "satellite")
        for position, each in enumerate(both):
            np.testing.assert_allclose(known.logits[:, view, position], each.logits(seen), atol=2e-3)


def test_a_teacher_sees_the_views_as_the_camera_gives_them(image_set, teacher, tmp_path):
    images, one, camera = image_set(5), teacher("one", 1), Mixture({"gain": Range(1.0, 0.5, 0.9)}, 0.7)
    settings = {"policy": "dihedral", "views": 2, "seed": 9, "folder": tmp_path}
    clean = teacher_logits.compute_view_logits([one], images.images, **settings)
    known = teacher_logits.compute_view_logits([one], images.images, camera=camera, **settings)
    assert clean.camera_seeds is None
    np.testing.assert_array_equal(known.draws, clean.draws)
    for view in range(2):
        turned = augment.augment(images.images, known.draws[:, view], "dihedral").numpy()
        seen = camera(turned, known.camera_seeds[:, view])
        np.testing.assert_allclose(known.logits[:, view, 0], one.logits(seen), atol=2e-3)
    assert len(list(tmp_path.iterdir())) == 4
    assert known.averaged().camera_seeds is None


def test_finished_views_are_read_and_missing_ones_made(image_set, teacher, tmp_path):
    images, one = image_set(4), [teacher("one")]
    first = teacher_logits.compute_view_logits(one, images.images, policy="dihedral", views=2, seed=0, folder=tmp_path)
    marked = np.full((4, 3), 7, np.float16)
    for path in tmp_path.iterdir():
        if (np.load(path) == first.logits[:, 0, 0]).all():
            np.save(path, marked)
        else:
            path.unlink()
    again = teacher_logits.compute_view_logits(one, images.images, policy="dihedral", views=2, seed=0, folder=tmp_path)
    np.testing.assert_array_equal(again.logits[:, 0, 0], marked)
    np.testing.assert_array_equal(again.logits[:, 1], first.logits[:, 1])
