import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from firmware_export.images.image_set import ImageSet
from keras_satkd.data import duplicates, synthetic


def as_set(images, name):
    files = tuple(f"{name}/{index}.png" for index in range(len(images)))
    return ImageSet(images, np.zeros(len(images), np.int32), files, ("A", "B"))


@pytest.fixture(scope="module")
def scenes():
    return synthetic.scenes(120, 0, 64).images


def jpeg(image):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=75)
    return np.asarray(Image.open(stream))


CHANGES = {
    "JPEG": jpeg,
    "brighter": lambda image: np.clip(1.1 * image.astype(float), 0, 255).astype(np.uint8),
    "smaller": lambda image: np.asarray(Image.fromarray(image).resize((48, 48)).resize((64, 64))),
}


def test_exact_duplicates(scenes):
    train, test = as_set(scenes[:80], "train"), as_set(scenes[[3, 90, 5, 3]], "test")
    found = duplicates.find(train, [as_set(scenes[80:90], "validation"), test])
    assert np.flatnonzero(found.exact).tolist() == [3, 5]
    assert found.example == ("train/3.png", "test/0.png")
    assert "training images are in another part too (2 exactly, " in found.summary()


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_most_changed_copies_are_found(scenes, change):
    copies = np.stack([change(image) for image in scenes])
    structured = copies.mean(axis=-1).std(axis=(1, 2)) > 4
    found = duplicates.find(as_set(scenes, "train"), [as_set(copies, "test")])
    assert found.images[structured].mean() > 0.8


def test_noise_and_plain_images_are_no_near_duplicates():
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (200, 64, 64, 3)).astype(np.uint8)
    plain = np.repeat(np.arange(100, dtype=np.uint8), 64 * 64 * 3).reshape(100, 64, 64, 3)
    noise_pairs = duplicates.find(as_set(noise[:100], "train"), [as_set(noise[100:], "test")])
    plain_pairs = duplicates.find(as_set(plain[::2], "train"), [as_set(plain[1::2], "test")])
    assert noise_pairs.summary() is None
    assert plain_pairs.summary() is None


def test_many_equal_images_are_counted_once():
    black = np.zeros((500, 8, 8, 3), np.uint8)
    found = duplicates.find(as_set(black, "train"), [as_set(black, "test")])
    assert (found.exact.sum(), found.near.sum()) == (500, 0)


@pytest.mark.parametrize(("dtype", "scale"), [(np.uint16, 16), (np.float32, 1 / 255)])
def test_images_of_more_bits_and_bands(scenes, dtype, scale):
    deep = (np.concatenate([scenes, scenes[..., :1]], axis=-1) * scale).astype(dtype)
    found = duplicates.find(as_set(deep[:60], "train"), [as_set(deep[60:], "test")])
    same = duplicates.find(as_set(deep[:60], "train"), [as_set(deep[:60] * dtype(1), "test")])
    assert found.images.mean() < 0.2
    assert same.exact.all()


def test_no_images():
    none = as_set(np.zeros((0, 8, 8, 3), np.uint8), "test")
    assert duplicates.find(none, [none]).summary() is None
    assert dataclasses.astuple(duplicates.find(none, []))[2] is None


def test_the_same_picture_in_two_classes(scenes):
    train = as_set(scenes[:9], "train")
    test = dataclasses.replace(as_set(scenes[[3, 5, 20]], "test"), labels=np.array([0, 1, 1], np.int32))
    assert duplicates.of_two_classes([train, as_set(scenes[:9], "copies")]) is None
    said = duplicates.of_two_classes([train, test])
    assert (
        said == "the same picture is in two classes, 1 times, such as train/5.png and test/1.png: correct their labels"
    )


def test_repetitions_within_a_set():
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (5, 32, 32, 3), np.uint8)
    pixels[3] = pixels[1]
    pixels[4] = np.clip(pixels[0].astype(int) + 2, 0, 255)
    files = tuple("abcde")
    found = duplicates.repeated(ImageSet(pixels, np.zeros(5, np.int32), files, ("one",)))
    assert found.tolist() == [False, False, False, True, True]
