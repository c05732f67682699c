"""Weights that come with the package, by name: EuroSAT's teachers and students.

`pretrained/NAME.json` beside each file says how it was made and what it scores (`ship.py` writes both).
"""

import functools
import logging
from collections.abc import Sequence
from pathlib import Path

from firmware_export.common.errors import unknown_name

logger = logging.getLogger("keras_satkd")

FOLDER = Path(__file__).parents[1] / "pretrained"

PREFIX = "shipped:"
"""What a shipped model's name begins with where a file of the same name lies in the current folder."""

EUROSAT_CLASSES = (
    "AnnualCrop",
    "Forest",
    "HerbaceousVegetation",
    "Highway",
    "Industrial",
    "Pasture",
    "PermanentCrop",
    "Residential",
    "River",
    "SeaLake",
)
EUROSAT_TEACHERS = ("efficientnet_lite0_eurosat", "efficientvit_m2_eurosat", "mobilevitv2_100_eurosat")
# The largest inputs that two processor cores train in an afternoon; with a GPU, name them without `@`.
UNTRAINED_TEACHERS = ("efficientvit_m2@96", "mobilevitv2_100@64")


def path(name: str) -> Path:
    """Where `name` lies: a path that exists, or else the shipped folder or file of that name.

    `shipped:NAME` is always the shipped one. A path that hides one is logged, once.

    Args:
        name: a path, the name of a shipped folder or file, or that with `shipped:` before it.

    Returns:
        a path that may not exist: `name` itself where nothing is shipped under it.

    Raises:
        UserError: nothing is shipped under the name after `shipped:`.
    """
    shipped = {entry.name for entry in FOLDER.iterdir()}
    if name.startswith(PREFIX):
        wanted = name.removeprefix(PREFIX)
        if wanted not in shipped:
            raise unknown_name("shipped model", wanted, shipped)
        return FOLDER / wanted
    if name not in shipped:
        return Path(name)
    if Path(name).exists():
        _log_hidden(name)
        return Path(name)
    return FOLDER / name


@functools.cache
def _log_hidden(name: str) -> None:
    logger.info("%s is taken from the current folder; the shipped one is %s%s", name, PREFIX, name)


def teacher_names(class_names: Sequence[str]) -> tuple[str, ...]:
    """The teachers of a run that names none: shipped ones for EuroSAT's classes, for others two to be fine-tuned."""
    return EUROSAT_TEACHERS if tuple(class_names) == EUROSAT_CLASSES else UNTRAINED_TEACHERS
