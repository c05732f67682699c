"""The layer that a difference between the row engine and TensorFlow Lite Micro begins in."""

import dataclasses

import numpy as np
import pytest

from firmware_export.rows import difference, lower
from firmware_export.tflite import reader


@pytest.fixture
def wrong_add(monkeypatch):
    """The row engine adds with half of the first input's multiplier."""
    add = lower._OPERATORS["ADD"]

    def wrong(source, operator, earlier):
        (layer,) = add(source, operator, earlier)
        first, *rest = layer.scalings
        return [dataclasses.replace(layer, scalings=((first[0] // 2, first[1]), *rest))]

    monkeypatch.setitem(lower._OPERATORS, "ADD", wrong)


@pytest.mark.usefixtures("wrong_add")
def test_the_first_wrong_layer_is_named(qat_model, codes):
    first = next(operator for operator in qat_model.graph.operators if operator.name == "ADD")
    assert difference.first_differing_layer(qat_model, codes) == first.label


def test_without_a_difference_no_layer_is_named(one_convolution):
    model = reader.read(one_convolution)
    codes = np.random.default_rng(1).integers(-128, 128, (4, 4, 4, 3), np.int8)
    assert difference.first_differing_layer(model, codes) == "no single layer"
