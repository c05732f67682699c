"""Scales for which TFLM's versions differ: whether it multiplies and divides in float32 or in double."""

import numpy as np
from int8_graphs import _ACTIVATIONS, _OPTIONS, GraphBuilder, schema

from firmware_export.rows import arithmetic
from firmware_export.tflite import reader
from firmware_export.verify import dense_layers


def dense_model(scales, sums, activation="NONE"):
    """FULLY_CONNECTED of four inputs whose output `i` is that of the sum `sums[i]`, whatever the input."""
    builder = GraphBuilder()
    source = builder.activation((1, 4), (scales[0], 3))
    output = builder.activation((1, len(sums)), (scales[2], -7))
    weights = builder.constant(np.zeros((len(sums), 4), np.int8), np.array([scales[1]], np.float32))
    bias = builder.constant(np.array(sums, np.int32), (scales[0] * scales[1],))
    options = schema.FullyConnectedOptionsT(fusedActivationFunction=getattr(_ACTIVATIONS, activation))
    inputs = [source.index, weights, bias]
    builder.operator("FULLY_CONNECTED", inputs, output, options, _OPTIONS.FullyConnectedOptions)
    return reader.read(builder.model(source, output))


def telling_scales(seed, count):
    """Scales with sums below 10^6 that tell the products apart, and the sums."""
    random, found = np.random.default_rng(seed), []
    while len(found) < count:
        scales = tuple(random.uniform(0.1, 1, 3) * (0.1, 1e-4, 0.01))
        layers = dense_layers.find(dense_model(scales, [0]))
        sums = [int(s) for layer in layers for s in layer.telling_sums if abs(s) < 1_000_000]
        if sums:
            found.append((scales, sums))
    return found


def telling_ratios(seed, count):
    """Scales of an input and an output, and a code (zero point 0) that float32 and double scale differently."""
    random, found = np.random.default_rng(seed), []
    while len(found) < count:
        given, output = random.uniform(0.001, 0.1, (2, 100_000)).astype(np.float32)
        real = given.astype(float) / output
        for code in range(1, 128):
            scaled = code * real
            near = (np.abs(scaled - np.floor(scaled) - 0.5) < 2e-6) & (scaled < 127)
            for i in np.flatnonzero(near):
                ratios = float(given[i] / output[i]), float(real[i])
                single, double = (arithmetic.requantize(code, *arithmetic.quantize_multiplier(x)) for x in ratios)
                if single != double:
                    found.append((float(given[i]), float(output[i]), code))
    return found[:count]
