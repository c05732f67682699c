"""Weights that ship with the package, by name: teachers and students for EuroSAT.

A JSON file beside each describes how it was made and gives its scores (`ship.py` writes both).
"""

import functools
import logging
from collections.abc import Sequence
from pathlib import Path

from firmware_export.common.errors import unknown_name

logger = logging.getLogger("keras_satkd")

FOLDER = Path(__file__).parents[1] / "pretrained"

PREFIX = "shipped:"
"""Prefix that selects a shipped model even if a path of the same name exists."""

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
# The largest inputs that two CPU cores can train on in an afternoon; with a GPU, give the names without `@`.
UNTRAINED_TEACHERS = ("efficientvit_m2@96", "mobilevitv2_100@64")


def path(name: str) -> Path:
    """The path of a model: `name` if that path exists, otherwise the shipped folder or file of that name.

    `shipped:NAME` is always the shipped one. If an existing path hides a shipped one, this is logged once.

    Args:
        name: a path, or the name of a shipped folder or file, with or without the prefix `shipped:`.

    Returns:
        A path. It may not exist: an unknown `name` is returned as a path.

    Raises:
        UserError: no shipped folder or file has the name after `shipped:`.
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
    logger.info("using %s in the current folder; the shipped one is %s%s", name, PREFIX, name)


def teacher_names(class_names: Sequence[str]) -> tuple[str, ...]:
    """Default teachers: the shipped ones for EuroSAT's classes, otherwise two that must be fine-tuned."""
    return EUROSAT_TEACHERS if tuple(class_names) == EUROSAT_CLASSES else UNTRAINED_TEACHERS
