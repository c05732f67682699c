import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_export.common.errors import UserError
from firmware_export.images.image_set import ImageSet
from keras_satkd.config import DataConfig
from keras_satkd.data.splits import split


def image_set(counts, order=None):
    """Images of one pixel each, whose value is not needed: a split looks at names alone."""
    class_names = tuple(f"class{label}" for label in range(len(counts)))
    labels = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    files = [f"{class_names[label]}/{index}.png" for label, n in enumerate(counts) for index in range(n)]
    order = np.arange(len(files)) if order is None else order
    images = (np.arange(len(files)) % 256).astype(np.uint8).reshape(-1, 1, 1, 1).repeat(3, axis=3)
    return ImageSet(images[order], labels[order], tuple(files[index] for index in order), class_names)


counts = st.lists(st.integers(3, 40), min_size=2, max_size=5)
fractions = st.floats(0.01, 0.49)


@given(counts, fractions, fractions, st.integers(0, 2**32))
def test_parts_are_disjoint_complete_and_stratified(counts, validation_fraction, test_fraction, seed):
    whole = image_set(counts)
    settings = DataConfig(validation_fraction=validation_fraction, test_fraction=test_fraction, seed=seed)
    parts = split(whole, settings)
    files = [*parts.train.files, *parts.validation.files, *parts.test.files]
    assert sorted(files) == sorted(whole.files)
    for part, fraction in ((parts.validation, validation_fraction), (parts.test, test_fraction)):
        drawn = np.bincount(part.labels, minlength=len(counts))
        assert (drawn >= 1).all()
        # Rounding moves half an image; the guarantee of one image a part moves at most one more.
        assert (np.abs(drawn - fraction * np.array(counts)) <= 1.5).all()
    assert (np.bincount(parts.train.labels, minlength=len(counts)) >= 1).all()


@given(counts, st.integers(0, 2**32), st.randoms(use_true_random=False))
def test_order_of_files_does_not_matter(counts, seed, random):
    order = list(range(sum(counts)))
    random.shuffle(order)
    one, other = (split(image_set(counts, o), DataConfig(seed=seed)) for o in (None, np.array(order)))
    assert one.sha256 == other.sha256
    assert one.train.files == other.train.files
    np.testing.assert_array_equal(one.train.images, other.train.images)
    np.testing.assert_array_equal(one.test.labels, other.test.labels)


def test_images_stay_with_their_labels_and_names():
    whole = image_set([20, 20])
    expected = dict(zip(whole.files, zip(whole.images, whole.labels, strict=True), strict=True))
    part = split(whole, DataConfig()).validation
    for file, pixel, label in zip(part.files, part.images, part.labels, strict=True):
        np.testing.assert_array_equal(pixel, expected[file][0])
        assert label == expected[file][1]


def test_another_seed_is_another_split():
    whole = image_set([30, 30])
    assert split(whole, DataConfig(seed=1)).sha256 != split(whole, DataConfig(seed=2)).sha256


def test_images_added_to_one_class_move_no_image_of_another():
    few, many = (split(image_set([20, n]), DataConfig()).file_list() for n in (20, 200))
    for part in few:
        assert [f for f in few[part] if f.startswith("class0")] == [f for f in many[part] if f.startswith("class0")]


def test_same_split_on_every_platform():
    parts = split(image_set([5, 5]), DataConfig())
    assert parts.file_list()["test"] == ["class0/4.png", "class1/0.png"]
    assert parts.sha256 == "57ecaf71ff9bb4ea0fa2e87f420e3e930d3e3ed6c137c7a428d083126b122507"


def test_any_stretch_of_the_training_images_holds_all_classes():
    train = split(image_set([100, 100, 100]), DataConfig()).train
    assert set(train.labels[:30]) == {0, 1, 2}


def test_class_with_two_images_is_named():
    with pytest.raises(UserError, match="class 'class1' has 2 readable images to split; at least 3"):
        split(image_set([9, 2]), DataConfig())


def test_file_names_that_are_no_utf8():
    whole = image_set([3, 3])
    odd = ImageSet(whole.images, whole.labels, ("class0/f\udcfcr.png", *whole.files[1:]), whole.class_names)
    assert split(odd, DataConfig()).sha256 != split(whole, DataConfig()).sha256


def came_split(counts, parts, seed=0):
    """Images whose parts are drawn, so that every class has one of each part and two for training."""
    whole = image_set(counts)
    drawn = np.random.default_rng(seed).choice(parts, len(whole))
    first = np.cumsum([0, *counts[:-1]])
    for position, part in enumerate((*parts, "train", "train")):
        drawn[first + position] = part
    return ImageSet(whole.images, whole.labels, whole.files, whole.class_names, tuple(drawn))


many = st.lists(st.integers(6, 40), min_size=2, max_size=4)


@given(many, st.integers(0, 2**32))
def test_parts_that_the_set_came_with_are_kept(counts, seed):
    whole = came_split(counts, ("train", "validation", "test"), seed)
    found = split(whole, DataConfig(seed=seed)).file_list()
    for part in found:
        assert found[part] == sorted(file for file, own in zip(whole.files, whole.parts, strict=True) if own == part)


@given(many, st.sampled_from(["validation", "test"]), st.integers(0, 2**32))
def test_a_part_that_the_set_lacks_comes_from_its_training_images(counts, lacking, seed):
    kept = {"validation": "test", "test": "validation"}[lacking]
    whole = came_split(counts, ("train", kept), seed)
    parts = split(whole, DataConfig(seed=seed))
    found = parts.file_list()
    own = {part: {file for file, its in zip(whole.files, whole.parts, strict=True) if its == part} for part in found}
    assert set(found[kept]) == own[kept]
    assert set(found["train"]) | set(found[lacking]) == own["train"]
    for label in range(len(counts)):
        assert (parts.train.labels == label).any()
        assert (getattr(parts, lacking).labels == label).any()


def test_a_new_split_ignores_the_parts():
    whole = came_split([20, 20], ("train", "test"))
    assert split(whole, DataConfig(parts="new")).sha256 == split(image_set([20, 20]), DataConfig()).sha256


def test_parts_that_do_not_suffice_are_explained():
    with pytest.raises(UserError, match=r"--data\.parts own: photos does not come split"):
        split(image_set([9, 9]), DataConfig(source="photos", parts="own"))
    whole = image_set([9, 9])
    no_training = ImageSet(whole.images, whole.labels, whole.files, whole.class_names, ("validation", "test") * 9)
    with pytest.raises(UserError, match="has only validation and test images: add its training images"):
        split(no_training, DataConfig())
    no_test = ImageSet(whole.images, whole.labels, whole.files, whole.class_names, ("train",) * 15 + ("test",) * 3)
    with pytest.raises(UserError, match=r"class 'class0' has no test images: add some, or use --data\.parts new"):
        split(no_test, DataConfig())
