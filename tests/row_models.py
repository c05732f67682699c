"""Small models for the row engine, parsed."""

import elementwise_graphs
from int8_graphs import PIXELS
from structure_builder import StructureBuilder

from firmware_export.tflite import reader


def model(build, shape, *, seed=0, quantization=None):
    """A `Model` with the layers that `build(builder, input) -> output` appends to an input of `shape`."""
    builder = StructureBuilder(seed)
    given = builder.activation(shape, quantization)
    return reader.read(builder.model(given, build(builder, given)))


def every_layer(quantization=PIXELS):
    """A `Model` that uses every kernel of the row engine: [1, 9, 7, 3] to five classes."""
    return model(_every_layer, (1, 9, 7, 3), seed=5, quantization=quantization)


def _every_layer(builder, given):
    x = builder.convolution(given, 4, (3, 3), (1, 1), "SAME", "RELU")
    y = builder.convolution(x, 4, (3, 3), (1, 1), "SAME", "NONE", multiplier=1)
    x = builder.relu("RELU", builder.add(x, y, "NONE"))
    x = builder.pool("MAX_POOL_2D", x, (3, 3), (1, 1), "SAME", "NONE")
    x = builder.pool("AVERAGE_POOL_2D", x, (3, 3), (1, 1), "SAME", "NONE")
    x = builder.pad(x, [[0, 0], [1, 1], [0, 0], [0, 1]])
    x = builder.pool("AVERAGE_POOL_2D", x, (4, 2), (4, 1), "SAME", "NONE")
    y = builder.dense(builder.reshape(x, (1, 3 * 7 * 5)), 5, "NONE")
    return builder.softmax(builder.add(builder.mean(x), y, "NONE"))


def elementwise(quantization=PIXELS):
    """A `Model` that uses every elementwise kernel of the row engine: [1, 6, 5, 3] to the same shape."""
    return model(_elementwise, (1, 6, 5, 3), seed=7, quantization=quantization)


def _elementwise(builder, given):
    x = elementwise_graphs.function(builder, "HARD_SWISH", given, (0.01, -40))
    for name, kind in (
        ("PRELU", "channels"),
        ("MUL", "channel tensor"),
        ("ADD", "pixel tensor"),
        ("SUB", "columns"),
        ("MAXIMUM", "channels"),
    ):
        x = elementwise_graphs.pair(builder, name, x, elementwise_graphs.operand(builder, kind, x, (0.02, 3)))
    for name, kind in (("SUB", "pixels"), ("MINIMUM", "channels")):
        x = elementwise_graphs.pair(builder, name, elementwise_graphs.operand(builder, kind, x, (0.02, 3)), x)
    # Every output of the plane: a mean of it would hide most changes of one code.
    return elementwise_graphs.function(builder, "LOG_SOFTMAX", x)


def structure(quantization=PIXELS):
    """A `Model` with every layer that moves codes: [1, 8, 6, 3] to five classes."""
    return model(_structure, (1, 8, 6, 3), seed=8, quantization=quantization)


def _structure(builder, given):
    weighted = {"by_channel": True, "has_bias": True}
    x = builder.convolution(given, 4, (3, 3), (1, 1), "SAME", "RELU")
    first, second, third = builder.split(x, 3, [1, 2, 1])
    x = builder.add(x, builder.concatenation([third, second, first], 3), "NONE")
    x = builder.dilated(x, 4, (3, 3), (1, 1), (2, 2), "SAME", "RELU", **weighted)
    x = builder.dilated(x, 4, (3, 3), (1, 1), (2, 2), "SAME", "RELU", multiplier=1, **weighted)
    x = builder.resize(x, (12, 9), aligns=False, centers=True)
    x = builder.strided_slice(x, (slice(None), slice(10, 1, -2), slice(1, None, 2), slice(None)))
    x = builder.transposed(x, 4, (3, 3), (2, 2), (10, 8), "SAME", **weighted)
    x = builder.concatenation([builder.transpose(x, (0, 2, 1, 3))] * 2, 1)
    rows = builder.mean_over(x, (2,), keeps_rank=False)
    columns = builder.mean_over(x, (1, 3), keeps_rank=False)
    both = builder.dense(builder.expand_dims(columns, 2), 4, "NONE", depth=1)
    rows = builder.dense(builder.reshape(rows, (1, 64)), 5, "NONE")
    return builder.softmax(builder.add(rows, builder.dense(both, 5, "NONE"), "NONE"))
