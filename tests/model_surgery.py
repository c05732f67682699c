"""Change or write `.tflite` files through their object form (ModelT of the schema)."""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema


def edited(model, edit):
    """The bytes of a model after `edit` has changed its object form; `model` is a `Model` or bytes."""
    content = schema.ModelT.InitFromPackedBuf(getattr(model, "content", model))
    edit(content)
    return packed(content)


def packed(content):
    """The bytes of a model in its object form."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(content.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def one_convolution(seed=7):
    """840 bytes: one 4×4 convolution from a 4×4×3 image to three classes; built without a converter."""
    generator = np.random.default_rng(seed)
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


def with_ends(model, dtype):
    """An int8 model of one input and output between QUANTIZE and DEQUANTIZE (float32), or between two QUANTIZE (uint8).

    It is as a converter writes it with `inference_input_type` and `inference_output_type` of this type.
    """
    operators, types = schema.BuiltinOperator, schema.TensorType

    def edit(content):
        main = content.subgraphs[0]
        first, last = int(main.inputs[0]), int(main.outputs[0])
        codes = {}
        for name in ("QUANTIZE", "DEQUANTIZE"):
            code = schema.OperatorCodeT()
            code.builtinCode = code.deprecatedBuiltinCode = getattr(operators, name)
            code.version = 2 if name == "DEQUANTIZE" else 1
            codes[name] = len(content.operatorCodes)
            content.operatorCodes.append(code)

        def outer(of, name):
            made, inner = schema.TensorT(), main.tensors[of]
            made.name, made.shape, made.type, made.buffer = name, inner.shape, getattr(types, dtype.upper()), 0
            if dtype == "uint8":
                made.quantization = schema.QuantizationParametersT(
                    scale=inner.quantization.scale, zeroPoint=np.asarray(inner.quantization.zeroPoint) + 128
                )
            main.tensors.append(made)
            return len(main.tensors) - 1

        def operator(name, given, made):
            return schema.OperatorT(opcodeIndex=codes[name], inputs=np.int32([given]), outputs=np.int32([made]))

        start, end = outer(first, "image in"), outer(last, "scores out")
        leaving = "DEQUANTIZE" if dtype == "float32" else "QUANTIZE"
        main.operators = [operator("QUANTIZE", start, first), *main.operators, operator(leaving, last, end)]
        main.inputs, main.outputs = np.int32([start]), np.int32([end])

    return edited(model, edit)
