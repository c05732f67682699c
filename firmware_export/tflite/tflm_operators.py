"""The operators that TensorFlow Lite Micro supports, and the resolver method that registers each of them.

Source: `tensorflow/lite/micro/micro_mutable_op_resolver.h`. Only builtin operators: TFLM's own custom operators (signal
processing, detection post-processing, Ethos-U) depend on the build.
"""

from collections.abc import Iterable
from types import MappingProxyType

from firmware_export.tflite.graph import Operator

_BUILTINS = """
ABS ADD ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND BROADCAST_ARGS
BROADCAST_TO CALL_ONCE CAST CEIL CONCATENATION CONV_2D COS CUMSUM DEPTH_TO_SPACE DEPTHWISE_CONV_2D DEQUANTIZE DIV
DYNAMIC_UPDATE_SLICE ELU EMBEDDING_LOOKUP EQUAL EXP EXPAND_DIMS FILL FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER
GATHER_ND GREATER GREATER_EQUAL HARD_SWISH IF L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL LOG LOG_SOFTMAX
LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC MAX_POOL_2D MAXIMUM MEAN MINIMUM MIRROR_PAD MUL NEG NOT_EQUAL PACK PAD
PADV2 PRELU QUANTIZE READ_VARIABLE REDUCE_ALL REDUCE_MAX REDUCE_MIN RELU RELU6 RESHAPE RESIZE_BILINEAR
RESIZE_NEAREST_NEIGHBOR REVERSE_V2 ROUND RSQRT SELECT_V2 SHAPE SIN SLICE SOFTMAX SPACE_TO_BATCH_ND SPACE_TO_DEPTH
SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM SVDF TANH TRANSPOSE TRANSPOSE_CONV
UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK VAR_HANDLE WHILE ZEROS_LIKE
"""

SUPPORTED = frozenset(_BUILTINS.split())
"""Names as in TFLite's schema."""

_IRREGULAR = {
    "BATCH_MATMUL": "AddBatchMatMul",
    "CUMSUM": "AddCumSum",
    "PADV2": "AddPadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "AddUnidirectionalSequenceLSTM",
}


def resolver_method(name: str) -> str:
    """The `MicroMutableOpResolver` method that registers a builtin operator.

    Args:
        name: the schema's name, one of `SUPPORTED`.

    >>> resolver_method("DEPTHWISE_CONV_2D"), resolver_method("SOFTMAX"), resolver_method("PADV2")
    ('AddDepthwiseConv2D', 'AddSoftmax', 'AddPadV2')
    """
    if name not in SUPPORTED:
        raise KeyError(name)
    words = (word if word == "2D" else word.capitalize() for word in name.split("_"))
    return _IRREGULAR.get(name) or "Add" + "".join(words)


_INT8_REGISTRATIONS = MappingProxyType(
    {
        "ADD": 2,
        "AVERAGE_POOL_2D": 1,
        "CONV_2D": 2,
        "DEPTHWISE_CONV_2D": 2,
        "FULLY_CONNECTED": 2,
        "MAX_POOL_2D": 1,
        "SOFTMAX": 1,
    }
)
"""How many of their first inputs must be int8, for operators with a function `Register_…_INT8` in the headers that the
resolver has included since October 2022. Those of PAD and TRANSPOSE are in headers whose names clash."""


def int8_operators(operators: Iterable[Operator]) -> tuple[str, ...]:
    """The names of the operators whose kernels may be linked for int8 alone, sorted.

    Args:
        operators: all of a model; a name is returned if every operator of this name computes on int8.
    """
    operators = tuple(operators)
    names = {operator.name for operator in operators} & set(_INT8_REGISTRATIONS)
    return tuple(sorted(names - {operator.name for operator in operators if not _is_int8(operator)}))


def _is_int8(operator: Operator) -> bool:
    inputs = operator.inputs[: _INT8_REGISTRATIONS.get(operator.name, 0)]
    return all(tensor is not None and tensor.dtype == "int8" for tensor in (*inputs, *operator.outputs))
