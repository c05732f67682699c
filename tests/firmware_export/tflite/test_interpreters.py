import dataclasses

import int8_graphs
import model_surgery
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_export.common.errors import UserError
from firmware_export.memory.arena import least_bytes
from firmware_export.tflite import input_range, interpreters, reader
from firmware_export.tflite.model import parse


def test_unit_input_is_one_exclusive_or(qat_graph):
    pixels = np.arange(256, dtype=np.uint8)
    assert np.array_equal(interpreters.quantize_input(pixels, qat_graph), np.arange(-128, 128).astype(np.int8))


@given(scale=st.floats(1e-4, 0.5), zero_point=st.integers(-128, 127))
def test_other_inputs_are_quantized_as_tflite_does(qat_graph, scale, zero_point):
    image = dataclasses.replace(qat_graph.inputs[0], scales=(scale,), zero_points=(zero_point,))
    graph = dataclasses.replace(qat_graph, inputs=(image,), stated_range="0..1")
    pixels = np.arange(256, dtype=np.uint8)
    codes = interpreters.quantize_input(pixels, graph).astype(int)
    inside = (codes > -128) & (codes < 127)
    assert np.abs((codes - zero_point) * scale - pixels / 255)[inside].max(initial=0) <= scale / 2 * (1 + 3e-3)
    assert np.all(np.diff(codes) >= 0)


def test_quantizing_with_the_rule_gives_the_exclusive_or(qat_graph):
    tensor = qat_graph.inputs[0]
    pixels = np.arange(256)
    by_rule = np.clip(np.round(pixels / 255 / tensor.scale) + tensor.zero_point, -128, 127)
    assert np.array_equal(by_rule, interpreters.quantize_input(pixels.astype(np.uint8), qat_graph))


def test_an_unknown_range_must_be_stated(qat_graph):
    image = dataclasses.replace(qat_graph.inputs[0], scales=(0.39,), zero_points=(89,))
    graph = dataclasses.replace(qat_graph, inputs=(image,))
    with pytest.raises(UserError, match=r"takes values from -84\.63 to 14\.82, .*state it with --input-range"):
        interpreters.quantize_input(np.zeros((1, 4), np.uint8), graph)


def test_each_channel_has_its_own_range(qat_graph):
    image = dataclasses.replace(qat_graph.inputs[0], scales=(0.019,), zero_points=(-14,))
    graph = dataclasses.replace(qat_graph, inputs=(image,), stated_range="imagenet")
    pixels = np.full((1, 1, 1, 3), 128, np.uint8)
    means, deviations = input_range.INPUT_RANGES["imagenet"]
    expected = [round((128 - m) / d / 0.019) - 14 for m, d in zip(means, deviations, strict=True)]
    assert interpreters.quantize_input(pixels, graph).ravel().tolist() == expected


@pytest.mark.parametrize("channels", [1, 4])
def test_other_bands_than_colors_have_the_average_range(qat_graph, channels):
    image = dataclasses.replace(qat_graph.inputs[0], scales=(0.019,), zero_points=(-14,))
    graph = dataclasses.replace(qat_graph, inputs=(image,), stated_range="imagenet")
    pixels = np.full((1, 1, 1, channels), 128, np.uint8)
    expected = np.round(input_range.normalized(pixels, "imagenet") / 0.019) - 14
    assert interpreters.quantize_input(pixels, graph).ravel().tolist() == expected.ravel().tolist()
    assert len(set(expected.ravel().tolist())) == channels


def test_shapes_where_names_are_not_utf_8():
    def edit(content):
        for tensor in content.subgraphs[0].tensors[::3]:
            tensor.name = b"caf\xe9"

    model = parse(model_surgery.edited(model_surgery.one_convolution(), edit), "odd")
    reference = interpreters.TfliteInterpreter(model, is_reference=True)
    assert [reference.shape(index) for index in range(4)] == [(1, 4, 4, 3), (3, 4, 4, 3), (3,), (1, 1, 1, 3)]
    reader.read(model.content)


def test_several_ends_follow_one_another():
    model = parse(int8_graphs.several_ends(), "two")
    assert (model.graph.input_shape, model.graph.output_shape) == ((2 * 48,), (2 * 48,))
    codes = np.random.default_rng(0).integers(-128, 128, (5, 96), np.int8)
    first, second = interpreters.inputs_of(codes[:1], model.graph)
    assert first.shape == second.shape == (1, 4, 4, 3)
    assert np.array_equal(np.concatenate([first, second], axis=None), codes[0])
    reference = interpreters.TfliteInterpreter(model, is_reference=True)
    outputs = interpreters.run(model, codes)
    assert outputs.shape == (5, 96)
    assert np.array_equal(outputs, [reference.invoke(image[np.newaxis])[0] for image in codes])
    assert np.array_equal(outputs[:, 48:], np.maximum(outputs[:, :48], model.graph.outputs[0].zero_point))


def test_all_codes_of_an_output_without_batch_are_compared():
    """A model may end in [20, 1] instead of [1, 20]."""
    builder = int8_graphs.GraphBuilder()
    given = builder.activation((1, 2, 5, 2))
    model = parse(builder.model(given, builder.reshape(given, (20, 1))), "column")
    assert model.graph.output_shape == (20,)
    codes = np.random.default_rng(0).integers(-128, 128, (3, 2, 5, 2), np.int8)
    assert np.array_equal(interpreters.run(model, codes), codes.reshape(3, 20))


def test_codes_pass_and_floats_do_not(qat_graph):
    codes = np.zeros((2, 3), np.int8)
    assert interpreters.quantize_input(codes, qat_graph) is codes
    with pytest.raises(UserError, match="float32, uint8 expected"):
        interpreters.quantize_input(codes.astype(np.float32), qat_graph)


def test_run_gives_one_row_an_image_and_tells_progress(qat_model, codes):
    told = []
    outputs = interpreters.run(qat_model, codes[:5], lambda *step: told.append(step))
    assert (outputs.shape, outputs.dtype) == ((5, 10), np.int8)
    assert told == [(n, 5) for n in range(1, 6)]


def test_run_keeps_no_state_between_images(qat_model, codes):
    forwards = interpreters.run(qat_model, codes[:8])
    assert np.array_equal(interpreters.run(qat_model, codes[:8][::-1])[::-1], forwards)


def test_fast_kernels_are_close_but_no_oracle(qat_model, photos, codes):
    fast = interpreters.predict_int8(qat_model, photos[:32])
    micro = interpreters.run(qat_model, codes[:32])
    assert fast.shape == micro.shape
    assert np.abs(fast.astype(int) - micro.astype(int)).max() <= 4


def test_tflm_is_silent(qat_model, capfd):
    least_bytes(qat_model)
    assert capfd.readouterr().err == ""


def test_every_tensor_can_be_read(qat_model, qat_graph, codes):
    interpreter = interpreters.TflmInterpreter(qat_model, keeps_tensors=True)
    output = interpreter.invoke(codes[:1])
    for operator in qat_graph.operators:
        assert interpreter.tensor(operator.outputs[0].index).shape == operator.outputs[0].shape
    assert np.array_equal(interpreter.tensor(qat_graph.outputs[0].index), output)


def test_what_tflm_refuses_is_told_in_its_own_words(qat_model, edit_model):
    def reshape_bias(content):
        content.subgraphs[0].tensors[content.subgraphs[0].operators[0].outputs[0]].type = 3  # uint8

    with pytest.raises(UserError, match="refuses the model") as caught:
        least_bytes(parse(edit_model(qat_model, reshape_bias), "model"))
    assert "\n" not in str(caught.value)
