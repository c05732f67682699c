"""How the images of a run's settings are read: bands, size, tiles. The rules are `firmware_export.images.reading`."""

import logging
from collections.abc import Iterable
from typing import Any

from firmware_export.common import limits
from firmware_export.common.errors import UserError
from firmware_export.images import reading
from firmware_export.images.bands import position_of
from firmware_export.images.decode import Decoded, EncodedImage, count_unreadable, first_samples
from firmware_export.images.reading import Reading
from keras_satkd.settings.data_config import DataConfig

logger = logging.getLogger("keras_satkd")

_RGB_NAMES = (("b04", "b03", "b02"), ("b4", "b3", "b2"), ("red", "green", "blue"), ("r", "g", "b"))


def choose(images: Iterable[EncodedImage], settings: DataConfig, names: tuple[str, ...] = ()) -> Reading:
    """How to read a set, by its first readable image.

    Args:
        images: the set.
        settings: bands, size, and what to do with images that do not fit.
        names: of all bands, if the settings do not name them.

    Raises:
        UserError: the settings name bands that do not exist.
    """
    first = first_samples(images, settings.tile)
    size = (settings.image_size, settings.image_size)
    if first is None:  # decoding says why
        return Reading(*size, 3)
    return reading.of_first(
        first,
        size,
        bands=settings.bands,
        names=settings.band_names or names,
        fit=settings.fit,
        nodata=settings.nodata,
        tile=settings.tile,
    )


def key(settings: DataConfig) -> dict[str, Any]:
    """The settings and limits that decoded images depend on, for the cache."""
    names = ("image_size", "fit", "tile", "bands", "band_names", "nodata")
    found = {name: getattr(settings, name) for name in names}
    if not limits.is_default(limits.IMAGE):  # it decides which images are readable
        found["largest_image"] = limits.limit(limits.IMAGE)
    return found


def changed_sizes(decoded: Decoded, settings: DataConfig) -> str | None:
    """One line on images that were resized, cropped or cut into tiles; None if all had the right size."""
    target = f"{settings.image_size}x{settings.image_size}"
    sizes = list(decoded.sizes)
    if sizes in ([], [target]):
        return None
    shown = ", ".join(sizes[:3]) + (", …" if len(sizes) > 3 else "")
    if settings.tile is not None:
        number, tiles = sum(decoded.sizes.values()), len(decoded.image_set)
        return f"{number} images ({shown}) are cut into {tiles} tiles of {settings.tile}x{settings.tile} pixels"
    is_square = all(len(set(size.split("x"))) == 1 for size in sizes)
    done = "resized" if is_square else {"crop": "cropped and resized", "squash": "squashed"}[settings.fit]
    if len(sizes) == 1:
        return f"images are {shown}: all are {done} to {target}"
    return f"images have {len(sizes)} different sizes ({shown}): all are {done} to {target}"


def report(decoded: Decoded, settings: DataConfig) -> None:
    """Tell of unreadable images, changes of size, and what was left out of pictures.

    Raises:
        UserError: no image is readable; or, with `settings.strict`, one is not.
    """
    if decoded.unreadable:
        found = count_unreadable(decoded.unreadable)
        if settings.strict:
            raise UserError(f"{settings.name}: {found}: repair or remove them, or omit --data.strict")
        if not len(decoded.image_set):
            raise UserError(f"{settings.name}: no readable image, {found}: repair them, or convert them to PNG")
        logger.warning("%s: %s; skipped", settings.name, found)
    if (changed := changed_sizes(decoded, settings)) is not None:
        logger.warning("%s", changed)
    if decoded.transparent:
        logger.warning(
            "%s: %d pictures have a fourth channel, which is not used, as it is transparency: if it is a band, such as "
            "near infrared, give --data.bands 1 2 3 4",
            settings.name,
            decoded.transparent,
        )


def rgb_of(names: tuple[str, ...], settings: DataConfig) -> tuple[int, int, int] | None:
    """The channels that are red, green and blue; None if nothing tells.

    Args:
        names: of the channels.
        settings: `rgb` chooses them by name or number of the band.

    Raises:
        UserError: `rgb` names a channel that does not exist, or not three.
    """
    if settings.rgb:
        if len(settings.rgb) != 3:
            raise UserError(f"--data.rgb is {' '.join(settings.rgb)!r}: give the red, the green and the blue band")
        red, green, blue = (position_of(band, names) for band in settings.rgb)
        return red, green, blue
    lower = [name.lower() for name in names]
    for known in _RGB_NAMES:
        if set(known) <= set(lower):
            return lower.index(known[0]), lower.index(known[1]), lower.index(known[2])
    if len(names) == 1:
        return 0, 0, 0
    # Other names, such as B08 B04 B03, say that these are not red, green and blue.
    return (0, 1, 2) if len(names) == 3 and all(name.isdecimal() for name in names) else None
