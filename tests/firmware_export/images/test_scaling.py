import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_export.common.errors import UserError
from firmware_export.images import scaling
from firmware_export.images.image_set import Bands
from firmware_export.images.scaling import Scaling

ONE = Bands(("B04",), (2,), 4)
EVERY = np.arange(65536, dtype=np.uint16).reshape(1, -1, 1)


@pytest.mark.parametrize("bits", [8, 9, 10, 12, 14, 16])
def test_the_full_range_of_any_bits_is_a_shift(bits):
    codes = scaling.full_range(ONE, "uint16", 2**bits - 1, "").codes(EVERY)[0, : 2**bits, 0]
    np.testing.assert_array_equal(codes, EVERY[0, : 2**bits, 0] >> (bits - 8))


def test_samples_of_8_bits_stay_as_they_are():
    codes = np.arange(256, dtype=np.uint8).reshape(1, -1, 1)
    plain = scaling.full_range(ONE, "uint8", 255, "")
    assert plain.is_identity
    assert plain.codes(codes) is codes
    divided = scaling.full_range(ONE, "float32", 1.0, "").codes((codes / np.float32(255)).astype(np.float32))
    np.testing.assert_array_equal(divided, codes)


@given(st.integers(0, 65534), st.data())
def test_codes_are_ordered_and_end_at_the_ends(low, data):
    high = data.draw(st.integers(low + 1, 65535))
    codes = Scaling(ONE, "uint16", (low,), (high,), "").codes(EVERY)[0, :, 0].astype(int)
    assert (np.diff(codes) >= 0).all()
    assert (codes[: low + 1] == 0).all()
    assert (codes[high + 1 :] == 255).all()
    inside = codes[low : high + 1]
    if high - low >= 255:
        assert set(inside) == set(range(256))
        # Every code stands for equally many samples, but for one.
        assert np.ptp(np.bincount(inside)) <= 1


def test_each_band_has_its_range():
    two = Scaling(Bands(("a", "b"), (0, 1), 2), "uint16", (0, 100), (255, 355), "")
    assert two.codes(np.array([[[7, 107], [300, 99]]], np.uint16)).tolist() == [[[7, 7], [255, 0]]]


@pytest.mark.parametrize("samples", ["uint8", "uint16", "float32"])
def test_it_is_read_as_it_was_written(tmp_path, samples):
    low, high = ((0.25, 0.5), (0.75, 1.5)) if samples == "float32" else ((1, 2), (90, 200))
    made = Scaling(Bands(("B04", "B8A"), (3, 12), 13), samples, low, high, "given")
    (tmp_path / "scaling.json").write_text(json.dumps(made.to_dict()))
    assert scaling.load(tmp_path / "scaling.json") == made


@pytest.mark.parametrize(
    "changed",
    [
        {"bands": []},
        {"bands": ["a", "b"]},
        {"band_numbers": [5]},
        {"band_numbers": [0]},
        {"samples": "int4"},
        {"low": [3]},
        {"high": [65536]},
        {"low": [0.5]},
        {"high": [float("nan")]},
        {"high": ["9"]},
        {"reason": 3},
    ],
)
def test_what_is_no_scaling_is_refused_in_one_line(tmp_path, changed):
    whole = {"bands": ["a"], "band_numbers": [1], "file_bands": 4, "samples": "uint16", "low": [0], "high": [3]}
    (tmp_path / "scaling.json").write_text(json.dumps({**whole, "reason": "", **changed}))
    with pytest.raises(UserError, match=r"scaling.json is no scaling .*: give the scaling.json of a run") as raised:
        scaling.load(tmp_path / "scaling.json")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"{}", None])
def test_unreadable_files_are_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "scaling.json").write_bytes(content)
    with pytest.raises(UserError, match=r"scaling.json"):
        scaling.load(tmp_path / "scaling.json")
