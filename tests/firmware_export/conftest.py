"""Tiny models of the kinds that people put on microcontrollers, each made once a session."""

import sys
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from firmware_export import convert, defaults, flatbuffer, images, oracle
from firmware_export.errors import exit_on_user_error
from firmware_export.model_data import ModelFacts

SIZE = 16
CLASSES = 10


@pytest.fixture(scope="session")
def keras():
    tf_keras, _ = convert._libraries()
    return tf_keras


def _conv(keras, x, filters, stride, name, *, relu=True, kernel=3):
    x = keras.layers.Conv2D(filters, kernel, stride, padding="same", use_bias=False, name=name)(x)
    x = keras.layers.BatchNormalization(name=f"{name}_bn")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x) if relu else x


def _separable(keras, x, filters, stride, name, ceiling=None):
    x = keras.layers.DepthwiseConv2D(3, stride, padding="same", use_bias=False, name=f"{name}_depthwise")(x)
    x = keras.layers.BatchNormalization(name=f"{name}_depthwise_bn")(x)
    x = keras.layers.ReLU(ceiling, name=f"{name}_depthwise_relu")(x)
    return _conv(keras, x, filters, 1, name, kernel=1)


def _lived_in(model, seed):
    """Give biases and batch norms values, as training does: the converter drops those that are still zero."""
    generator = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.shape.rank == 1:
            floor = 1.0 if "gamma" in weight.name or "variance" in weight.name else 0.0
            weight.assign(floor + 0.2 * generator.uniform(-1, 1, weight.shape))
    return model


def build_resnet(keras, softmax=False):
    """One identity block, one strided block with a 1×1 shortcut."""
    keras.utils.set_random_seed(1)
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = _conv(keras, image, 8, 1, "stem")
    y = _conv(keras, _conv(keras, x, 8, 1, "a1"), 8, 1, "a2", relu=False)
    x = keras.layers.ReLU(name="a_out")(keras.layers.Add(name="a_add")([x, y]))
    y = _conv(keras, _conv(keras, x, 16, 2, "b1"), 16, 1, "b2", relu=False)
    shortcut = _conv(keras, x, 16, 2, "b_shortcut", relu=False, kernel=1)
    x = keras.layers.ReLU(name="b_out")(keras.layers.Add(name="b_add")([shortcut, y]))
    x = keras.layers.GlobalAveragePooling2D(name="mean")(x)
    x = keras.layers.Dense(CLASSES, name="logits", activation="softmax" if softmax else None)(x)
    return _lived_in(keras.Model(image, x, name="tiny_resnet"), 1)


def build_ds_cnn(keras):
    """Keyword spotting: a grey spectrogram, depthwise convolutions, average pooling, softmax."""
    keras.utils.set_random_seed(2)
    image = keras.Input((24, 10, 1), name="spectrogram")
    x = _conv(keras, image, 8, 2, "stem")
    x = _separable(keras, _separable(keras, x, 8, 1, "one"), 8, 1, "two")
    x = keras.layers.AveragePooling2D((12, 5), name="pool")(x)
    x = keras.layers.Dense(12, activation="softmax", name="words")(keras.layers.Flatten(name="flat")(x))
    return _lived_in(keras.Model(image, x, name="ds_cnn"), 1)


def build_mobilenet(keras):
    """Visual wake words: strided depthwise convolutions, ReLU6."""
    keras.utils.set_random_seed(3)
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = _conv(keras, image, 8, 2, "stem")
    x = _separable(keras, _separable(keras, x, 16, 2, "one", 6.0), 16, 1, "two", 6.0)
    x = keras.layers.GlobalAveragePooling2D(name="mean")(x)
    return _lived_in(keras.Model(image, keras.layers.Dense(2, name="person")(x), name="mobilenet"), 1)


def build_autoencoder(keras):
    """Anomaly detection: a row of samples through dense layers only, each of which may be a step off."""
    keras.utils.set_random_seed(4)
    row = keras.Input((64,), name="samples")
    x = row
    for index, units in enumerate((32, 8, 32)):
        x = keras.layers.Dense(units, activation="relu", name=f"dense_{index}")(x)
    return _lived_in(keras.Model(row, keras.layers.Dense(64, name="rebuilt")(x), name="autoencoder"), 1)


BUILDERS = {
    "resnet": build_resnet,
    "ds_cnn": build_ds_cnn,
    "mobilenet": build_mobilenet,
    "autoencoder": build_autoencoder,
}


def quantize_float(keras, kind):
    model = BUILDERS[kind](keras)
    return convert.float_to_int8(model, images.generated_images(model.input_shape[1:], 32, seed=7))


@pytest.fixture(scope="session")
def float_keras(keras):
    return build_resnet(keras)


@pytest.fixture(scope="session")
def qat_keras(keras):
    """A quantization-aware ResNet whose ranges come from a few batches."""
    _, tfmot = convert._libraries()
    model = tfmot.quantization.keras.quantize_model(build_resnet(keras))
    batch = images.generated_images((SIZE, SIZE, 3), 64, seed=5).astype(np.float32) / 255
    for _ in range(2):
        _settle_ranges(model, batch)
    return model


def _settle_ranges(model, batch):
    """One call in training mode moves each range a thousandth of the way: take the whole way at once."""
    ends = ("output_min:0", "output_max:0", "activation_min:0", "activation_max:0")
    ranges = [weight for weight in model.weights if weight.name.endswith(ends)]
    before = [weight.numpy() for weight in ranges]
    model(batch, training=True)
    for weight, old in zip(ranges, before, strict=True):
        weight.assign(old + 1000 * (weight.numpy() - old))


@pytest.fixture(scope="session")
def qat_model(qat_keras):
    return convert.quantized_aware_to_int8(qat_keras)


@pytest.fixture(scope="session")
def qat_graph(qat_model):
    return flatbuffer.read(qat_model)


@pytest.fixture(scope="session")
def photos():
    """Stand for real images: uint8 [256, 16, 16, 3]."""
    return images.generated_images((SIZE, SIZE, 3), defaults.LEAST_IMAGES, seed=6)


@pytest.fixture(scope="session")
def codes(photos, qat_graph):
    return oracle.quantize_input(photos, qat_graph)


@pytest.fixture(scope="session")
def ptq_model(keras):
    return quantize_float(keras, "resnet")


def edited(model, edit):
    """The model after `edit` has changed its object form (schema's ModelT)."""
    content = schema.ModelT.InitFromPackedBuf(model)
    edit(content)
    return packed(content)


def packed(content):
    """The bytes of a model in its object form."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(content.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


@pytest.fixture(scope="session")
def edit_model():
    return edited


@pytest.fixture(scope="session")
def one_convolution():
    """840 bytes: one 4×4 convolution from a 4×4×3 image to three classes; written down, no converter's choice in it."""
    generator = np.random.default_rng(7)
    weights = generator.integers(-127, 128, (3, 4, 4, 3), np.int8)
    bias = generator.integers(-1000, 1000, 3, np.int32)

    def tensor(name, shape, kind, buffer, scale, zero_point):
        quantization = schema.QuantizationParametersT()
        quantization.scale, quantization.zeroPoint = np.float32([scale]), np.int64([zero_point])
        made = schema.TensorT()
        made.name, made.shape, made.type, made.buffer = name, np.int32(shape), kind, buffer
        made.quantization = quantization
        return made

    def buffer(data=None):
        made = schema.BufferT()
        made.data = None if data is None else np.frombuffer(data.tobytes(), np.uint8)
        return made

    options = schema.Conv2DOptionsT()
    options.padding, options.strideH, options.strideW = schema.Padding.VALID, 1, 1
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = np.int32([0, 1, 2]), np.int32([3])
    operator.builtinOptionsType, operator.builtinOptions = schema.BuiltinOptions.Conv2DOptions, options
    graph = schema.SubGraphT()
    int8, int32 = schema.TensorType.INT8, schema.TensorType.INT32
    graph.tensors = [
        tensor("image", (1, 4, 4, 3), int8, 0, 1 / 255, -128),
        tensor("weights", weights.shape, int8, 1, 1 / 64, 0),
        tensor("bias", bias.shape, int32, 2, 1 / 255 / 64, 0),
        tensor("logits", (1, 1, 1, 3), int8, 0, 1 / 8, 3),
    ]
    graph.inputs, graph.outputs, graph.operators = np.int32([0]), np.int32([3]), [operator]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CONV_2D
    model = schema.ModelT()
    model.version, model.subgraphs, model.operatorCodes = 3, [graph], [code]
    model.buffers = [buffer(), buffer(weights), buffer(bias)]
    return packed(model)


@pytest.fixture(scope="session")
def nudge_constant():
    """A function (model, graph, operator index, input position, amount) -> the model with one constant shifted."""

    def nudge(model, graph, operator, position, amount):
        tensor = graph.operators[operator].inputs[position]

        def edit(content):
            buffer = content.buffers[content.subgraphs[0].tensors[tensor.index].buffer]
            values = np.frombuffer(bytes(buffer.data), tensor.dtype).astype(np.int64)
            limits = np.iinfo(tensor.dtype)
            moved = np.clip(values + amount, limits.min, limits.max).astype(tensor.dtype)
            buffer.data = np.frombuffer(moved.tobytes(), np.uint8)

        return edited(model, edit)

    return nudge


@pytest.fixture(scope="session")
def autoencoder_model(keras):
    return quantize_float(keras, "autoencoder")


@pytest.fixture(scope="session")
def quantized(keras):
    """A function from a kind of model to its int8 bytes."""
    return lambda kind: quantize_float(keras, kind)


@pytest.fixture(scope="session")
def facts(qat_model, qat_graph):
    """What an export would say of the quantization-aware model."""
    return ModelFacts(
        model=qat_model,
        graph=qat_graph,
        command="python -m firmware_export student.tflite --out firmware",
        symbol=defaults.SYMBOL,
        class_names=(),
        arena_bytes=9680,
        arena_margin=608,
        margin_rule="by rule",
        verified_images=256,
        images_are_real=True,
        parity="all agree",
    )


@pytest.fixture(scope="session")
def tflm_interface(tmp_path_factory):
    """A folder to include from, in which each of TFLM's headers that the classifier names leads to the one of ours."""
    folder = tmp_path_factory.mktemp("tflm")
    interface = Path(__file__).parent / "tflm" / "tflm_interface.h"
    for header in (
        "micro/micro_interpreter.h",
        "micro/micro_mutable_op_resolver.h",
        "micro/micro_profiler_interface.h",
        "schema/schema_generated.h",
    ):
        path = folder / "tensorflow" / "lite" / header
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'#include "{interface}"\n')
    return folder


@pytest.fixture
def call_in_process(monkeypatch, capfd):
    """Run a command's `main` in this process: exit code, standard output, standard error."""

    def call(main, program, *words):
        monkeypatch.setattr(sys, "argv", [program, *map(str, words)])
        with pytest.raises(SystemExit) as caught:
            exit_on_user_error(main)
        captured = capfd.readouterr()
        return caught.value.code, captured.out, captured.err

    return call
