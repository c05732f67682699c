"""EuroSAT's images, if the archive is available: the repository contains no data."""

from pathlib import Path

import pytest

from keras_satkd.data.sources import load
from keras_satkd.data.splits import Split, split
from keras_satkd.settings.data_config import DataConfig

ARCHIVE = Path(__file__).parents[2] / "shared" / "eurosat" / "EuroSAT_RGB.zip"


def divided() -> Split:
    """The split of the archive with the default settings; skips the test if the archive is missing."""
    if not ARCHIVE.exists():
        pytest.skip(f"{ARCHIVE.name} is missing: the pretrained models are not tested on its images")
    config = DataConfig(source=str(ARCHIVE))
    return split(load(config), config)
