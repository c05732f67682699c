"""Bands of an image file, by name or by number."""

from collections.abc import Sequence

from firmware_export.common.errors import UserError, unknown_name
from firmware_export.images.samples import Samples


def choose_bands(samples: Samples, wanted: Sequence[str], names: Sequence[str]) -> tuple[tuple[int, ...], list[str]]:
    """The bands of a set, by its first image.

    Args:
        samples: of the first image.
        wanted: names of bands or their numbers from 1; empty: all bands.
        names: of the file's bands in order; empty: those in the file, or its numbers.

    Returns:
        Positions from 0, and names.

    Raises:
        UserError: a band does not exist, or the number of `names` is not that of the bands.
    """
    if names and len(names) != samples.bands:
        raise UserError(
            f"--data.band-names gives {len(names)} names, the images have {samples.bands} bands: give one name for each"
        )
    known = list(names or samples.band_names or map(str, range(1, samples.bands + 1)))
    positions = tuple(position_of(band, known) for band in wanted) if wanted else tuple(range(samples.bands))
    if len(set(positions)) < len(positions):
        raise UserError(f"--data.bands gives a band twice ({' '.join(wanted)}): give each band once")
    return positions, [known[position] for position in positions]


def position_of(band: str, names: Sequence[str]) -> int:
    """The position of a band: by its name, in any case, or else by its number from 1.

    Raises:
        UserError: there is no such band.
    """
    lower = [name.lower() for name in names]
    if band.lower() in lower:
        return lower.index(band.lower())
    if band.isdecimal() and 1 <= int(band) <= len(names):
        return int(band) - 1
    raise unknown_name("band", band, [*names, *map(str, range(1, len(names) + 1))] if len(names) < 4 else names)
