"""The outputs of another version of TFLM, and the search for an input that tells the two apart."""

import numpy as np
import pytest
from dense_models import dense_model, telling_scales
from int8_graphs import GraphBuilder, several_ends

from firmware_export.common.dense_scale import DenseScale
from firmware_export.tflite import interpreters, reader
from firmware_export.verify import dense_layers, dense_parity


def _chain(builder, source):
    x = builder.dense(source, 12, "RELU")
    y = builder.dense(x, 12, "NONE")
    return builder.dense(builder.add(x, y, "NONE"), 5, "NONE", by_channel=True)


def _model():
    builder = GraphBuilder(2)
    source = builder.activation((1, 30))
    return reader.read(builder.model(source, _chain(builder, source)))


def test_under_the_packages_scale_outputs_are_the_packages():
    """Through pieces whose inputs come from several pieces before."""
    model = _model()
    assert len(dense_layers.find(model)) == 2
    codes = np.random.default_rng(1).integers(-128, 128, (30, 1, 30)).astype(np.int8)[:, 0]
    found = dense_parity.runner(model, DenseScale.DOUBLE)(codes)
    np.testing.assert_array_equal(found, interpreters.run(model, codes))


def test_several_ends_stay_in_order():
    model = reader.read(several_ends())
    codes = np.random.default_rng(1).integers(-128, 128, (3, 96)).astype(np.int8)
    found = dense_parity.runner(model, DenseScale.DOUBLE)(codes)
    np.testing.assert_array_equal(found, interpreters.run(model, codes))


def _reachable(scales, sums):
    """Two weights of 1 and 16, and a bias such that inputs reach some of the sums."""
    model = dense_model(scales, [sums[0]])

    def weigh(unpacked):
        weights = unpacked.subgraphs[0].tensors[unpacked.subgraphs[0].operators[0].inputs[1]]
        unpacked.buffers[weights.buffer].data = np.array([1, 16, 0, 0], np.int8).view(np.uint8)

    return model.edited(weigh)


def test_an_input_is_found_that_tells_them_apart():
    model = _reachable(*telling_scales(seed=3, count=1)[0])
    codes = np.full((2, 4), 100, np.int8)
    parity = dense_parity.check(model, codes, DenseScale.FLOAT)
    assert parity.can_differ
    assert parity.differs_from_package
    assert parity.telling is not None
    double, single = (dense_parity.runner(model, scale)(parity.telling) for scale in reversed(DenseScale))
    assert np.abs(double.astype(int) - single).tolist() == [[1]]
    np.testing.assert_array_equal(double, interpreters.run(model, parity.telling))
    assert "the last golden vector tells versions apart" in parity.statement
    assert "up to 20 August 2026" in parity.statement
    assert not dense_parity.check(model, codes, DenseScale.DOUBLE).differs_from_package


def test_a_search_ends_without_an_input(monkeypatch):
    monkeypatch.setattr(dense_parity, "_MOST_TRIED", 5)
    parity = dense_parity.check(
        _reachable(*telling_scales(seed=3, count=1)[0]), np.full((2, 4), 100, np.int8), DenseScale.DOUBLE
    )
    assert (parity.can_differ, parity.tried, parity.telling) == (True, 5, None)
    assert parity.statement.endswith("no golden vector tells versions apart: 5 inputs were tried")
    assert not parity.summary.has_golden_vector


def test_multipliers_may_differ_where_no_output_does():
    scales, sums = telling_scales(seed=3, count=1)[0]
    parity = dense_parity.check(dense_model(scales, [sums[0] + 1000]), np.zeros((1, 4), np.int8), DenseScale.FLOAT)
    assert parity.statement == "the multiplier of 1 dense layer depends on TFLM's version, but no output does"
    assert not parity.differs_from_package
    assert parity.summary.tried == 0


@pytest.mark.parametrize("dense_scale", DenseScale)
def test_without_such_a_layer_there_is_nothing_to_say(dense_scale):
    builder = GraphBuilder(2)
    source = builder.activation((1, 30))
    model = reader.read(builder.model(source, builder.dense(source, 3, "NONE", by_channel=True)))
    parity = dense_parity.check(model, np.zeros((1, 30), np.int8), dense_scale)
    assert (parity.layers, parity.statement, parity.summary) == ((), "", None)
