import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from firmware_export.common.errors import UserError
from keras_satkd.data import sources
from keras_satkd.data import tfds as tfds_images
from keras_satkd.settings.data_config import DataConfig


class TinyFields(tfds.core.GeneratorBasedBuilder):
    """Two splits, gray images of 6x6, a class list out of order, one example without a class."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {
            "note": tfds.features.Text(),
            "picture": tfds.features.Image(shape=(None, None, 1)),
            "kind": tfds.features.ClassLabel(names=["wheat", "barley"]),
        }
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(6), "test": self._generate_examples(5)}

    def _generate_examples(self, number=0):
        for index in range(number):
            picture = np.full((6, 6, 1), 40 * index, np.uint8)
            yield index, {"note": "", "picture": picture, "kind": -1 if index == 5 else index % 2}


class TinyTexts(tfds.core.GeneratorBasedBuilder):
    """No image."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {"text": tfds.features.Text(), "label": tfds.features.ClassLabel(num_classes=2)}
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        raise AssertionError("told before anything is prepared")

    def _generate_examples(self):
        yield


@pytest.fixture
def settings(tmp_path):
    def make(source, **others):
        values = {"data_dir": str(tmp_path / "tfds"), "cache_dir": str(tmp_path / "cache"), "image_size": 8}
        return DataConfig(source=source, **{**values, **others})

    return make


@pytest.mark.slow
def test_builder_is_prepared_and_its_splits_put_together(settings):
    image_set = sources.load(settings("tiny_fields"))
    assert image_set.class_names == ("barley", "wheat")
    assert len(image_set) == 10
    assert image_set.parts == tuple(file.split(":")[0] for file in image_set.files) == ("test",) * 5 + ("train",) * 5
    shade = image_set.images[:, 0, 0, 0]
    # Even shades (index 0, 2, 4) are wheat: position 1 once the names are sorted.
    np.testing.assert_array_equal(image_set.labels, [1 if value % 80 == 0 else 0 for value in shade])
    again = sources.load(settings("tiny_fields"))
    np.testing.assert_array_equal(again.images, image_set.images)
    assert sources.split(again, settings("")).sha256 == sources.split(image_set, settings("")).sha256


@pytest.mark.slow
def test_prepared_data_set_needs_no_code(settings, tmp_path):
    class ElsewhereDefined(TinyFields, skip_registration=True):
        """Known to the program that prepared it, not to this one."""

    ElsewhereDefined(data_dir=tmp_path / "tfds").download_and_prepare()
    assert len(sources.load(settings("elsewhere_defined"))) == 10


def test_mocked_eurosat(settings, monkeypatch):
    info = tfds.core.SplitInfo(name="train", shard_lengths=[40], num_bytes=0)
    parts = tfds.core.splits.SplitDict([info])
    monkeypatch.setattr(tfds.core.DatasetInfo, "splits", property(lambda self: parts))
    with tfds.testing.mock_data(num_examples=40):
        image_set = sources.load(settings("eurosat/rgb"))
    assert image_set.images.shape == (40, 8, 8, 3)
    assert image_set.class_names[1] == "Forest"
    assert image_set.files[3] == "train:3"
    assert image_set.parts == ()


def test_mocked_eurosat_of_13_bands(settings, monkeypatch):
    info = tfds.core.SplitInfo(name="train", shard_lengths=[40], num_bytes=0)
    parts = tfds.core.splits.SplitDict([info])
    monkeypatch.setattr(tfds.core.DatasetInfo, "splits", property(lambda self: parts))
    with tfds.testing.mock_data(num_examples=40):
        image_set = sources.load(settings("eurosat/all", image_size=64))
        some = sources.load(settings("eurosat/all", image_size=64, bands=("B04", "b03", "2", "B8A")))
    assert image_set.images.shape == (40, 64, 64, 13)
    assert image_set.channel_names == (*(f"B{band:02}" for band in range(1, 13)), "B8A")
    assert some.channel_names == ("B04", "B03", "B02", "B8A")
    np.testing.assert_array_equal(some.images, image_set.images[..., [3, 2, 1, 12]])


@pytest.mark.slow
def test_samples_on_disk_in_the_form_of_eurosat(settings, tmp_path):
    features = tfds.features.FeaturesDict(
        {
            "sentinel2": tfds.features.Tensor(shape=(8, 8, 13), dtype=np.float32),
            "label": tfds.features.ClassLabel(names=["Forest", "River"]),
        }
    )
    samples = np.random.default_rng(0).integers(0, 10_000, (6, 8, 8, 13))
    made = tf.data.Dataset.from_tensor_slices(
        {"sentinel2": samples.astype(np.float32), "label": np.arange(len(samples)) % 2}
    )
    tfds.dataset_builders.store_as_tfds_dataset(
        name="tiny_bands",
        version="1.0.0",
        features=features,
        split_datasets={"train": made},
        data_dir=tmp_path / "tfds",
        disable_shuffling=True,
    )
    image_set = sources.load(settings("tiny_bands"))
    assert image_set.images.dtype == np.uint16
    np.testing.assert_array_equal(image_set.images, samples)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("eurosatt", "did you mean 'eurosat'"),
        ("qqqqqqqq", "no folder, zip or TFDS data set of that name"),
        ("eurosat/rbg", r"unknown configuration of TFDS eurosat 'rbg': did you mean 'rgb'\?"),
        ("eurosat/rgb:9.9.9", "cannot be loaded at version 9.9.9"),
        ("tiny_texts", r"no image classification data set: .* but has text \(Text\), label \(ClassLabel\)"),
    ],
)
def test_name_that_does_not_serve(source, message, settings):
    with pytest.raises(UserError, match=message):
        sources.load(settings(source))


def fail(*args, **kwargs):
    raise ConnectionError("HTTPConnectionPool(host='madm.dfki.de', port=80): Max retries exceeded\nmore")


def test_host_that_is_down_for_eurosat(settings, monkeypatch):
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", fail)
    with pytest.raises(UserError) as raised:
        sources.load(settings("eurosat/rgb"))
    message = str(raised.value)
    for part in ("records/7711810", "--data PATH/EuroSAT_RGB.zip", "--data.source", "--data-dir", "madm.dfki.de"):
        assert part in message
    assert "\n" not in message


def test_host_that_is_down_for_others(settings, monkeypatch):
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", fail)
    with pytest.raises(UserError, match="TFDS could not download mnist: give an image folder or a zip"):
        sources.load(settings("mnist"))


def test_full_disk_is_not_called_a_download_error(settings, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", full)
    with pytest.raises(OSError, match="No space left"):
        sources.load(settings("mnist"))


def test_retries_of_tfds_are_as_before():
    before = tfds_images.downloader.MAX_RETRIES
    with tfds_images._fewer_retries():
        within = tfds_images.downloader.MAX_RETRIES
    after = tfds_images.downloader.MAX_RETRIES
    assert within < before == after
