import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from firmware_export.common.errors import UserError
from firmware_export.memory import offline_plan
from firmware_export.tflite import interpreters, offline_metadata, reader, sanity


def _tensor(content, operator=0, output=True, position=0):
    main = content.subgraphs[0]
    ends = main.operators[operator].outputs if output else main.operators[operator].inputs
    return main.tensors[ends[position]]


def _set(part, **changes):
    for name, value in changes.items():
        setattr(part, name, value)


def _scales(values):
    return lambda content: _set(_tensor(content).quantization, scale=np.array(values, np.float32))


def _zero_points(values):
    return lambda content: _set(_tensor(content).quantization, zeroPoint=np.array(values, np.int64))


def _options(**changes):
    return lambda content: _set(content.subgraphs[0].operators[0].builtinOptions, **changes)


def _drop_options(content):
    _set(content.subgraphs[0].operators[0], builtinOptions=None, builtinOptionsType=0)


def _swap_operators(content):
    operators = content.subgraphs[0].operators
    operators[1], operators[2] = operators[2], operators[1]


def _write_twice(content):
    operators = content.subgraphs[0].operators
    operators[1].outputs = operators[0].outputs


def _scalar_axis(content):
    mean = next(o for o in content.subgraphs[0].operators if isinstance(o.builtinOptions, schema.ReducerOptionsT))
    content.subgraphs[0].tensors[mean.inputs[1]].shape = np.array([], np.int32)


def _constant_input(content):
    content.subgraphs[0].tensors[content.subgraphs[0].inputs[0]].buffer = _tensor(content, 0, False, 1).buffer


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (_scales([0.0]), "a scale that is not positive: 0.0"),
        (_scales([-0.5]), "a scale that is not positive: -0.5"),
        (_scales([np.inf]), "a scale that is not positive: inf"),
        (_scales([np.nan]), "a scale that is not positive: nan"),
        (_scales([]), "int8 without a scale"),
        (_scales([0.5, 0.5]), "2 scales and 1 zero points"),
        (_zero_points([128]), "a zero point outside -128 to 127"),
        (lambda content: _set(_tensor(content, 0, False, 1).quantization, quantizedDimension=3), "8 scales along axis"),
        (lambda content: _set(_tensor(content), isVariable=True), "keeps state between inferences"),
        (lambda content: _set(_tensor(content), shape=np.array([1, 0, 16, 8], np.int32)), r"the shape \[1, 0, 16, 8\]"),
        (lambda content: _set(_tensor(content), shape=np.array([1, 9999, 9999, 8], np.int32)), "bytes of activations"),
        (_options(strideH=0), "strideH 0, 1 or more expected"),
        (_options(dilationWFactor=-1), "dilationWFactor -1, 1 or more expected"),
        (_drop_options, "lacks its strides"),
        (lambda content: _set(content.subgraphs[0].operators[0], outputs=None), "lacks an input or an output"),
        (lambda content: _set(content.subgraphs[0].operators[0], inputs=[-1, 1, 2]), "lacks an input or an output"),
        (_swap_operators, "before it is written"),
        (_write_twice, "writes a tensor that is already written"),
        (_scalar_axis, r"has 8 bytes, 4 expected"),
        (_constant_input, r"has \d+ bytes, 768 expected"),
        (lambda content: content.subgraphs[0].operators.pop(), "no operator writes the output"),
        (lambda content: _set(content.metadata[0], buffer=9999), "refer to no buffer"),
        (lambda content: _set(content.metadata[0], name=None), "refer to no buffer"),
    ],
)
def test_contradictions_are_refused(monkeypatch, qat_model, edit_model, edit, words):
    # TFLite would refuse some of these by itself, or crash: here our own check is what is tried.
    monkeypatch.setattr(reader, "_check_bytes", lambda model, name: None)
    with pytest.raises(UserError, match=words) as caught:
        sanity.check(reader.read(edit_model(qat_model, edit), "my.tflite"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("change", [lambda w: w[:-1], lambda w: [*w[:-1], -2], lambda w: [*w[:-1], 1 << 30]])
def test_a_memory_plan_that_points_outside_is_refused(qat_model, edit_model, change):
    planned = offline_plan.with_offline_plan(qat_model)
    sanity.check(planned)

    def edit(content):
        entry = next(entry for entry in content.metadata if entry.name == offline_metadata.METADATA_NAME.encode())
        buffer = content.buffers[entry.buffer]
        words = np.frombuffer(bytes(buffer.data), "<i4").tolist()
        buffer.data = np.frombuffer(np.array(change(words), "<i4").tobytes(), np.uint8)

    model = reader.read(edit_model(planned, edit))
    with pytest.raises(UserError, match="OfflineMemoryAllocation does not fit"):
        sanity.check(model)


def test_a_depth_multiplier_beyond_the_channels_is_refused(quantized, edit_model):
    def edit(content):
        depthwise = content.subgraphs[0].operators[1].builtinOptions
        assert (type(depthwise).__name__, depthwise.depthMultiplier) == ("DepthwiseConv2DOptionsT", 1)
        depthwise.depthMultiplier = 2

    model = reader.read(edit_model(quantized("mobilenet"), edit))
    with pytest.raises(UserError, match="with a depth multiplier of 2"):
        sanity.check(model)


def test_every_kind_passes(quantized, kind):
    model = reader.read(quantized(kind))
    graph = model.graph
    sanity.check(model)
    reference = interpreters.TfliteInterpreter(model, is_reference=True)
    reference.invoke(np.zeros(graph.inputs[0].shape, np.int8))
    sanity.check_shapes(graph, lambda index: reference.tensor(index).shape)


def test_a_shape_that_the_operator_does_not_make_is_refused(qat_graph):
    with pytest.raises(UserError, match=r"operator 0 \(CONV_2D.* computes \[1, 2\], but the file has \[1, 16, 16, 8\]"):
        sanity.check_shapes(qat_graph, lambda index: (1, 2))
