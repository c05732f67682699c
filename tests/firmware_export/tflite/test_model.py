import dataclasses
import hashlib
import zlib

import int8_graphs
import numpy as np
import pytest
import row_models

from firmware_export.tflite import model as models
from firmware_export.tflite import reader


def test_it_keeps_the_file(quantized):
    content = quantized("autoencoder")
    model = reader.read(content, "mine.tflite")
    assert model.content is content
    assert (model.name, model.size) == ("mine.tflite", len(content))
    assert (model.sha256, model.crc32) == (hashlib.sha256(content).hexdigest(), zlib.crc32(content))


def test_it_is_frozen(qat_model):
    with pytest.raises(dataclasses.FrozenInstanceError):
        qat_model.content = b""
    with pytest.raises(TypeError):
        qat_model.options[0]["strideH"] = 5
    with pytest.raises(ValueError, match="read-only"):
        qat_model.constant(qat_model.graph.operators[0].inputs[1])[0] = 5


def test_options_are_the_operators_own():
    model = row_models.model(lambda b, x: b.convolution(x, 4, (3, 3), (2, 1), "VALID", "RELU6"), (1, 7, 7, 2))
    (options,) = model.options
    assert (options["strideH"], options["strideW"]) == (2, 1)
    assert models.enum_name("Padding", options["padding"]) == "VALID"
    assert models.enum_name("ActivationFunctionType", options["fusedActivationFunction"]) == "RELU6"


def test_an_operator_without_options_has_none():
    model = row_models.model(lambda b, x: b.relu("RELU", x), (1, 7))
    edited = model.edited(lambda content: setattr(content.subgraphs[0].operators[0], "builtinOptions", None))
    assert dict(edited.options[0]) == {}


def test_a_name_that_the_schema_lacks_is_the_number():
    assert models.enum_name("Padding", 99) == "99"


def test_constants_are_what_was_put_in():
    builder = int8_graphs.GraphBuilder()
    given = builder.activation((1, 5, 5, 2))
    model = reader.read(builder.model(given, builder.convolution(given, 3, (3, 3), (1, 1), "SAME", "NONE")))
    _, weights, bias = model.graph.operators[0].inputs
    assert (model.constant(weights).dtype, model.constant(weights).shape) == (np.int8, (3, 3, 3, 2))
    assert model.constant(weights).tobytes() == bytes(builder.buffers[1].data)
    assert (model.constant(bias).dtype, model.constant(bias).shape) == (np.int32, (3,))
    assert model.buffer(model.graph.inputs[0]).data == b""


def test_an_edit_makes_another_model(qat_model):
    before = qat_model.content
    index = qat_model.graph.operators[0].outputs[0].index
    edited = qat_model.edited(lambda content: setattr(content.subgraphs[0].tensors[index], "isVariable", True))
    assert edited.graph.tensors[index].is_variable
    assert not qat_model.graph.tensors[index].is_variable
    assert qat_model.content == before != edited.content
    assert edited.name == qat_model.name


def test_no_edit_changes_nothing_of_the_graph(qat_model):
    same = qat_model.edited(lambda content: None)
    assert same.graph == qat_model.graph
    assert same.buffers == qat_model.buffers
    assert same.metadata == qat_model.metadata
    assert [dict(options).keys() for options in same.options] == [dict(o).keys() for o in qat_model.options]


@pytest.mark.parametrize("end", ["inputs", "outputs"])
def test_an_absent_tensor_at_an_end_is_an_error(qat_model, end):
    """Python would take −1 for the last tensor."""
    with pytest.raises(IndexError, match="the model lacks an input or an output"):
        qat_model.edited(lambda content: setattr(content.subgraphs[0], end, np.array([-1], np.int32)))
    with pytest.raises(IndexError, match=r"operator 0 \(CONV_2D\) lacks an input or an output"):
        qat_model.edited(
            lambda content: setattr(content.subgraphs[0].operators[0], "outputs", np.array([-1], np.int32))
        )


def test_state_and_metadata_are_read(qat_model):
    names = [entry.name for entry in qat_model.metadata]
    assert b"min_runtime_version" in names
    assert all(0 <= entry.buffer < len(qat_model.buffers) for entry in qat_model.metadata)
