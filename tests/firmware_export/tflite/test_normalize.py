"""Normalized copies: they compute what the file computes, and every change is listed."""

import numpy as np
import pytest
from int8_graphs import PIXELS, GraphBuilder
from model_surgery import edited, with_ends

from firmware_export.tflite import model as parser
from firmware_export.tflite import offline_metadata, reader
from firmware_export.tflite.interpreters import TfliteInterpreter

SHAPE = (1, 6, 5, 3)


@pytest.fixture
def small():
    builder = GraphBuilder(3)
    given = builder.activation(SHAPE, PIXELS)
    return builder.model(given, builder.convolution(given, 4, (3, 3), (1, 1), "SAME", "NONE"))


def _pictures(count=8):
    return np.random.default_rng(5).integers(-128, 128, (count, *SHAPE), np.int8)


def _assert_same(content, copy, feed, read):
    """The file computes the copy's codes, after `feed` of its input and before `read` of its output."""
    whole = TfliteInterpreter(parser.parse(content, "whole"), is_reference=True)
    core = TfliteInterpreter(copy, is_reference=True)
    for codes in _pictures():
        given = whole._graph.inputs[0].index
        np.testing.assert_array_equal(read(core.invoke(codes)), whole.invoke_with({given: feed(codes)}))


def test_float_ends_are_cut_off(small):
    content = with_ends(small, "float32")
    copy = reader.read(content)
    reader.check_deployable(copy.graph)
    (image,), (scores,) = copy.graph.inputs, copy.graph.outputs
    assert (image.dtype, image.scale, image.zero_point) == ("int8", np.float32(1 / 255), -128)
    assert copy.graph.operator_names == ("CONV_2D",)
    assert copy.given.content == content
    assert copy.shipped is copy
    assert [change.split(":")[0] for change in copy.changes] == [
        "The input 'image in' lost its QUANTIZE from float32",
        "The output 'scores out' lost its DEQUANTIZE to float32",
        "2 tensors that nothing uses any longer were removed.",
    ]

    def feed(codes):
        return ((codes.astype(np.float32) + 128) * np.float32(image.scale)).astype(np.float32)

    def read(codes):
        return (codes.astype(np.float32) - scores.zero_point) * np.float32(scores.scale)

    _assert_same(content, copy, feed, read)


def test_uint8_ends_are_cut_off(small):
    content = with_ends(small, "uint8")
    copy = reader.read(content)
    reader.check_deployable(copy.graph)
    assert copy.graph.operator_names == ("CONV_2D",)

    def flipped(codes):
        return codes.view(np.uint8) ^ np.uint8(0x80)

    _assert_same(content, copy, flipped, flipped)


def test_an_end_that_others_read_stays(small):
    def share(content):
        main = content.subgraphs[0]
        main.outputs = [*main.outputs, main.inputs[0]]

    copy = reader.read(edited(with_ends(small, "float32"), share))
    assert copy.graph.inputs[0].dtype == "float32"


def test_a_wrong_axis_of_a_bias_ships_the_file_itself(small):
    def spoil(content):
        bias = next(tensor for tensor in content.subgraphs[0].tensors if len(tensor.shape) == 1)
        bias.quantization.quantizedDimension = 3

    content = edited(small, spoil)
    copy = reader.read(content)
    assert copy.shipped.content == copy.given.content == content
    assert copy.content != content
    assert copy.changes == ()
    assert "quantized_dimension of 1 constants" in copy.origin.changes[0]


def test_a_sound_file_is_not_copied(small):
    model = reader.read(small)
    assert model.content == small
    assert model.origin is None
    assert model.given is model.shipped is model


def test_a_plan_for_other_tensors_is_removed(small):
    model = parser.parse(small, "planned")
    planned = offline_metadata.with_offsets(model, [offline_metadata.ONLINE_PLANNED] * len(model.graph.tensors))
    copy = reader.read(with_ends(planned, "float32"))
    assert not copy.buffers[copy.metadata[0].buffer].data if copy.metadata else True
    assert any("OfflineMemoryAllocation" in change for change in copy.changes)


def test_the_stated_range_is_kept(small):
    model = reader.read(with_ends(small, "float32")).with_range("0..255")
    assert model.graph.input_range == model.given.graph.input_range == "0..255"
    assert model.edited(lambda content: None).graph.input_range == "0..255"
