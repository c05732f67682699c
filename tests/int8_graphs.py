"""Small random int8 models with every operator of the row engine, built directly as flatbuffers."""

import math
from dataclasses import dataclass, field

import elementwise_graphs
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from hypothesis import strategies as st

PIXELS = (1 / 255, -128)
_OPERATORS = schema.BuiltinOperator
_OPTIONS = schema.BuiltinOptions
_ACTIVATIONS = schema.ActivationFunctionType


@dataclass(frozen=True)
class Activation:
    index: int
    shape: tuple[int, ...]
    scale: float
    zero_point: int

    @property
    def quantization(self):
        return self.scale, self.zero_point


@dataclass
class GraphBuilder:
    """Appends operators to a model; weights and ranges come from `seed`."""

    seed: int = 0
    tensors: list = field(default_factory=list)
    buffers: list = field(default_factory=lambda: [schema.BufferT()])
    operators: list = field(default_factory=list)
    codes: dict = field(default_factory=dict)

    def __post_init__(self):
        self.random = np.random.default_rng(self.seed)

    def activation(self, shape, quantization=None):
        scale, zero_point = quantization or (self.random.uniform(0.01, 0.1), int(self.random.integers(-128, 128)))
        scale = float(np.float32(scale))
        index = self._tensor(shape, schema.TensorType.INT8, 0, (scale,), (zero_point,))
        return Activation(index, tuple(shape), scale, zero_point)

    def constant(self, values, scales=(), dimension=0):
        self.buffers.append(schema.BufferT(data=np.frombuffer(values.tobytes(), np.uint8)))
        kind = {"int8": schema.TensorType.INT8, "int32": schema.TensorType.INT32}[values.dtype.name]
        return self._tensor(values.shape, kind, len(self.buffers) - 1, scales, (0,) * len(scales), dimension)

    def _tensor(self, shape, kind, buffer, scales, zero_points, dimension=0):
        quantization = schema.QuantizationParametersT(
            scale=np.array(scales, np.float32), zeroPoint=np.array(zero_points, np.int64), quantizedDimension=dimension
        )
        tensor = schema.TensorT(
            shape=list(shape),
            type=kind,
            buffer=buffer,
            name=f"t{len(self.tensors)}",
            quantization=quantization if len(scales) else None,
        )
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def operator(self, name, inputs, output, options=None, options_type=0):
        code = getattr(_OPERATORS, name)
        position = self.codes.setdefault(code, len(self.codes))
        self.operators.append(
            schema.OperatorT(
                opcodeIndex=position,
                inputs=list(inputs),
                outputs=[output.index],
                builtinOptionsType=options_type,
                builtinOptions=options,
            )
        )
        return output

    def model(self, given, output):
        main = schema.SubGraphT(
            tensors=self.tensors, inputs=[given.index], outputs=[output.index], operators=self.operators, name="main"
        )
        codes = [
            schema.OperatorCodeT(builtinCode=code, deprecatedBuiltinCode=min(code, 127), version=1)
            for code in self.codes
        ]
        content = schema.ModelT(version=3, operatorCodes=codes, subgraphs=[main], buffers=self.buffers)
        builder = flatbuffers.Builder(1024)
        builder.Finish(content.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())

    def convolution(
        self, given, channels, kernel, strides, padding, activation, *, by_channel=True, has_bias=True, multiplier=None
    ):
        """CONV_2D; with a `multiplier`, DEPTHWISE_CONV_2D where `channels` = input channels · multiplier."""
        _, height, width, depth = given.shape
        shape = (channels, *kernel, depth) if multiplier is None else (1, *kernel, channels)
        dimension = 0 if multiplier is None else 3
        weights, scales = self._weights(shape, channels if by_channel else 1)
        taps = math.prod(kernel) * (depth if multiplier is None else 1)
        output = self.activation(
            (1, *_output_size((height, width), kernel, strides, padding), channels), self._range(given, scales, taps)
        )
        inputs = [given.index, self.constant(weights, scales, dimension)]
        if has_bias:
            inputs.append(self._bias(channels, taps, given.scale * scales))
        common = {
            "padding": getattr(schema.Padding, padding),
            "strideH": strides[0],
            "strideW": strides[1],
            "fusedActivationFunction": getattr(_ACTIVATIONS, activation),
        }
        if multiplier is None:
            return self.operator("CONV_2D", inputs, output, schema.Conv2DOptionsT(**common), _OPTIONS.Conv2DOptions)
        options = schema.DepthwiseConv2DOptionsT(**common, depthMultiplier=multiplier)
        return self.operator("DEPTHWISE_CONV_2D", inputs, output, options, _OPTIONS.DepthwiseConv2DOptions)

    def dense(self, given, units, activation, *, depth=None, by_channel=False, has_bias=True):
        """FULLY_CONNECTED over groups of `depth` codes; by default one group of all codes."""
        size = math.prod(given.shape)
        depth = depth or size
        weights, scales = self._weights((units, depth), units if by_channel else 1)
        output = self.activation((size // depth, units), self._range(given, scales, depth))
        inputs = [given.index, self.constant(weights, scales)]
        inputs.append(self._bias(units, depth, given.scale * scales) if has_bias else -1)
        options = schema.FullyConnectedOptionsT(fusedActivationFunction=getattr(_ACTIVATIONS, activation))
        return self.operator("FULLY_CONNECTED", inputs, output, options, _OPTIONS.FullyConnectedOptions)

    def _weights(self, shape, scales):
        weights = self.random.integers(-128, 128, shape).astype(np.int8)
        return weights, self.random.uniform(0.001, 0.02, scales).astype(np.float32)

    def _bias(self, channels, taps, scales):
        bound = int(5000 * math.sqrt(taps)) + 1
        return self.constant(self.random.integers(-bound, bound, channels).astype(np.int32), scales)

    def _range(self, given, scales, taps):
        """A scale and zero point with which outputs fill the int8 range, and sometimes exceed it."""
        spread = 74 * 74 * math.sqrt(taps) * given.scale * float(np.mean(scales))
        return spread / self.random.uniform(10, 100), int(self.random.integers(-128, 128))

    def add(self, first, second, activation):
        scale = (first.scale + second.scale) * self.random.uniform(0.3, 1.5)
        output = self.activation(first.shape, (scale, int(self.random.integers(-128, 128))))
        options = schema.AddOptionsT(fusedActivationFunction=getattr(_ACTIVATIONS, activation))
        return self.operator("ADD", [first.index, second.index], output, options, _OPTIONS.AddOptions)

    def pool(self, name, given, kernel, strides, padding, activation):
        size = _output_size(given.shape[1:3], kernel, strides, padding)
        output = self.activation((1, *size, given.shape[3]), given.quantization)
        options = schema.Pool2DOptionsT(
            padding=getattr(schema.Padding, padding),
            strideH=strides[0],
            strideW=strides[1],
            filterHeight=kernel[0],
            filterWidth=kernel[1],
            fusedActivationFunction=getattr(_ACTIVATIONS, activation),
        )
        return self.operator(name, [given.index], output, options, _OPTIONS.Pool2DOptions)

    def mean(self, given, axes=(1, 2), *, keeps_rank=False):
        shape = (1, 1, 1, given.shape[3]) if keeps_rank else (1, given.shape[3])
        scale = given.scale * self.random.uniform(0.2, 1.2)
        output = self.activation(shape, (scale, int(self.random.integers(-128, 128))))
        options = schema.ReducerOptionsT(keepDims=keeps_rank)
        inputs = [given.index, self.constant(np.array(axes, np.int32))]
        return self.operator("MEAN", inputs, output, options, _OPTIONS.ReducerOptions)

    def reshape(self, given, shape):
        output = self.activation(shape, given.quantization)
        options = schema.ReshapeOptionsT(newShape=list(shape))
        inputs = [given.index, self.constant(np.array(shape, np.int32))]
        return self.operator("RESHAPE", inputs, output, options, _OPTIONS.ReshapeOptions)

    def pad(self, given, amounts, value=None):
        """PAD, or PADV2 with `value`."""
        shape = [size + sum(amount) for size, amount in zip(given.shape, amounts, strict=True)]
        output = self.activation(shape, given.quantization)
        inputs = [given.index, self.constant(np.array(amounts, np.int32))]
        if value is None:
            return self.operator("PAD", inputs, output, schema.PadOptionsT(), _OPTIONS.PadOptions)
        inputs.append(self.constant(np.array([value], np.int8), (given.scale,)))
        self.tensors[-1].quantization.zeroPoint = np.array([given.zero_point], np.int64)
        return self.operator("PADV2", inputs, output, schema.PadV2OptionsT(), _OPTIONS.PadV2Options)

    def relu(self, name, given):
        quantization = given.quantization if name == "RELU6" else None
        return self.operator(name, [given.index], self.activation(given.shape, quantization))

    def softmax(self, given, beta=1.0):
        output = self.activation(given.shape, (1 / 256, -128))
        return self.operator(
            "SOFTMAX", [given.index], output, schema.SoftmaxOptionsT(beta=beta), _OPTIONS.SoftmaxOptions
        )


def several_ends():
    """The bytes of a model of two inputs, [1, 4, 4, 3] each, and two outputs: their sum, and its positive part."""
    builder = GraphBuilder(9)
    first, second = (builder.activation((1, 4, 4, 3), PIXELS) for _ in range(2))
    total = builder.add(first, second, "NONE")
    positive = builder.operator("RELU", [total.index], builder.activation(total.shape, total.quantization))
    content = schema.ModelT.InitFromPackedBuf(builder.model(first, total))
    content.subgraphs[0].inputs = [first.index, second.index]
    content.subgraphs[0].outputs = [total.index, positive.index]
    packed = flatbuffers.Builder(1024)
    packed.Finish(content.Pack(packed), file_identifier=b"TFL3")
    return bytes(packed.Output())


def _output_size(size, kernel, strides, padding):
    if padding == "SAME":
        return tuple(-(-n // stride) for n, stride in zip(size, strides, strict=True))
    return tuple((n - k) // stride + 1 for n, k, stride in zip(size, kernel, strides, strict=True))


_FUSED = st.sampled_from(("NONE", "NONE", "RELU", "RELU6", "RELU_N1_TO_1"))
_PLANE_OPERATORS = ("conv", "conv", "depthwise", "depthwise", "residual", "average", "max", "mean", "pad_plane", "add")
_ANY_OPERATORS = ("add", "relu", "relu6", "pad", "softmax", "dense", "rows_dense", "reshape")


@st.composite
def models(draw, longest=7):
    """The bytes of a `.tflite`: up to `longest` operators, each with an earlier tensor as input, usually the latest."""
    builder = GraphBuilder(draw(st.integers(0, 2**32 - 1)))
    size, channels = st.sampled_from((*range(4, 11), 1, 2, 3)), st.sampled_from((*range(3, 7), 1, 2))
    plane, row = st.tuples(st.just(1), size, size, channels), st.tuples(st.just(1), st.integers(1, 40))
    shape = draw(st.sampled_from((plane,) * 7 + (row,)).flatmap(lambda kind: kind))
    given = builder.activation(shape, draw(st.sampled_from((PIXELS, None))))
    tensors = [given]
    for _ in range(draw(st.integers(1, longest))):
        source = tensors[draw(st.sampled_from((-1, -1, -1, -1, 0, len(tensors) // 2)))]
        kinds = _PLANE_OPERATORS if len(source.shape) == 4 and draw(st.integers(0, 3)) else _ANY_OPERATORS
        kinds = (*kinds, *elementwise_graphs.KINDS)
        tensors.append(_append(draw, builder, draw(st.sampled_from(kinds)), source, tensors))
    return builder.model(given, tensors[-1])


def _append(draw, builder, kind, source, tensors):
    if kind in ("conv", "depthwise", "average", "max"):
        return _append_window(draw, builder, kind, source)
    if kind in elementwise_graphs.KINDS:
        return elementwise_graphs.append(draw, builder, kind, source)
    match kind:
        case "residual":
            branch = builder.convolution(source, source.shape[3], (3, 3), (1, 1), "SAME", "RELU")
            if draw(st.booleans()):
                branch = builder.convolution(branch, source.shape[3], (3, 3), (1, 1), "SAME", "NONE")
            return builder.add(*draw(st.permutations((source, branch))), draw(_FUSED))
        case "add":
            same = [tensor for tensor in tensors if tensor.shape == source.shape]
            return builder.add(source, draw(st.sampled_from(same)), draw(_FUSED))
        case "mean":
            return builder.mean(
                source, draw(st.sampled_from(((1, 2), (2, 1), (-3, -2)))), keeps_rank=draw(st.booleans())
            )
        case "dense":
            return builder.dense(source, draw(st.integers(1, 12)), draw(_FUSED), **_weighted(draw))
        case "rows_dense":
            return builder.dense(
                source, draw(st.integers(1, 6)), draw(_FUSED), depth=source.shape[-1], **_weighted(draw)
            )
        case "reshape":
            return builder.reshape(source, draw(_shapes_of(math.prod(source.shape))))
        case "softmax":
            return builder.softmax(source, draw(st.sampled_from((1.0, 0.5, 3.0))))
        case "relu" | "relu6":
            return builder.relu(kind.upper(), source)
    most = (0, 3, 3, 0) if kind == "pad_plane" else (0, *(2,) * (len(source.shape) - 1))
    amounts = [[draw(st.integers(0, n)), draw(st.integers(0, n))] for n in most]
    return builder.pad(source, amounts, draw(st.sampled_from((None, None, -7))))


def _append_window(draw, builder, kind, source):
    padding = draw(st.sampled_from(("SAME", "VALID")))
    largest = [4, 4] if padding == "SAME" else [min(n, 5) for n in source.shape[1:3]]
    kernel = tuple(draw(st.integers(1, n)) for n in largest)
    if kind in ("average", "max") and padding == "VALID" and draw(st.booleans()):
        kernel = source.shape[1:3]
    strides = draw(st.sampled_from(((1, 1), (2, 2), (1, 2), (2, 1), (3, 3), kernel)))
    if kind == "conv":
        channels = draw(st.integers(1, 8))
        return builder.convolution(source, channels, kernel, strides, padding, draw(_FUSED), **_weighted(draw))
    if kind == "depthwise":
        multiplier = draw(st.integers(1, 3))
        channels = source.shape[3] * multiplier
        return builder.convolution(
            source, channels, kernel, strides, padding, draw(_FUSED), multiplier=multiplier, **_weighted(draw)
        )
    name = "AVERAGE_POOL_2D" if kind == "average" else "MAX_POOL_2D"
    return builder.pool(name, source, kernel, strides, padding, draw(_FUSED))


def _weighted(draw):
    return {"by_channel": draw(st.booleans()), "has_bias": draw(st.sampled_from((True, True, False)))}


def _shapes_of(size):
    divisors = [n for n in range(1, size + 1) if size % n == 0]
    planes = [(1, h, w, size // h // w) for h in divisors for w in divisors if size % (h * w) == 0]
    return st.sampled_from([(1, size), *((n, size // n) for n in divisors), *planes])
