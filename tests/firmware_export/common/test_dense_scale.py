"""Every level names the versions of TFLM that it is about."""

from firmware_export.common.dense_scale import DenseScale


def test_versions_are_told_apart():
    assert len({level.versions for level in DenseScale}) == len(DenseScale) == 2
    assert "tflite-micro package" in DenseScale.DOUBLE.versions
