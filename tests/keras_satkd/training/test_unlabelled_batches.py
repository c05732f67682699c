import dataclasses

import numpy as np
import pytest

from keras_satkd.config import TeachersConfig
from keras_satkd.method.fixmatch import STRONG, WEAK
from keras_satkd.settings.method_config import FixMatchConfig
from keras_satkd.training import unlabelled_batches

PLAIN = TeachersConfig(
    batch_size=6,
    augmentation="none",
    fixmatch=FixMatchConfig(weight=1.0, ratio=2, strong="none"),
    mixed_precision="off",
)


def numbered(image_set, count: int, seed: int = 0):
    """Images whose first pixel is their number."""
    found = image_set(count, seed)
    found.images[:, 0, 0, 0] = np.arange(count)
    return found


def numbers(batches, key):
    return [inputs[key][:, 0, 0, 0].tolist() for inputs, _ in batches]


@pytest.fixture
def sets(image_set):
    return numbered(image_set, 4), numbered(image_set, 40, 1)


def epoch(sets, number, config=PLAIN):
    return list(unlabelled_batches.batches(*sets, config, seed=3, epoch=number).as_numpy_iterator())


def test_an_epoch_passes_over_the_unlabelled_images_once_and_repeats_the_labelled_ones(sets):
    found = epoch(sets, 0)
    assert [inputs["image"].shape[0] for inputs, _ in found] == [6] * 3
    assert [inputs[WEAK].shape[0] for inputs, _ in found] == [12] * 3
    unlabelled = np.concatenate(numbers(found, WEAK)).tolist()
    assert len(set(unlabelled)) == 36
    assert numbers(found, WEAK) == numbers(found, STRONG)  # without augmentation, both views are the image
    for inputs, labels in found:
        np.testing.assert_array_equal(labels, sets[0].labels[inputs["image"][:, 0, 0, 0]])
    times = np.bincount(np.concatenate(numbers(found, "image")).tolist(), minlength=4)
    assert times.max() - times.min() <= 1


def test_no_iterator_waits_for_autotuning(sets):
    assert unlabelled_batches.batches(*sets, PLAIN, seed=3).options().autotune.enabled is False


def test_epochs_differ_and_can_be_repeated(sets):
    assert numbers(epoch(sets, 1), WEAK) == numbers(epoch(sets, 1), WEAK)
    assert numbers(epoch(sets, 1), WEAK) != numbers(epoch(sets, 0), WEAK)
    assert numbers(epoch(sets, 1), "image") != numbers(epoch(sets, 0), "image")


def test_weak_and_strong_views_are_made_by_their_augmentations(sets):
    fixmatch = dataclasses.replace(PLAIN.fixmatch, strong="strong")
    found = epoch(sets, 0, dataclasses.replace(PLAIN, augmentation="dihedral", fixmatch=fixmatch))
    for inputs, _ in found:
        for weak, strong in zip(inputs[WEAK], inputs[STRONG], strict=True):
            assert sorted(weak.ravel()) in [sorted(image.ravel()) for image in sets[1].images]
            assert (strong == 127).all(axis=-1).sum() >= 16  # a quarter of the square


def test_few_unlabelled_images_are_repeated_too(sets):
    labelled, unlabelled = sets
    found = epoch((unlabelled, labelled), 0)
    assert len(found) == 6
    assert {len(each) for each in numbers(found, WEAK)} == {12}
    assert len(set(np.concatenate(numbers(found, "image")).tolist())) == 36
