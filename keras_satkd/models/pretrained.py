"""Weights that come with the package, by name: EuroSAT's teachers and students.

`pretrained/NAME.json` beside each file says how it was made and what it scores (`ship.py` writes both).
"""

from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "pretrained"

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
    """Where `name` lies: the shipped folder or file of that name if there is one, otherwise `name` as a path."""
    return FOLDER / name if name in {entry.name for entry in FOLDER.iterdir()} else Path(name)


def teacher_names(class_names: Sequence[str]) -> tuple[str, ...]:
    """The teachers of a run that names none: shipped ones for EuroSAT's classes, for others two to be fine-tuned."""
    return EUROSAT_TEACHERS if tuple(class_names) == EUROSAT_CLASSES else UNTRAINED_TEACHERS
