"""Teachers and images of several bands: which channels a teacher sees, and first layers for all bands."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from firmware_export.common.errors import UserError
from firmware_export.images.image_set import RGB
from keras_satkd.models import teacher_zoo
from keras_satkd.models.stored_logits import StoredLogits
from keras_satkd.models.teacher import AnyTeacher, Teacher

_Channels = tuple[int, int, int]


def select(teacher: AnyTeacher, names: Sequence[str], rgb: _Channels | None) -> AnyTeacher:
    """A trained teacher for images of several bands.

    It sees the bands that it was trained on or that its settings choose. One of three channels whose files name no
    bands sees red, green and blue; another one sees all bands.

    Args:
        teacher: a trained one; one with stored logits sees no images.
        names: of the images' channels.
        rgb: the channels that are red, green and blue; None if they are not known.

    Raises:
        UserError: the images lack a band of the teacher, or it is not known which bands are red, green and blue.
    """
    if isinstance(teacher, StoredLogits):
        return teacher
    listed = ", ".join(names)
    if teacher.band_names:
        if missing := [name for name in teacher.band_names if name not in names]:
            raise UserError(
                f"teacher {teacher.name} sees band {missing[0]!r}, the images have {listed}: add it to --data.bands, "
                "or correct the teacher's bands"
            )
        return _seeing(teacher, [names.index(name) for name in teacher.band_names], len(names))
    if teacher.bands:
        if max(teacher.bands) >= len(names):
            raise UserError(
                f"teacher {teacher.name} sees band {max(teacher.bands) + 1}, the images have {len(names)} ({listed}): "
                "correct its bands"
            )
        return teacher
    if teacher.channels == len(RGB):
        return _seeing(teacher, rgb_channels(f"teacher {teacher.name} sees", rgb, names), len(names))
    if teacher.channels != len(names):
        raise UserError(
            f"teacher {teacher.name} takes {teacher.channels} bands, the images have {len(names)} ({listed}): name "
            "those that it sees in its TOML file, as in bands = [3, 2, 1]"
        )
    return teacher


def rgb_channels(who: str, rgb: _Channels | None, names: Sequence[str]) -> _Channels:
    """`rgb`, if it is known.

    Raises:
        UserError: it is not known; `who` says what needs it.
    """
    if rgb is None:
        raise UserError(
            f"{who} red, green and blue, and nothing tells which of the bands {', '.join(names)} these are: give "
            "--data.rgb RED GREEN BLUE"
        )
    return rgb


def _seeing(teacher: Teacher, channels: Sequence[int], of: int) -> Teacher:
    """The teacher with its choice of channels; as it is, if it sees all of them in their order."""
    chosen = () if list(channels) == list(range(of)) else tuple(channels)
    return replace(teacher, bands=chosen)


def widened(teacher: Teacher, specification: str, names: Sequence[str], rgb: _Channels | None) -> Teacher:
    """A teacher before its fine-tuning, with a first layer for all bands.

    Red, green and blue come first and keep their weights; those of the other bands are zero, so that the wider network
    begins as the given one. If the colors are not known, each band begins with the mean of the colors' weights.

    Args:
        teacher: for RGB.
        specification: a name in `teacher_zoo.ARCHITECTURES`, optionally with `@size`, of the same network.
        names: of the images' channels.
        rgb: the channels that are red, green and blue; None if they are not known.
    """
    channels = len(names)
    others = [channel for channel in range(channels) if channel not in (rgb or ())]
    order = tuple([*rgb, *others] if rgb is not None else others)
    wide = teacher_zoo.network(specification, teacher.classes, "none", channels=channels)
    for narrow, target in zip(teacher.network.weights, wide.weights, strict=True):
        values = narrow.numpy()
        target.assign(values if values.shape == target.shape else _wider(values, channels, is_color=rgb is not None))
    return replace(teacher, network=wide, bands=order, band_names=tuple(names[channel] for channel in order))


def _wider(kernel: np.ndarray, channels: int, *, is_color: bool) -> np.ndarray:
    """A kernel [H, W, 3, F] for more channels."""
    if not is_color:
        mean = kernel.mean(axis=2, keepdims=True) * len(RGB) / channels
        return np.repeat(mean, channels, axis=2)
    wider = np.zeros((*kernel.shape[:2], channels, kernel.shape[3]), kernel.dtype)
    wider[:, :, : len(RGB)] = kernel
    return wider


def for_fine_tuning(
    teacher: Teacher, specification: str, names: Sequence[str], rgb: _Channels | None, bands: str
) -> Teacher:
    """A teacher from `teachers.build`, for images of several bands.

    Args:
        teacher: for RGB.
        specification: of its network.
        names: of the images' channels.
        rgb: the channels that are red, green and blue; None if they are not known.
        bands: `TeachersConfig.bands`.

    Raises:
        UserError: it is to see RGB, and it is not known which bands these are.
    """
    if tuple(names) == RGB:
        return teacher
    if bands == "all":
        return widened(teacher, specification, names, rgb)
    who = f"teacher {specification} (--teachers.bands rgb) sees"
    chosen = rgb_channels(who, rgb, names)
    return replace(_seeing(teacher, chosen, len(names)), band_names=tuple(names[channel] for channel in chosen))


def check(names: Sequence[str], rgb: _Channels | None, bands: str, specifications: Sequence[str]) -> None:
    """Check that `for_fine_tuning` will work.

    Raises:
        UserError: teachers are to see RGB, and it is not known which bands these are.
    """
    if specifications and bands == "rgb" and tuple(names) != RGB:
        rgb_channels(f"teacher {specifications[0]} (--teachers.bands rgb) sees", rgb, names)
