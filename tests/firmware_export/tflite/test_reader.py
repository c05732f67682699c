import dataclasses

import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_export.common.errors import UserError
from firmware_export.tflite import reader
from firmware_export.tflite.graph import Operator


def test_reads_the_students_operators(qat_graph):
    assert qat_graph.operator_names == ("ADD", "CONV_2D", "FULLY_CONNECTED", "MEAN")
    assert qat_graph.operator_counts == {"ADD": 2, "CONV_2D": 6, "FULLY_CONNECTED": 1, "MEAN": 1}


def test_reads_both_ends(qat_graph):
    (image,), (logits,) = qat_graph.inputs, qat_graph.outputs
    assert (image.shape, image.dtype, image.zero_point) == ((1, 16, 16, 3), "int8", -128)
    assert image.scale == pytest.approx(1 / 255, rel=1e-6)
    assert (logits.shape, logits.dtype, len(logits.scales)) == ((1, 10), "int8", 1)
    assert qat_graph.has_unit_input


@pytest.mark.parametrize("content", [b"", b"TFL3", b"no model at all", b"\x00" * 4096, b"PK\x03\x04" + b"z" * 500])
def test_garbage_is_the_users_error(content):
    with pytest.raises(UserError, match=r"garbage\.tflite is not a \.tflite model"):
        reader.read(content, "garbage.tflite")


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_truncated_anywhere_is_the_users_error(qat_model, data):
    length = data.draw(st.integers(0, qat_model.size - 1))
    with pytest.raises(UserError) as caught:
        reader.read(qat_model.content[:length], "cut.tflite")
    assert "cut.tflite" in str(caught.value)
    assert "\n" not in str(caught.value)


def _refusal(model):
    graph = reader.read(model, "my.tflite").graph
    with pytest.raises(UserError) as caught:
        reader.check_deployable(graph)
    message = str(caught.value)
    assert message.startswith("my.tflite")
    assert "\n" not in message
    return message


def test_what_we_convert_is_deployable(qat_graph):
    reader.check_deployable(qat_graph)


def _float_converter(keras):
    import tensorflow as tf

    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3), keras.layers.Flatten()])
    return tf.lite.TFLiteConverter.from_keras_model(model), tf


def _converted(converter):
    from firmware_export.tflite.convert import _quiet

    with _quiet():
        return converter.convert()


def _with_signature(graph, signature):
    image = dataclasses.replace(graph.inputs[0], shape_signature=signature)
    return dataclasses.replace(graph, inputs=(image,))


def test_a_variable_batch_is_one(qat_graph):
    reader.check_deployable(_with_signature(qat_graph, (-1, 16, 16, 3)))


def test_a_variable_size_is_refused(qat_graph):
    with pytest.raises(UserError, match=r"has the dynamic shape .* convert with a fixed input size"):
        reader.check_deployable(_with_signature(qat_graph, (1, -1, -1, 3)))


def test_float_is_refused(keras):
    import tensorflow as tf

    function = tf.function(lambda x: tf.nn.relu(x * 2.0), input_signature=[tf.TensorSpec([1, 4], tf.float32)])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()])
    assert "float32, int8 expected" in _refusal(_converted(converter))


def _with_last(graph, name, dtype):
    """The graph with one more operator at its end."""
    output = dataclasses.replace(graph.outputs[0], index=len(graph.tensors), name="end", dtype=dtype, scales=())
    last = Operator(len(graph.operators), name, (graph.outputs[0],), (output,))
    return dataclasses.replace(
        graph, outputs=(output,), tensors=(*graph.tensors, output), operators=(*graph.operators, last)
    )


def test_an_index_at_the_end_is_told_what_to_do(qat_graph):
    with pytest.raises(UserError, match=r"ends in ARG_MAX, .*: convert the model without it, and take the largest"):
        reader.check_deployable(_with_last(qat_graph, "ARG_MAX", "int64"))


def test_a_layer_without_an_int8_kernel_is_named(qat_graph):
    with pytest.raises(UserError, match=r"operator \d+ \(ELU, .* is float32, .* converter has no int8 ELU: replace"):
        reader.check_deployable(_with_last(qat_graph, "ELU", "float32"))


def test_float_models_and_those_of_int8_weights_are_told_apart(keras):
    converter, tf = _float_converter(keras)
    assert "is a float model, int8 expected: quantize it" in _refusal(_converted(converter))
    image = keras.Input((8, 8, 1), batch_size=1)
    model = keras.Model(image, keras.layers.Conv2D(32, 8)(image))
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    assert "has int8 weights but computes in float32 (dynamic range)" in _refusal(_converted(converter))


def test_an_lstm_is_refused_as_one(keras):
    import numpy as np
    import tensorflow as tf

    image = keras.Input((6, 4), batch_size=1)
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(image, keras.layers.LSTM(4)(image)))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    converter.representative_dataset = lambda: ([np.full((1, 6, 4), v, np.float32)] for v in (0, 1))
    assert "keeps state between inferences (UNIDIRECTIONAL_SEQUENCE_LSTM)" in _refusal(_converted(converter))


def _renamed(qat_graph, name):
    operators = (dataclasses.replace(qat_graph.operators[0], name=name), *qat_graph.operators[1:])
    return dataclasses.replace(qat_graph, operators=operators)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("CUSTOM:ethos-u", "was compiled for an Ethos-U NPU .*before Vela"),
        ("SVDF", r"keeps state between inferences \(SVDF\)"),
        ("VAR_HANDLE", r"keeps state between inferences \(VAR_HANDLE\)"),
        ("CUSTOM:TFLite_Detection_PostProcess", "lacks: CUSTOM:TFLite_Detection_PostProcess"),
    ],
)
def test_refusals_name_the_true_reason(qat_graph, name, reason):
    with pytest.raises(UserError, match=reason):
        reader.check_deployable(_renamed(qat_graph, name))


@pytest.mark.parametrize("ends", ["int16", "float32"])
def test_int16_activations_are_refused(keras, ends):
    import numpy as np

    converter, tf = _float_converter(keras)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    sixteen = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    converter.target_spec.supported_ops = [sixteen]
    converter.inference_input_type = converter.inference_output_type = tf.as_dtype(ends)
    converter.representative_dataset = lambda: ([np.full((1, 8, 8, 1), v, np.float32)] for v in (0, 1))
    model = _converted(converter)
    graph = reader.read(model, "my.tflite").graph
    # Its batch is free too: judge the data types alone.
    fixed = tuple(dataclasses.replace(tensor, shape_signature=tensor.shape) for tensor in graph.tensors)
    with pytest.raises(UserError, match="int16, int8 expected: quantize activations to int8, not 16x8"):
        reader.check_deployable(dataclasses.replace(graph, tensors=fixed))


@pytest.mark.parametrize(
    ("code", "custom", "name"),
    [
        (schema.BuiltinOperator.TOPK_V2, None, "TOPK_V2"),
        (schema.BuiltinOperator.HASHTABLE_FIND, None, "HASHTABLE_FIND"),
        (schema.BuiltinOperator.CUSTOM, b"FlexErf", "CUSTOM:FlexErf"),
    ],
)
def test_operators_tflm_lacks_are_named(qat_model, edit_model, code, custom, name):
    def edit(content):
        for operator_code in content.operatorCodes:
            if operator_code.builtinCode == schema.BuiltinOperator.MEAN:
                operator_code.builtinCode = code
                operator_code.deprecatedBuiltinCode = min(code, 127)
                operator_code.customCode = custom
                target = content.operatorCodes.index(operator_code)
        for operator in content.subgraphs[0].operators:
            if operator.opcodeIndex == target:
                operator.builtinOptions, operator.builtinOptionsType = None, 0

    message = _refusal(edit_model(qat_model, edit))
    assert message.endswith(f"lacks: {name}: replace those layers")


def test_other_batches_are_refused(qat_graph):
    image = dataclasses.replace(qat_graph.inputs[0], shape=(4, 16, 16, 3), shape_signature=(4, 16, 16, 3))
    with pytest.raises(UserError, match="batch 1 expected"):
        reader.check_deployable(dataclasses.replace(qat_graph, inputs=(image,)))


def test_several_ends_are_accepted(qat_graph):
    reader.check_deployable(dataclasses.replace(qat_graph, inputs=qat_graph.inputs * 2, outputs=qat_graph.outputs * 2))


def test_several_subgraphs_or_no_ends_are_refused(qat_graph):
    for change, words in (
        ({"subgraphs": 2}, "2 subgraphs, 1 expected"),
        ({"inputs": ()}, "0 inputs and 1 outputs"),
        ({"outputs": ()}, "1 inputs and 0 outputs"),
        ({"operators": ()}, "no operators"),
    ):
        with pytest.raises(UserError, match=words):
            reader.check_deployable(dataclasses.replace(qat_graph, **change))


def test_uint8_is_refused(qat_graph):
    operator = qat_graph.operators[0]
    old = dataclasses.replace(operator.outputs[0], dtype="uint8")
    operators = (dataclasses.replace(operator, outputs=(old,)), *qat_graph.operators[1:])
    with pytest.raises(UserError, match="no longer has uint8 kernels"):
        reader.check_deployable(dataclasses.replace(qat_graph, operators=operators))


def test_a_tensor_larger_than_the_limit_is_refused(qat_graph, monkeypatch):
    operator = qat_graph.operators[0]
    large = dataclasses.replace(operator.outputs[0], shape=(1, 1 << 15, 1 << 15, 64))
    first = dataclasses.replace(operator, outputs=(large,))
    bomb = dataclasses.replace(qat_graph, operators=(first, *qat_graph.operators[1:]))
    with pytest.raises(UserError, match=r"takes 262,144 MiB, more than 512: set SATKD_MAX_TENSOR_MIB"):
        reader.check_deployable(bomb)
    monkeypatch.setenv("SATKD_MAX_TENSOR_MIB", "300000")
    reader.check_deployable(bomb)
