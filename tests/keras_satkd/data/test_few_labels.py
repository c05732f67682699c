import numpy as np
import pytest

from keras_satkd.data import few_labels
from keras_satkd.data.splits import hash_order


@pytest.fixture
def train(image_set):
    """In hash order, as the parts of a split are."""
    found = image_set(60)
    return found.take(hash_order(found.files, 0))


@pytest.mark.parametrize("number", [1, 5, 20])
def test_each_class_keeps_so_many_labels_and_every_image_is_somewhere(train, number):
    labelled, hidden = few_labels.divide(train, number)
    assert np.bincount(labelled.labels).tolist() == [min(number, 20)] * 3
    if number == 20:
        assert (hidden, labelled.files) == (None, train.files)
        return
    names = [*labelled.files, *(file.removeprefix("unlabelled/") for file in hidden.files)]
    assert sorted(names) == sorted(train.files)
    assert (hidden.class_names, set(hidden.labels.tolist())) == (("unlabelled",), {0})
    positions = {file: at for at, file in enumerate(train.files)}
    for part in (labelled, hidden):
        sources = [positions[file.removeprefix("unlabelled/")] for file in part.files]
        assert sources == sorted(sources)
        np.testing.assert_array_equal(part.images, train.images[sources])


def test_more_labels_contain_fewer(train):
    kept = [set(few_labels.divide(train, number)[0].files) for number in (1, 2, 7)]
    assert kept[0] < kept[1] < kept[2]


def test_another_seed_chooses_other_images(image_set):
    found = image_set(60)
    kept = [few_labels.divide(found.take(hash_order(found.files, seed)), 5)[0].files for seed in (0, 1)]
    assert set(kept[0]) != set(kept[1])


def test_joined_sets_have_all_images(train):
    _, hidden = few_labels.divide(train, 5)
    one, other = hidden.take([0, 1]), hidden.take([2])
    both = few_labels.joined(one, other)
    assert both.files == hidden.files[:3]
    np.testing.assert_array_equal(both.images, hidden.images[:3])
    assert few_labels.joined(None, other) is other
    assert few_labels.joined(one, None) is one
    assert few_labels.joined(None, None) is None
