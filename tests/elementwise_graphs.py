"""Elementwise operators for `int8_graphs.GraphBuilder`, and random ones of them."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from hypothesis import strategies as st

_OPTIONS = schema.BuiltinOptions
_ACTIVATIONS = schema.ActivationFunctionType

OUTPUTS = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0), "LOG_SOFTMAX": (16 / 256, 127)}
"""Scale and zero point of the operators whose output always has the same."""

_LEAST_SCALES = {"RELU6": 6 / 2**30, "RELU_N1_TO_1": 1 / 2**30}
"""By fused activation: TFLM refuses output scales with which its bounds, in codes, exceed 32 bits."""

_PAIR_OPTIONS = {
    "ADD": (schema.AddOptionsT, _OPTIONS.AddOptions),
    "MUL": (schema.MulOptionsT, _OPTIONS.MulOptions),
    "SUB": (schema.SubOptionsT, _OPTIONS.SubOptions),
    "MAXIMUM": (schema.MaximumMinimumOptionsT, _OPTIONS.MaximumMinimumOptions),
    "MINIMUM": (schema.MaximumMinimumOptionsT, _OPTIONS.MaximumMinimumOptions),
    "PRELU": (None, 0),
}
_FUNCTION_OPTIONS = {
    "HARD_SWISH": (schema.HardSwishOptionsT, _OPTIONS.HardSwishOptions),
    "LEAKY_RELU": (schema.LeakyReluOptionsT, _OPTIONS.LeakyReluOptions),
    "LOG_SOFTMAX": (schema.LogSoftmaxOptionsT, _OPTIONS.LogSoftmaxOptions),
    "QUANTIZE": (schema.QuantizeOptionsT, _OPTIONS.QuantizeOptions),
}
PAIRS = tuple(_PAIR_OPTIONS)
FUNCTIONS = (*OUTPUTS, *(name for name in _FUNCTION_OPTIONS if name not in OUTPUTS))


def function(builder, name, given, quantization=None, **options):
    """An operator of one tensor, with the output scale and zero point of `quantization` where it has a choice."""
    output = builder.activation(given.shape, OUTPUTS.get(name, quantization))
    make, kind = _FUNCTION_OPTIONS.get(name, (None, 0))
    return builder.operator(name, [given.index], output, make(**options) if make else None, kind)


def constant(builder, codes, quantization):
    """An int8 constant as an operand: an activation's index and shape."""
    scale, zero_point = quantization
    index = builder.constant(codes, (np.float32(scale),))
    builder.tensors[index].quantization.zeroPoint = np.array([zero_point], np.int64)
    made = builder.activation(codes.shape, quantization)
    builder.tensors.pop()
    return type(made)(index, made.shape, made.scale, made.zero_point)


def pair(builder, name, first, second, activation="NONE", quantization=None):
    """An operator of two operands, whose shapes are broadcast."""
    scale, zero_point = quantization or _range(builder, name, first, second)
    scale = max(scale, _LEAST_SCALES.get(activation, 0))
    output = builder.activation(np.broadcast_shapes(first.shape, second.shape), (scale, zero_point))
    make, kind = _PAIR_OPTIONS[name]
    options = make() if make else None
    if hasattr(options, "fusedActivationFunction"):
        options.fusedActivationFunction = getattr(_ACTIVATIONS, activation)
    return builder.operator(name, [first.index, second.index], output, options, kind)


def _range(builder, name, first, second):
    """A scale and zero point with which outputs fill the int8 range, and sometimes exceed it."""
    if name in ("MAXIMUM", "MINIMUM"):
        return first.quantization
    size = first.scale * second.scale * 100 if name in ("MUL", "PRELU") else first.scale + second.scale
    return size * builder.random.uniform(0.3, 1.5), int(builder.random.integers(-128, 128))


def fractions():
    """Ratios of scales for which many results lie halfway between two codes."""
    return st.tuples(st.integers(1, 12), st.integers(1, 12)).map(lambda pair: pair[0] / pair[1])


def quantizations():
    """Scales from tiny to large, most of them usual, and zero points."""
    scale = st.one_of(st.floats(0.002, 0.2), st.floats(1e-5, 30), st.sampled_from((1 / 256, 1 / 255, 1 / 128, 0.0625)))
    return st.tuples(scale.map(lambda x: float(np.float32(x))), st.integers(-128, 127))


OPERANDS = ("tensor", "itself", "channels", "pixels", "columns", "scalar", "channel tensor", "pixel tensor")
"""The second operand of a pair: a tensor of equal shape, a constant, or a smaller tensor."""


@st.composite
def pairs(draw, name):
    """A builder of a model's only pair, and the shape and quantization of the model's input.

    Returns:
        `(build, shape, quantization, seed)` for `row_models.model`.
    """
    size = st.integers(1, 5)
    shape = draw(st.one_of(st.tuples(st.just(1), size, size, size), st.tuples(st.just(1), st.integers(1, 40))))
    kind = draw(st.sampled_from(OPERANDS if len(shape) == 4 else OPERANDS[:4]))
    quantization, of_operand = draw(quantizations()), draw(quantizations())
    activation = draw(st.sampled_from(("NONE", "RELU", "RELU6", "RELU_N1_TO_1")))
    is_swapped = draw(st.booleans()) and name != "PRELU"
    ratio, output_ratio = draw(fractions()), draw(fractions())
    has_fractions = draw(st.booleans())
    if has_fractions:
        of_operand = quantization[0] * ratio, of_operand[1]

    def build(builder, x):
        other = operand(builder, kind, x, of_operand)
        scale = x.scale * (other.scale if name == "MUL" else 1) * output_ratio
        output = (scale, of_operand[1]) if has_fractions else None
        return pair(builder, name, *((other, x) if is_swapped else (x, other)), activation, output)

    return build, shape, quantization, draw(st.integers(0, 2**32 - 1))


def operand(builder, kind, x, quantization):
    """A second operand for `x`, which is a plane or a row."""
    constants = {"channels": x.shape[-1:], "pixels": x.shape, "columns": (*x.shape[1:-1], 1), "scalar": (1,)}
    if kind in constants:
        return constant(builder, builder.random.integers(-128, 128, constants[kind]).astype(np.int8), quantization)
    match kind:
        case "tensor":
            return function(builder, "QUANTIZE", x, quantization)
        case "channel tensor":
            return builder.mean(x, keeps_rank=True)
        case "pixel tensor":
            return builder.convolution(x, 1, (1, 1), (1, 1), "SAME", "NONE")
    return x


KINDS = ("function", "pair", "pair")
"""Operators that `append` makes, as often as they are to occur in a random model."""


def append(draw, builder, kind, source):
    """A random operator behind an activation of any shape."""
    if kind == "function":
        name = draw(st.sampled_from(FUNCTIONS))
        options = {"alpha": draw(st.sampled_from((0.2, -0.5)))} if name == "LEAKY_RELU" else {}
        return function(builder, name, source, (source.scale * 1.2, draw(st.integers(-128, 127))), **options)
    is_plane = len(source.shape) == 4
    operands = (
        operand(builder, draw(st.sampled_from(OPERANDS if is_plane else OPERANDS[:4])), source, (0.05, 9)),
        source,
    )
    name, activation = draw(st.sampled_from(PAIRS)), draw(st.sampled_from(("NONE", "RELU")))
    return pair(builder, name, *(operands[::-1] if name == "PRELU" else draw(st.permutations(operands))), activation)
