import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from firmware_export.common.on_disk import Rows
from keras_satkd.camera.training import Mixture, Range, view_seeds
from keras_satkd.config import MixingConfig
from keras_satkd.data import augment, mix
from keras_satkd.data.view_numbers import OfView
from keras_satkd.training.batches import choices, evaluation_batches, training_batches
from keras_satkd.training.view_logits import ViewLogits


def view_logits(images: int, views: int, seed: int = 0) -> ViewLogits:
    """Logits that say which image and view they belong to."""
    logits = np.stack(np.meshgrid(np.arange(images), np.arange(views), indexing="ij"), axis=-1)[:, :, None]
    return ViewLogits(augment.view_draws(images, views, seed), logits.astype(np.float16))


def two_epochs(images, **settings):
    """The batches of the first two epochs."""
    epoch = tf.Variable(0, dtype=tf.int64)
    batches = training_batches(images, epoch=epoch, **settings)
    first = list(batches)
    epoch.assign(1)
    return first, list(batches)


def test_an_epoch_can_be_made_again(image_set):
    settings = {"batch_size": 10, "augmentation": "satellite", "camera": gain()}
    images = image_set(30)
    for seed, epoch in ((0, 0), (0, 1), (5, 1)):
        one, other = (training_batches(images, seed=seed, epoch=epoch, **settings) for _ in range(2))
        for (inputs, labels), (again, same) in zip(one, other, strict=True):
            np.testing.assert_array_equal(inputs["image"], again["image"])
            np.testing.assert_array_equal(labels, same)
    _, second = two_epochs(images, seed=0, **settings)
    for (inputs, _), (again, _) in zip(second, training_batches(images, seed=0, epoch=1, **settings), strict=True):
        np.testing.assert_array_equal(inputs["image"], again["image"])


@settings_of_hypothesis(deadline=None, max_examples=30)
@given(st.integers(1, 40), st.integers(1, 50), st.integers(0, 2**32), st.integers(0, 1000))
def test_no_image_is_chosen_twice(images, batch_size, seed, epoch):
    dataset = choices(images, batch_size, seed, epoch)
    found = list(dataset.as_numpy_iterator())
    assert len(found) == len(dataset) == max(1, images // batch_size)
    chosen = np.concatenate([indices for indices, _ in found])
    assert len(set(chosen)) == len(chosen)
    assert len({tuple(seeds) for _, seeds in found}) == len(found)
    assert chosen.min() >= 0
    assert chosen.max() < images


def test_an_epoch_shows_every_image_once_and_the_next_in_another_order(image_set):
    images = image_set(30)
    settings = {"batch_size": 10, "augmentation": "none", "seed": 0}
    epochs = [np.concatenate([inputs["image"] for inputs, _ in epoch]) for epoch in two_epochs(images, **settings)]
    for epoch in epochs:
        assert {image.tobytes() for image in epoch} == {image.tobytes() for image in images.images}
    assert (epochs[0] != epochs[1]).any()


def test_labels_stay_with_their_images(image_set):
    images = image_set(30)
    labels = {image.tobytes(): label for image, label in zip(images.images, images.labels, strict=True)}
    for inputs, batch_labels in training_batches(images, batch_size=10, augmentation="none", seed=0):
        for image, label in zip(inputs["image"].numpy(), batch_labels.numpy(), strict=True):
            assert labels[image.tobytes()] == label


@pytest.mark.parametrize("policy", augment.REPEATABLE)
def test_the_logits_are_those_of_the_very_view(image_set, policy):
    images, logits = image_set(12), view_logits(12, 3)
    for inputs, _ in training_batches(images, batch_size=4, augmentation=policy, seed=0, view_logits=logits):
        for image, said in zip(inputs["image"].numpy(), inputs["teacher_logits"].numpy(), strict=True):
            which, view = said[0].astype(int)
            draws = logits.draws[which, view][None]
            expected = np.asarray(augment.augment(images.images[which][None], draws, policy))[0]
            np.testing.assert_array_equal(image, expected)


def test_no_iterator_waits_for_autotuning(image_set):
    images = image_set(12)
    training = training_batches(images, batch_size=4, augmentation="satellite", seed=0)
    for batches in (training, evaluation_batches(images, 4)):
        assert batches.options().autotune.enabled is False


def test_averaged_logits_go_with_fresh_views(image_set):
    images, averaged = image_set(12), view_logits(12, 3).averaged()
    settings = {"batch_size": 12, "augmentation": "satellite", "seed": 0, "view_logits": averaged}
    epochs = []
    for [(inputs, _labels)] in two_epochs(images, **settings):
        which = inputs["teacher_logits"].numpy()[:, 0, 0].astype(int)
        np.testing.assert_array_equal(inputs["teacher_logits"].numpy()[:, 0, 1], np.ones(12))  # mean of views 0, 1, 2
        assert sorted(which) == list(range(12))
        epochs.append(inputs["image"].numpy()[np.argsort(which)])
    assert (epochs[0] != epochs[1]).any(axis=(1, 2, 3)).all()


def gain(share: float = 0.6) -> Mixture:
    return Mixture({"gain": Range(1.0, 0.5, 0.9)}, share)


def test_a_camera_disturbs_its_share_of_fresh_views(image_set):
    images = image_set(30)
    known = {image.tobytes() for image in images.images}
    batches = two_epochs(images, batch_size=30, augmentation="none", seed=0, camera=gain())
    epochs = [inputs["image"].numpy() for [(inputs, _)] in batches]
    kept = [np.mean([image.tobytes() in known for image in epoch]) for epoch in epochs]
    assert kept == pytest.approx([0.4, 0.4], abs=0.3)
    assert 0 < kept[0] != 1


def test_a_camera_disturbs_a_stored_view_always_in_the_same_way(image_set):
    images, logits = image_set(12), view_logits(12, 3)
    seeds = np.arange(36).reshape(12, 3)
    logits = dataclasses.replace(logits, camera_seeds=seeds)
    batches = training_batches(images, batch_size=4, augmentation="dihedral", seed=0, view_logits=logits, camera=gain())
    for inputs, _ in batches:
        for image, said in zip(inputs["image"].numpy(), inputs["teacher_logits"].numpy(), strict=True):
            which, view = said[0].astype(int)
            turned = augment.augment(images.images[which][None], logits.draws[which, view][None], "dihedral")
            np.testing.assert_array_equal(image, gain()(turned.numpy(), seeds[which, view][None])[0])


def test_a_camera_disturbs_validation_always_in_the_same_way(image_set):
    images = image_set(25)
    [(inputs, _)] = evaluation_batches(images, 25, camera=gain())
    np.testing.assert_array_equal(inputs["image"], gain()(images.images, view_seeds(25, 0, 0)))
    logits = dataclasses.replace(view_logits(25, 1), camera_seeds=np.arange(25)[:, None] + 7)
    [(inputs, _)] = evaluation_batches(images, 25, logits, gain())
    np.testing.assert_array_equal(inputs["image"], gain()(images.images, np.arange(25) + 7))


def test_views_change_from_epoch_to_epoch(image_set):
    settings = {"batch_size": 12, "augmentation": "dihedral", "seed": 0, "view_logits": view_logits(12, 8)}
    batches = two_epochs(image_set(12), **settings)
    seen = [{tuple(said[0]) for said in inputs["teacher_logits"].numpy()} for [(inputs, _)] in batches]
    assert seen[0] != seen[1]


@pytest.mark.parametrize(("images", "sizes"), [(25, [10, 10]), (6, [6])])
def test_the_small_last_batch_is_left_out_unless_it_is_the_only_one(image_set, images, sizes):
    batches = training_batches(image_set(images), batch_size=10, augmentation="none", seed=0)
    assert [len(labels) for _, labels in batches] == sizes


def test_evaluation_keeps_order_and_everything(image_set):
    images = image_set(25)
    batches = list(evaluation_batches(images, 10, view_logits(25, 1)))
    np.testing.assert_array_equal(np.concatenate([inputs["image"] for inputs, _ in batches]), images.images)
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in batches]), images.labels)
    said = np.concatenate([inputs["teacher_logits"] for inputs, _ in batches])
    np.testing.assert_array_equal(said[:, 0, 0], np.arange(25))


MIXED = MixingConfig(method="both", share=0.7)


def test_a_stored_view_is_mixed_with_the_same_view_of_its_partner_and_then_disturbed(image_set):
    images, random = image_set(12), np.random.default_rng(3)
    seeds = random.integers(0, 99, (12, 3))
    stored = dataclasses.replace(view_logits(12, 3), camera_seeds=seeds, mixing_draws=mix.view_draws(12, 3, 4))
    settings = {"augmentation": "satellite", "seed": 0, "view_logits": stored, "camera": gain(), "mixing": MIXED}
    for inputs, labels in training_batches(images, batch_size=4, keeps_clean=True, **settings):
        for at, said in enumerate(inputs["teacher_logits"].numpy()):
            which, view = said[0].astype(int)
            numbers = stored.mixing_draws[which, view][None]
            [partner] = mix.partners([which], numbers, 12).numpy()
            own, other = (
                augment.augment(images.images[index][None], stored.draws[index, view][None], "satellite")
                for index in (which, partner)
            )
            scene, parts = mix.mix_images(own, other, numbers, MIXED)
            np.testing.assert_array_equal(inputs["teacher_image"][at], scene[0])
            seen = gain()(scene.numpy(), seeds[which, view][None])
            np.testing.assert_array_equal(inputs["image"][at], seen[0])
            own_label, other_label = images.labels[[which]], images.labels[[partner]]
            np.testing.assert_array_equal(labels[at], mix.mix_labels(own_label, other_label, parts, 3)[0])


@pytest.mark.parametrize("method", ["mixup", "cutmix", "both"])
def test_fresh_views_are_mixed_anew_in_every_epoch_and_again_from_the_seed(image_set, method):
    images = image_set(60)
    known = {image.tobytes() for image in images.images}

    def epochs():
        mixing = MixingConfig(method=method, share=0.5)
        batches = two_epochs(images, batch_size=60, augmentation="none", seed=0, mixing=mixing)
        return [(inputs["image"].numpy(), labels.numpy()) for [(inputs, labels)] in batches]

    first, second = epochs()
    for pixels, labels in (first, second):
        assert labels.dtype == np.float32
        np.testing.assert_allclose(labels.sum(axis=1), 1, atol=1e-6)
        assert np.mean([image.tobytes() in known for image in pixels]) == pytest.approx(0.5, abs=0.2)
    assert (np.sort(first[1].max(axis=1)) != np.sort(second[1].max(axis=1))).any()
    for before, again in zip((first, second), epochs(), strict=True):
        np.testing.assert_array_equal(before[0], again[0])
        np.testing.assert_array_equal(before[1], again[1])


@pytest.mark.slow
def test_views_of_randaugment_are_mixed(image_set):
    batches = training_batches(image_set(12), batch_size=12, augmentation="randaugment", seed=0, mixing=MIXED)
    [(inputs, labels)] = batches
    assert inputs["image"].dtype == np.uint8
    np.testing.assert_allclose(labels.numpy().sum(axis=1), 1, atol=1e-6)
    assert (labels.numpy().max(axis=1) < 1).any()


def from_disk(images, folder):
    np.save(folder / "images.npy", images.images)
    return dataclasses.replace(images, images=Rows.open(folder / "images.npy"))


def by_view(values):
    return OfView(values.shape, values.dtype, lambda images, views: values[images, views])


@pytest.mark.parametrize("has_logits", [True, False])
def test_batches_from_disk_are_those_from_memory(image_set, tmp_path, has_logits):
    images = image_set(30)
    stored = dataclasses.replace(
        view_logits(30, 3), camera_seeds=np.arange(90).reshape(30, 3), mixing_draws=mix.view_draws(30, 3, 4)
    )
    far = ViewLogits(*map(by_view, (stored.draws, stored.logits, stored.camera_seeds, stored.mixing_draws)))
    settings = {"batch_size": 8, "augmentation": "satellite", "seed": 3, "camera": gain(), "mixing": MIXED}
    both = [
        two_epochs(each, view_logits=logits if has_logits else None, **settings)
        for each, logits in ((images, stored), (from_disk(images, tmp_path), far))
    ]
    for held, read in zip(*both, strict=True):
        for (inputs, labels), (same, again) in zip(held, read, strict=True):
            assert inputs.keys() == same.keys()
            for name, values in inputs.items():
                np.testing.assert_array_equal(values, same[name])
                assert values.shape == same[name].shape
            np.testing.assert_array_equal(labels, again)
    logits = (stored, far) if has_logits else (None, None)
    both = [
        evaluation_batches(each, 8, said, gain())
        for each, said in zip((images, from_disk(images, tmp_path)), logits, strict=True)
    ]
    for (inputs, labels), (same, again) in zip(*both, strict=True):
        for name, values in inputs.items():
            np.testing.assert_array_equal(values, same[name])
        np.testing.assert_array_equal(labels, again)
