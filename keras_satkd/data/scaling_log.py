"""What the log tells of a scaling: its range, and samples that it does not fit."""

import logging

import numpy as np

from firmware_export.common import on_disk
from firmware_export.images.scaling import LEVELS, Scaling

logger = logging.getLogger("keras_satkd")

_MANY_BEYOND = 0.25
"""From this part of the samples on, those above a model's range are told."""
_LEAST_BANDS = 2
_MANY_ZEROS = 0.01
"""From this part of the pixels on, zeros in all bands are told."""


def tell(images: np.ndarray, scaling: Scaling) -> None:
    """Tell the range of samples that become codes, and warn of many zeros.

    Args:
        images: the training images, uint16 or float32 [N, H, W, C].
        scaling: decided on them.
    """
    ranges = [f"{low:g}..{high:g}" for low, high in zip(scaling.low, scaling.high, strict=True)]
    named = [f"{name} {each}" for name, each in zip(scaling.bands.names, ranges, strict=True)]
    shown = ranges[0] if len(set(ranges)) == 1 else ", ".join(named[:4]) + (", …" if len(named) > 4 else "")
    below, above = (f"{100 * share:.2g} %" for share in _beyond(images, scaling))
    logger.warning(
        "samples of %s become codes 0..255: %s (%s); %s of the training samples are lower, %s higher; to choose "
        "another range, give --data.scaling",
        scaling.samples,
        shown,
        scaling.reason,
        below,
        above,
    )
    _warn_of_zeros(images)


def warn_of_clipped(images: np.ndarray, scaling: Scaling) -> None:
    """Warn if many samples, uint16 or float32 [N, H, W, C], are above the range, as those of another sensor may be."""
    above = _beyond(images, scaling)[1]
    if above >= _MANY_BEYOND:
        logger.warning(
            "%.0f %% of the samples are above the range of the scaling, which ends at %s: are they of the same sensor?",
            100 * above,
            ", ".join(f"{high:g}" for high in sorted(set(scaling.high))),
        )


def warn_of_black(scaling: Scaling) -> None:
    """Warn if code 0 stands for light: noise and gains of a camera are relative to the codes."""
    lowest = max(scaling.low)
    if lowest > 0:
        logger.warning(
            "code 0 stands for samples up to %g, and a camera's noise and gains are relative to the codes: they are "
            "weaker than on the sensor; to avoid this, give --data.scaling 0:%g",
            lowest,
            max(scaling.high),
        )


def warn_of_dark(images: np.ndarray, fewest_codes: int) -> None:
    """Warn if no pixel, uint8 [N, H, W, C], reaches this value."""
    largest = max((int(piece.max()) for piece in on_disk.pieces(images)), default=0)
    if largest < fewest_codes:
        logger.warning(
            "no training pixel is above %d of %d: if the images have more bits than 8, give them as they are; to "
            "stretch them, give --data.scaling percentiles",
            largest,
            LEVELS - 1,
        )


def _warn_of_zeros(images: np.ndarray) -> None:
    """Sensors seldom give 0 in all bands; rasters often do where they hold nothing."""
    if images.shape[-1] < _LEAST_BANDS:
        return
    zeros = sum(np.count_nonzero((piece == 0).all(axis=-1)) for piece in on_disk.pieces(images))
    share = zeros * images.shape[-1] / max(1, images.size)
    if share >= _MANY_ZEROS:
        logger.warning(
            "%.1f %% of the training pixels are 0 in all bands: if they hold nothing, state nodata in the files "
            "(gdal_edit.py -a_nodata 0), and choose with --data.nodata",
            100 * share,
        )


def _beyond(images: np.ndarray, scaling: Scaling) -> tuple[float, float]:
    """Parts of the samples below and above the range."""
    low, high = np.array(scaling.low), np.array(scaling.high)
    counts = [(np.count_nonzero(piece < low), np.count_nonzero(piece > high)) for piece in on_disk.pieces(images)]
    below, above = np.sum(counts, axis=0) / max(1, images.size)
    return float(below), float(above)
