"""Image-classification data sets of TensorFlow Datasets. The only module of the data side that imports TensorFlow."""

import contextlib
import difflib
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.core.download import downloader

from firmware_export.common.errors import UserError, is_disk_full, unknown_name
from firmware_export.images.decode import Decoded, EncodedImage, decode_all
from firmware_export.images.layout import part_of
from firmware_export.images.samples import Samples, of_array
from keras_satkd.data import reading
from keras_satkd.data.cache import cached
from keras_satkd.settings.data_config import DataConfig

# Archives to download manually if the host that TFDS uses does not answer.
_PUBLIC_ARCHIVES = {"eurosat": ("EuroSAT_RGB.zip", "https://zenodo.org/records/7711810")}

# In the order of the images; TFDS does not name them.
_BAND_NAMES = {
    "eurosat/all": (*(f"B{band:02}" for band in range(1, 13)), "B8A"),
}

# With TFDS's default of ten, the user would wait three and a half minutes for a host that is down.
_DOWNLOAD_RETRIES = 3


def load(settings: DataConfig) -> Decoded:
    """All splits of the TFDS builder `settings.name` in one set, prepared in `settings.data_dir`.

    The set comes split if it has several splits, and the name of each tells its part. Files are named `split:position`.
    Examples without a class (label below 0) are omitted.

    Raises:
        UserError: the builder or configuration does not exist, has no image (an `Image`, or a `Tensor` of height, width
            and bands) and class label, or cannot be downloaded.
    """
    builder = _builder(settings.name, settings.data_dir)
    image, label = _image_and_label(builder)
    _prepare(builder, settings)
    key = {
        "source": str(builder.data_path),
        "splits": {name: part.num_examples for name, part in builder.info.splits.items()},
        "bytes": builder.info.dataset_size,
        **reading.key(settings),
    }
    return cached(key, settings.cache_dir, lambda target: _decode(builder, image, label, settings, target))


def _builder(name: str, data_dir: str | None) -> tfds.core.DatasetBuilder:
    try:
        return tfds.builder(name, data_dir=data_dir, try_gcs=False)
    except tfds.core.DatasetNotFoundError:
        known = tfds.list_builders(with_community_datasets=False)
        close = difflib.get_close_matches(name.split("/")[0], known, n=1, cutoff=0.7)
        hint = f"did you mean {close[0]!r}? " if close else ""
        kinds = "no folder, zip or TFDS data set of that name"
        raise UserError(f"--data {name}: {hint}{kinds}; use `synthetic` for data without a download") from None
    # Versions, configurations and namespaces (`huggingface:`, whose package may be missing) fail with different errors.
    except (ValueError, AssertionError, RuntimeError, ImportError) as error:
        raise _unknown_configuration(name, error) from None


def _unknown_configuration(name: str, error: Exception) -> UserError:
    base, _, wanted = name.split(":")[0].partition("/")
    with contextlib.suppress(Exception):
        known = list(tfds.builder_cls(base).builder_configs)
        if known and wanted not in known:
            return unknown_name(f"configuration of TFDS {base}", wanted, known)
    return UserError(f"--data {name}: error from TFDS: {str(error).splitlines()[0]}")


def _image_and_label(builder: tfds.core.DatasetBuilder) -> tuple[str, str]:
    """The names of the image feature and of the class label; the supervised ones if TFDS defines them."""
    features = dict(builder.info.features.items())
    preferred = [key for key in builder.info.supervised_keys or () if isinstance(key, str)]
    names = [*preferred, "image", "label", *features]
    images = [name for name in names if _is_image(features.get(name))]
    labels = [name for name in names if isinstance(features.get(name), tfds.features.ClassLabel)]
    if images and labels:
        return images[0], labels[0]
    held = ", ".join(f"{name} ({type(feature).__name__})" for name, feature in features.items())
    raise UserError(
        f"--data {builder.info.full_name} is no image classification data set: it needs an Image and a ClassLabel, "
        f"but has {held}"
    )


def _is_image(feature: Any) -> bool:
    """Whether a feature is a picture or samples [height, width, bands]."""
    if isinstance(feature, tfds.features.Image):
        return True
    return (
        type(feature) is tfds.features.Tensor
        and len(feature.shape) == 3
        and np.dtype(feature.dtype.as_numpy_dtype).kind in "uif"
    )


def _prepare(builder: tfds.core.DatasetBuilder, settings: DataConfig) -> None:
    try:
        with _fewer_retries():
            builder.download_and_prepare()
    except Exception as error:
        # TFDS, requests and urllib3 raise their own error classes; only a full disk has a different remedy.
        if is_disk_full(error):
            raise
        raise UserError(_remedy(builder.name, settings.name, error)) from error


@contextlib.contextmanager
def _fewer_retries() -> Iterator[None]:
    before = downloader.MAX_RETRIES
    downloader.MAX_RETRIES = _DOWNLOAD_RETRIES
    try:
        yield
    finally:
        downloader.MAX_RETRIES = before


def _remedy(name: str, source: str, error: Exception) -> str:
    reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
    prepared = "or give the folder where TFDS has prepared it with --data-dir"
    if name in _PUBLIC_ARCHIVES:
        archive, page = _PUBLIC_ARCHIVES[name]
        remedy = f"download {archive} from {page} and give --data PATH/{archive} (--data.source)"
    else:
        remedy = "give an image folder or a zip of one with --data PATH (--data.source)"
    return f"TFDS could not download {source}: {remedy}, {prepared}. Error from TFDS: {reason}"


def _decode(
    builder: tfds.core.DatasetBuilder, image: str, label: str, settings: DataConfig, target: Path | None
) -> Decoded:
    """Decode the examples as they come from the shards of the data set."""
    names = builder.info.features[label].names
    class_names = tuple(sorted(names))
    position = np.array([class_names.index(name) for name in names])
    # Pillow decodes, as for image files, so a data set gives the same pixels from TFDS and from files.
    is_picture = isinstance(builder.info.features[image], tfds.features.Image)
    decoders = {image: tfds.decode.SkipDecoding()} if is_picture else None
    wanted = tfds.decode.PartialDecoding({image: True, label: True}, decoders=decoders)

    def content(value: Any) -> bytes | Samples:
        return bytes(value) if is_picture else of_array(value, is_bands_last=True)

    parts = {name: part_of(name) for name in builder.info.splits}
    is_split = len(parts) > 1 and None not in parts.values()

    def examples() -> Iterator[EncodedImage]:
        for part in sorted(parts):
            read = tfds.ReadConfig(interleave_cycle_length=1)
            dataset = builder.as_dataset(split=part, shuffle_files=False, read_config=read, decoders=wanted)
            for index, example in enumerate(dataset.as_numpy_iterator()):
                if example[label] >= 0:
                    read_image = functools.partial(content, example[image])
                    own = parts[part] if is_split else None
                    yield EncodedImage(f"{part}:{index}", int(position[example[label]]), read_image, own)

    total = sum(part.num_examples for part in builder.info.splits.values())
    names = _BAND_NAMES.get(builder.info.full_name.rpartition("/")[0], ())
    return decode_all(examples(), total, class_names, reading.choose(examples(), settings, names), target)
