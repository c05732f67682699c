import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from firmware_export.common.errors import UserError
from firmware_export.images.image_set import PARTS, ImageSet
from keras_satkd.data.groups import on_sphere
from keras_satkd.data.splits import split
from keras_satkd.settings.data_config import DataConfig


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


def grouped(counts, groups, seed=0, parts=()):
    """Images in groups, so that each class is in at least three of them."""
    whole = image_set(counts)
    drawn = np.random.default_rng(seed).integers(0, groups, len(whole))
    first = np.cumsum([0, *counts[:-1]])
    for group in range(3):
        drawn[first + group] = group
    return dataclasses.replace(whole, groups=tuple(f"scene {group}" for group in drawn), parts=parts)


@given(st.lists(st.integers(12, 40), min_size=2, max_size=4), st.integers(6, 12), st.integers(0, 99))
def test_no_group_is_in_two_parts_and_every_image_in_one(counts, groups, seed):
    whole = grouped(counts, groups, seed)
    parts = split(whole, DataConfig(seed=seed))
    held = {part: set(getattr(parts, part).groups) for part in PARTS}
    assert sum(map(len, held.values())) == len(set(whole.groups))
    assert set().union(*held.values()) == set(whole.groups)
    assert sorted(itertools.chain(*parts.file_list().values())) == sorted(whole.files)
    assert parts.groups == tuple(len(held[part]) for part in PARTS)
    for part in PARTS:
        assert (np.bincount(getattr(parts, part).labels, minlength=len(counts)) >= 1).all()


@given(st.integers(0, 99), st.randoms(use_true_random=False))
def test_groups_do_not_depend_on_the_order_of_files(seed, random):
    whole = grouped([20, 30], 9, seed)
    order = list(range(len(whole)))
    random.shuffle(order)
    assert split(whole, DataConfig()).sha256 == split(whole.take(order), DataConfig()).sha256


def test_groups_of_one_image_are_split_as_without_groups():
    whole = image_set([50, 100])
    alone = dataclasses.replace(whole, groups=whole.files)
    parts, plain = split(alone, DataConfig()), split(whole, DataConfig())
    for part in PARTS:
        found, expected = (np.bincount(getattr(each, part).labels) for each in (parts, plain))
        assert (np.abs(found - expected) <= 1).all()


def test_a_group_in_two_parts_of_a_given_split():
    whole = grouped([20, 20], 6, parts=("train", "test") * 20)
    with pytest.raises(UserError, match=r"group 'scene .*' is in two parts of the set's own split: class0/.* is in t"):
        split(whole, DataConfig())
    assert split(whole, DataConfig(parts="new")).groups


def test_a_lacking_part_is_made_of_whole_groups():
    whole = grouped([20, 30], 9)
    own = tuple("test" if group in ("scene 0", "scene 4") else "train" for group in whole.groups)
    parts = split(dataclasses.replace(whole, parts=own), DataConfig())
    assert set(parts.test.groups) == {"scene 0", "scene 4"}
    assert not set(parts.train.groups) & set(parts.validation.groups)
    assert "(the set's own parts); groups: " in parts.summary()


def test_too_few_groups_of_a_class():
    whole = image_set([20, 20])
    groups = ["one", "two", "three", "four"] * 5 + ["one", "two"] * 10
    with pytest.raises(UserError, match="class 'class1' is in 2 groups to split; at least 3 are needed, one for each"):
        split(dataclasses.replace(whole, groups=tuple(groups)), DataConfig())


def area(side, classes=2, spacing=640.0):
    """A square of tiles that touch each other, of classes in turn."""
    whole = image_set([side * side // classes] * classes)
    at = np.random.default_rng(0).permutation(len(whole))
    return dataclasses.replace(whole, positions=spacing * np.stack([at % side, at // side], axis=1).astype(float))


@settings_of_hypothesis(deadline=None, max_examples=20)
@given(st.integers(0, 99), st.sampled_from([3200.0, 5000.0]), st.booleans())
def test_neighbors_are_never_in_two_parts(seed, block, is_sphere):
    whole = area(20)
    if is_sphere:
        degrees = whole.positions / 640 * 0.00576
        whole = dataclasses.replace(whole, positions=on_sphere(10 + 2 * degrees[:, 0], 60 + degrees[:, 1]))
        block /= 1000
    parts = split(whole, DataConfig(seed=seed, block=block))
    tile = 0.64 if is_sphere else 640
    for one, other in itertools.combinations(PARTS, 2):
        places = [getattr(parts, part).positions for part in (one, other)]
        apart = np.linalg.norm(places[0][:, None] - places[1][None], axis=-1).min()
        assert apart > 1.42 * tile
    assert sum(map(len, parts.file_list().values())) + parts.left_out == len(whole)
    assert f"; {parts.left_out} left out beside other parts" in parts.summary()


def test_without_a_gap_no_image_is_left_out():
    parts = split(area(20), DataConfig(block=3200.0, block_gap=0.0))
    assert parts.left_out == 0
    assert sum(map(len, parts.file_list().values())) == 400
    blocks = {part: set(map(tuple, getattr(parts, part).positions // 3200)) for part in PARTS}
    for one, other in itertools.combinations(PARTS, 2):
        assert not blocks[one] & blocks[other]


def test_blocks_need_places_and_must_be_small_enough():
    with pytest.raises(UserError, match=r"--data\.block 5 needs the places of the images, which photos does not tell"):
        split(image_set([9, 9]), DataConfig(source="photos", block=5.0))
    with pytest.raises(UserError, match=r"class 'class0' is in 1 group to split; .*use smaller groups or blocks"):
        split(area(6), DataConfig(block=1e6))
    with pytest.raises(UserError, match=r"has no train images: use a smaller --data\.block or --data\.block-gap"):
        split(area(6), DataConfig(block=1300.0, block_gap=3000.0))


def test_what_was_found_is_listed():
    parts = split(image_set([10, 20]), DataConfig())
    assert parts.classes() == [
        "class0: 7 train, 1 validation, 2 test",
        "class1: 14 train, 2 validation, 4 test",
    ]
    many = split(image_set([30] * 10 + [10] * 20), DataConfig()).classes()
    assert many[0] == "class10: 7 train, 1 validation, 2 test"
    assert many[-1] == "… and 10 larger classes"


def test_duplicates_are_removed_from_training(caplog):
    whole = image_set([20, 20])
    plain = split(whole, DataConfig())
    images = np.arange(40, dtype=np.uint8).reshape(-1, 1, 1, 1).repeat(3, axis=3)
    at = {file: index for index, file in enumerate(whole.files)}
    images[at[plain.train.files[0]]] = images[at[plain.test.files[0]]]
    with caplog.at_level("INFO", "keras_satkd"):
        parts = split(dataclasses.replace(whole, images=images), DataConfig(deduplicate=True))
    assert parts.train.files == plain.train.files[1:]
    assert parts.test.files == plain.test.files
    assert "1 training images are in another part too (1 exactly, 0 nearly), such as " in caplog.text
    with pytest.raises(UserError, match=r"--data\.deduplicate leaves no training images of class 'class0'"):
        split(dataclasses.replace(whole, images=np.zeros_like(images)), DataConfig(deduplicate=True))
