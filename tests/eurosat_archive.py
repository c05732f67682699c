"""EuroSAT's images, where the archive is at hand: the repository holds no data."""

from pathlib import Path

import pytest

from keras_satkd.config import DataConfig
from keras_satkd.data.sources import load
from keras_satkd.data.splits import Split, split

ARCHIVE = Path(__file__).parents[2] / "shared" / "eurosat" / "EuroSAT_RGB.zip"


def divided() -> Split:
    """The archive as every run with the default settings divides it; skips the test where it is not at hand."""
    if not ARCHIVE.exists():
        pytest.skip(f"{ARCHIVE.name} is not at hand: the shipped models are not tried on its images")
    config = DataConfig(source=str(ARCHIVE))
    return split(load(config), config)
