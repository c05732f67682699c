import numpy as np
import pytest

from firmware_export.common.errors import UserError
from firmware_export.images.bands import choose_bands, position_of
from firmware_export.images.samples import Samples

NAMES = ("B02", "B03", "B04", "B08")


def test_a_band_is_found_by_its_name_in_any_case_or_by_its_number():
    assert [position_of(band, NAMES) for band in ("B03", "b08", "1")] == [1, 3, 0]
    assert position_of("2", ("2", "1")) == 0  # a name before a number
    for band in ("B05", "0", "5"):
        with pytest.raises(UserError, match="unknown band"):
            position_of(band, NAMES)


def test_bands_of_a_file():
    samples = Samples(np.zeros((2, 2, 4), np.uint16), band_names=NAMES)
    assert choose_bands(samples, ("B04", "B02"), ()) == ((2, 0), ["B04", "B02"])
    assert choose_bands(samples, (), ("blue", "green", "red", "nir")) == ((0, 1, 2, 3), ["blue", "green", "red", "nir"])
    with pytest.raises(UserError, match="gives a band twice"):
        choose_bands(samples, ("B04", "3"), ())
    with pytest.raises(UserError, match="gives 2 names, the images have 4 bands"):
        choose_bands(samples, (), ("a", "b"))
