"""Loading of any data set, and its split into three disjoint parts.

    image_set = data.load(settings)
    parts = data.split(image_set, settings)
    parts.train.images  # uint8 [N, H, W, 3]

`settings.source` is resolved in this order: `synthetic`; an existing folder or zip file; a TFDS name.
"""

import hashlib
import inspect
import logging
import os
from pathlib import Path

from firmware_export.common import limits
from firmware_export.common.errors import UserError
from firmware_export.common.paths import looks_like_path
from firmware_export.images import folders
from firmware_export.images.decode import Decoded, count_unreadable, decode_all
from firmware_export.images.image_set import ImageSet
from keras_satkd.config import DataConfig
from keras_satkd.data import reading, synthetic, synthetic_drawing
from keras_satkd.data.cache import cached
from keras_satkd.data.splits import Split, split

__all__ = ["ImageSet", "Split", "load", "split"]

logger = logging.getLogger("keras_satkd")

SYNTHETIC = "synthetic"


def load(settings: DataConfig) -> ImageSet:
    """The images of `settings.source`, decoded to `settings.image_size`, from the cache if they were decoded before.

    Raises:
        UserError: the source does not exist, is empty or damaged, has no classes or only one, or cannot be downloaded;
            with `settings.strict`, an image is unreadable.
    """
    path = os.path.expanduser(settings.source)
    if settings.source == SYNTHETIC:
        decoded = _load_synthetic(settings)
    elif os.path.exists(path):
        decoded = _load_files(Path(path), settings)
    elif looks_like_path(settings.source):
        raise UserError(
            f"--data {settings.source}: no such folder or zip: give the path of an image folder or of a zip file of "
            f"one, a TFDS name (eurosat/rgb) or {SYNTHETIC}"
        )
    else:
        # TensorFlow takes seconds to import, and only TFDS needs it.
        from keras_satkd.data import tfds

        decoded = tfds.load(settings)
    _report(decoded, settings)
    return decoded.image_set


def _load_files(path: Path, settings: DataConfig) -> Decoded:
    found = folders.open_images(path)
    fingerprint = hashlib.sha256(repr(found.fingerprint).encode()).hexdigest()
    key = {"source": str(path.resolve()), "fingerprint": fingerprint, **reading.key(settings)}
    if not limits.is_default(limits.IMAGE):  # it decides which images are readable
        key["largest_image"] = limits.limit(limits.IMAGE)

    def decode() -> Decoded:
        how = reading.choose(found.images, settings)
        return decode_all(found.images, len(found.images), found.class_names, how)

    return cached(key, settings.cache_dir, decode)


def _load_synthetic(settings: DataConfig) -> Decoded:
    # The source code that draws is part of the key, so images drawn by an older version are not used.
    texts = [inspect.getsource(module).encode() for module in (synthetic, synthetic_drawing)]
    drawing = hashlib.sha256(b"".join(texts)).hexdigest()
    key = {"source": SYNTHETIC, "drawing": drawing, "seed": settings.seed}
    key |= {"images": settings.synthetic_images, "image_size": settings.image_size}
    size = f"{settings.image_size}x{settings.image_size}"
    return cached(
        key,
        settings.cache_dir,
        lambda: Decoded(
            synthetic.scenes(settings.synthetic_images, settings.seed, settings.image_size),
            unreadable=(),
            sizes={size: settings.synthetic_images},
        ),
    )


def _report(decoded: Decoded, settings: DataConfig) -> None:
    """Report unreadable images, changes of size, and what was left out of pictures."""
    if decoded.unreadable:
        found = count_unreadable(decoded.unreadable)
        if settings.strict:
            raise UserError(f"{settings.source}: {found}: repair or remove them, or omit --data.strict")
        if not len(decoded.image_set):
            raise UserError(f"{settings.source}: no readable image, {found}: give images that Pillow can open")
        logger.warning("%s: %s; skipped", settings.source, found)
    if (changed := reading.changed_sizes(decoded, settings)) is not None:
        logger.warning("%s", changed)
    if decoded.transparent:
        logger.warning(
            "%s: %d pictures have a fourth channel, which is not used, as it is transparency: if it is a band, such as "
            "near infrared, give --data.bands 1 2 3 4",
            settings.source,
            decoded.transparent,
        )
