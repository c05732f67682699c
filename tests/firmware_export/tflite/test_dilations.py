"""Dilated convolutions that a converter wrote as SPACE_TO_BATCH_ND, a convolution and BATCH_TO_SPACE_ND."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from structure_builder import StructureBuilder

from firmware_export.tflite import dilations, interpreters, reader

AXES = st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(0, 5))
"""Gap, taps, and how much longer a side is than the span of the taps."""


def blocks(rows, columns, padding, *, depthwise=False, seed=0, extra_crop=0):
    """Bytes of a model with the three operators, as TensorFlow's `with_space_to_batch` makes them."""
    sides = [(gap, taps, gap * (taps - 1) + 1 + more) for gap, taps, more in (rows, columns)]
    pads, crops, padded = [], [], []
    for gap, taps, size in sides:
        beyond = gap * (taps - 1) if padding == "SAME" else 0
        first, last = beyond // 2, beyond - beyond // 2
        more = -(size + beyond) % gap
        pads.append((first, last + more))
        crops.append((0, more + extra_crop))
        padded.append((size + beyond + more) // gap)
    gaps, kernel = [side[0] for side in sides], tuple(side[1] for side in sides)
    b = StructureBuilder(seed)
    image = b.activation((1, sides[0][2], sides[1][2], 3))
    batch = gaps[0] * gaps[1]
    apart = b.activation((batch, *padded, 3), image.quantization)
    b.operator("SPACE_TO_BATCH_ND", [image.index, _table(b, gaps), _table(b, pads)], apart)
    made = b.convolution(apart, 3, kernel, (1, 1), "VALID", "RELU6", multiplier=1 if depthwise else None)
    made = type(made)(made.index, (batch, *made.shape[1:]), made.scale, made.zero_point)
    b.tensors[made.index].shape = list(made.shape)
    size = [made.shape[1 + axis] * gaps[axis] - sum(crops[axis]) for axis in range(2)]
    together = b.activation((1, *size, 3), made.quantization)
    b.operator("BATCH_TO_SPACE_ND", [made.index, _table(b, gaps), _table(b, crops)], together)
    return b.model(image, together)


def _table(builder, values):
    return builder.constant(np.array(values, np.int32))


def codes(model):
    return np.random.default_rng(1).integers(-128, 128, (1, *model.graph.input_shape)).astype(np.int8)


def outputs(model):
    return interpreters.TfliteInterpreter(model, is_reference=True).invoke(codes(model))


@given(AXES, AXES, st.sampled_from(["SAME", "VALID"]), st.booleans(), st.integers(0, 99))
@settings(max_examples=60)
def test_one_convolution_computes_the_same(rows, columns, padding, depthwise, seed):
    content = blocks(rows, columns, padding, depthwise=depthwise, seed=seed)
    model, changes = reader.read(content), []
    graph = model.graph
    assert graph.operator_names == ("DEPTHWISE_CONV_2D" if depthwise else "CONV_2D",)
    assert model.origin is not None
    assert any(change.startswith("1 dilated convolutions, each written as") for change in model.changes)
    assert np.array_equal(outputs(model), outputs(model.given))
    by_tflm = interpreters.TflmInterpreter(model).invoke(codes(model))
    assert np.abs(by_tflm.astype(int) - outputs(model)).max() <= 1
    assert dilations.join_dilated(model, changes) is model
    assert not changes


def test_other_crops_are_left_as_they_are():
    model = reader.read(blocks((2, 3, 4), (2, 3, 4), "SAME", extra_crop=1))
    assert "SPACE_TO_BATCH_ND" in model.graph.operator_names


def test_a_tensor_between_that_others_read_stays(edit_model):
    model = reader.read(blocks((2, 3, 4), (2, 3, 4), "SAME"))

    def also_an_output(unpacked):
        main = unpacked.subgraphs[0]
        main.outputs = [*main.outputs, main.operators[1].outputs[0]]

    edited = reader.read(edit_model(model.given.content, also_an_output))
    assert "SPACE_TO_BATCH_ND" in edited.graph.operator_names
