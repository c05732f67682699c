"""The way from samples to 8-bit codes, decided once on the training images; and a run's images, scaled by it."""

from dataclasses import replace

import numpy as np

from firmware_export.common import on_disk
from firmware_export.common.errors import UserError
from firmware_export.images.image_set import RGB, Bands, ImageSet
from firmware_export.images.scaling import LARGEST, Scaling, full_range
from keras_satkd.data import few_labels, scaling_log
from keras_satkd.data.quantiles import nearest_quantiles
from keras_satkd.data.sources import load
from keras_satkd.data.splits import Split, split
from keras_satkd.settings.data_config import DataConfig

BITS = (8, 10, 12, 14, 16)
"""Of sensors: `auto` takes the smallest that hold all training samples."""

PERCENTILES = (0.1, 99.9)
"""The range of `percentiles`."""

FEWEST_CODES = 32
"""`auto` takes percentiles if the middle 98 % of the samples of every band would share fewer codes of 256."""

_MIDDLE = (1.0, 99.0)

_MOST_LARGEST = 0.5
"""Up to this part of the samples, 65535 does not tell how many bits the others have."""


def load_split(settings: DataConfig, kept: Scaling | None = None) -> tuple[Split, Scaling]:
    """The images of a run, split and as 8-bit codes.

    Args:
        settings: of the data.
        kept: the scaling that was decided before; None: it is decided on the training images.

    Raises:
        UserError: the images cannot be read, split, or scaled.
    """
    return split_scaled(load(settings), settings, kept)


def split_scaled(images: ImageSet, settings: DataConfig, kept: Scaling | None = None) -> tuple[Split, Scaling]:
    """As `load_split`, of images that are loaded already."""
    divided = split(images, settings)
    scaling = kept or decide(divided.train, settings)
    train, validation, test = (scaled(part, scaling) for part in (divided.train, divided.validation, divided.test))
    hidden = None
    if settings.labels_per_class is not None:
        train, hidden = few_labels.divide(train, settings.labels_per_class)
    return replace(divided, train=train, validation=validation, test=test, hidden=hidden), scaling


def is_plain(scaling: Scaling) -> bool:
    """Whether the images are ordinary 8-bit pictures, or samples that are used as such."""
    bands = scaling.bands
    is_whole = bands.positions == tuple(range(bands.of))
    return scaling.is_identity and is_whole and bands.names in (RGB, ("gray",))


def scaled(images: ImageSet, scaling: Scaling) -> ImageSet:
    """The images as 8-bit codes.

    Bands are compared by their names if both sides have the same ones, otherwise by their places in the files.

    Raises:
        UserError: they have other bands or another type of samples than the scaling is for.
    """
    bands = bands_of(images)
    names, wanted = ([name.casefold() for name in each.names] for each in (bands, scaling.bands))
    is_named = not any(name.isdecimal() for name in wanted) and sorted(names) == sorted(wanted)
    if is_named and names != wanted:
        raise UserError(
            f"the images have channels {', '.join(bands.names)}, the model's are in another order: give --data.bands "
            f"{' '.join(scaling.bands.names)}"
        )
    if not is_named and (bands.positions, bands.of) != (scaling.bands.positions, scaling.bands.of):
        raise UserError(
            f"the images have channels {_listed(bands)}, the model's are {_listed(scaling.bands)}: give images "
            "with the same bands"
        )
    if images.images.dtype != scaling.samples and scaling.samples != "float32":
        raise UserError(
            f"the images have {images.images.dtype} samples, the model's scaling is for {scaling.samples}: give images "
            "of the same sensor"
        )
    if scaling.is_identity:
        return images
    scaling_log.warn_of_clipped(images.images, scaling)
    return replace(images, images=on_disk.converted(images.images, scaling.codes, np.uint8))


def bands_of(images: ImageSet) -> Bands:
    """The channels, also of ordinary pictures."""
    names = images.channel_names
    return images.bands or Bands(names, tuple(range(len(names))), len(names))


def _listed(bands: Bands) -> str:
    numbers = ", ".join(str(position + 1) for position in bands.positions)
    return f"{', '.join(bands.names)} (number {numbers} of {bands.of})"


def decide(train: ImageSet, settings: DataConfig) -> Scaling:
    """The scaling that the settings ask for, decided on training images; the log says which, unless nothing changes.

    Args:
        train: uint8, uint16 or float32 [N, H, W, C].
        settings: `scaling` says how.

    Raises:
        UserError: `settings.scaling` is not readable, or does not fit the samples.
    """
    bands, dtype, given = bands_of(train), train.images.dtype.name, settings.scaling
    if given == ("auto",):
        scaling = _auto(train.images, bands)
    elif given == ("full",):
        if dtype == "float32":
            raise UserError("--data.scaling full is for whole numbers, the images have float samples: give LOW:HIGH")
        scaling = full_range(bands, dtype, LARGEST[dtype], f"the full range of {dtype}")
    elif len(given) == 1 and given[0].partition(":")[0] == "percentiles":
        scaling = _percentiles(train.images, bands, *_parse_percentiles(given[0]))
    else:
        scaling = _given(bands, dtype, given)
    if scaling.is_identity:
        scaling_log.warn_of_dark(train.images, FEWEST_CODES)
    else:
        scaling_log.tell(train.images, scaling)
    return scaling


def _auto(images: np.ndarray, bands: Bands) -> Scaling:
    dtype = images.dtype.name
    if dtype == "uint8":
        return full_range(bands, dtype, LARGEST[dtype], "8-bit samples")
    low, high = _extremes(images)
    if dtype == "uint16":
        bits, reason = _bits_used(images, int(high))
        scaling = full_range(bands, dtype, 2**bits - 1, reason)
    elif low >= 0 and high <= 1:
        scaling = full_range(bands, dtype, 1.0, "float samples in 0..1")
    else:
        return _percentiles(images, bands, *PERCENTILES)
    if _codes_used(images, scaling) >= FEWEST_CODES:
        return scaling
    found = _percentiles(images, bands, *PERCENTILES)
    return replace(found, reason=f"{found.reason}, because {scaling.reason}, but most samples would share few codes")


def _bits_used(images: np.ndarray, high: int) -> tuple[int, str]:
    """The bits that hold all samples, and why; a few of the type's largest value are saturated or hold nothing."""
    few, besides = 0, high
    if high == LARGEST["uint16"]:
        few = sum(int(np.count_nonzero(piece == high)) for piece in on_disk.pieces(images))
        besides = max(int(piece[piece < high].max(initial=0)) for piece in on_disk.pieces(images))
    bits, all_bits = (next(bits for bits in BITS if value < 2**bits) for value in (besides, high))
    # Of samples that are cut off at 65535, many others are little below it.
    if bits == all_bits or few > _MOST_LARGEST * images.size:
        return all_bits, f"the training images use {all_bits} of 16 bits"
    return bits, f"the training images use {bits} of 16 bits, apart from {few} samples of {high}"


def _codes_used(images: np.ndarray, scaling: Scaling) -> int:
    """The largest number of codes, over the bands, between the percentiles `_MIDDLE` of a band's samples."""
    low, high = (np.array(each) for each in zip(*_quantiles(images, *_MIDDLE), strict=True))
    codes = scaling.codes(np.stack([low, high]).astype(images.dtype)).astype(int)
    return int((codes[1] - codes[0] + 1).max())


def _percentiles(images: np.ndarray, bands: Bands, lower: float, upper: float) -> Scaling:
    reason = f"percentiles {lower:g} to {upper:g} of the training samples"
    ranges = _quantiles(images, lower, upper)
    if images.dtype != np.float32:
        largest = LARGEST[images.dtype.name]
        # A band of one value, or of few, still needs a range.
        ranges = [(min(low, largest - 1), max(high, min(low, largest - 1) + 1)) for low, high in ranges]
    else:
        ranges = [(low, high if high > low else low + 1.0) for low, high in ranges]
    low, high = zip(*ranges, strict=True)
    return Scaling(bands, images.dtype.name, low, high, reason)


def _quantiles(images: np.ndarray, lower: float, upper: float) -> list[tuple[float, float]]:
    """Two percentiles of each band's samples: samples themselves, so the result does not depend on rounding."""
    if images.dtype == np.float32:
        return [nearest_quantiles(images, band, (lower / 100, upper / 100)) for band in range(images.shape[-1])]
    found: list[tuple[float, float]] = []
    levels = LARGEST[images.dtype.name] + 1
    counts = np.zeros((images.shape[-1], levels), np.int64)
    for piece in on_disk.pieces(images):
        for band in range(images.shape[-1]):
            counts[band] += np.bincount(piece[..., band].ravel(), minlength=levels)
    for places in np.cumsum(counts, axis=1):
        low, high = (np.searchsorted(places, share / 100 * places[-1]) for share in (lower, upper))
        found.append((int(min(low, levels - 1)), int(min(high, levels - 1))))
    return found


def _extremes(images: np.ndarray) -> tuple[float, float]:
    """The smallest and the largest sample; 0 without images."""
    found = [(piece.min(), piece.max()) for piece in on_disk.pieces(images)]
    return (min(low for low, _ in found), max(high for _, high in found)) if found else (0, 0)


def _parse_percentiles(text: str) -> tuple[float, float]:
    if text == "percentiles":
        return PERCENTILES
    lower, upper = _numbers(text.removeprefix("percentiles:"), text)
    if not 0 <= lower < upper <= 100:
        raise UserError(f"--data.scaling {text}: give two percentiles from 0 to 100, such as percentiles:1:99")
    return lower, upper


def _given(bands: Bands, dtype: str, texts: tuple[str, ...]) -> Scaling:
    channels = len(bands.names)
    if len(texts) not in (1, channels):
        raise UserError(
            f"--data.scaling gives {len(texts)} ranges, the images have {channels} channels: give one LOW:HIGH for "
            "all, or one for each"
        )
    ranges = [_range(text, dtype) for text in texts] * (channels if len(texts) == 1 else 1)
    low, high = zip(*ranges, strict=True)
    return Scaling(bands, dtype, low, high, f"given: {' '.join(texts)}")


def _range(text: str, dtype: str) -> tuple[float, float]:
    low, high = _numbers(text, text)
    largest = LARGEST.get(dtype)
    if largest is not None and not (0 <= low < high <= largest and low == int(low) and high == int(high)):
        raise UserError(f"--data.scaling {text}: give two whole numbers in 0..{largest}, the lower one first")
    if not low < high:
        raise UserError(f"--data.scaling {text}: give the lower number first")
    return (int(low), int(high)) if largest is not None else (low, high)


def _numbers(text: str, whole: str) -> tuple[float, float]:
    try:
        low, high = map(float, text.split(":"))
    except ValueError:
        low = high = float("nan")
    if not np.isfinite([low, high]).all():
        raise UserError(f"--data.scaling is {whole!r}: give auto, full, percentiles, percentiles:1:99 or LOW:HIGH")
    return low, high
