"""Which rows a pair reads, and its arithmetic on the host."""

import elementwise_graphs as graphs
import numpy as np
import pytest
import row_models

from firmware_export.rows.layers_elementwise import Pairwise
from firmware_export.rows.lower import lower
from firmware_export.rows.plan import plan
from firmware_export.tflite import interpreters


def _model(name, kind, shape=(1, 5, 4, 3)):
    def build(builder, x):
        return graphs.pair(builder, name, x, graphs.operand(builder, kind, x, (0.02, 3)), quantization=(0.07, 1))

    return row_models.model(build, shape, quantization=(0.05, 4))


@pytest.mark.parametrize(("kind", "rows"), [("tensor", range(3, 4)), ("channel tensor", range(1))])
def test_a_smaller_operand_has_one_row(kind, rows):
    layer = lower(_model("MUL", kind)).layers[-1]
    assert layer.reads_from(0, 3) == range(3, 4)
    assert layer.reads_from(1, 3) == rows


def test_the_larger_operand_is_kept_until_the_smaller_is_known():
    planned = plan(lower(_model("MUL", "channel tensor")))
    depths = {ring.tensor.name: ring.depth for ring in planned.rings}
    assert depths == {"t0": 5, "t1": 1, "t3": 5}  # the last is the output


@pytest.mark.parametrize("name", graphs.PAIRS)
def test_codes_on_the_host(name):
    """Every pair of codes, against TFLM."""
    first, second = (codes.astype(np.int8) for codes in np.mgrid[-128:128, -128:128])

    def build(builder, x):
        other = graphs.constant(builder, second.reshape(-1), (0.02, 3))
        return graphs.pair(builder, name, x, other, "RELU", quantization=(0.03, 1))

    model = row_models.model(build, (1, 65536), quantization=(0.05, 4))
    layer = lower(model).layers[-1]
    codes = np.arange(0, 65536, 97)
    if isinstance(layer, Pairwise):
        found = [layer.output_code(int(first.flat[i]), int(second.flat[i])) for i in codes]
        expected = interpreters.run(model, first.reshape(1, -1)).reshape(-1)
        assert found == expected[codes].tolist()
