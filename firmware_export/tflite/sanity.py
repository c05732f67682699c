"""Check that a `.tflite` is consistent: kernels assume this, and crash or overwrite memory if it is not.

TensorFlow Lite Micro uses indices, sizes, strides and scales from the file without checks. flatbuffers' verifier checks
only that the bytes are a flatbuffer.
"""

import math
from collections.abc import Callable

import numpy as np

from firmware_export.common.errors import UserError
from firmware_export.tflite.graph import Graph, Operator, Tensor
from firmware_export.tflite.model import Buffer, Model, Options
from firmware_export.tflite.offline_metadata import METADATA_NAME, ONLINE_PLANNED, read_offsets

LARGEST_ACTIVATIONS = 1 << 26
"""Limit for all activations together, in bytes: more than any microcontroller has."""

_AT_LEAST_ONE = ("strideW", "strideH", "dilationWFactor", "dilationHFactor", "filterWidth", "filterHeight")
_WINDOWED = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D")


def check(model: Model) -> None:
    """Refuse an inconsistent file.

    Args:
        model: a model that passed `reader.check_deployable`.

    Raises:
        UserError: a tensor that is read before it is written, or written twice; a constant whose size does not match
            its shape; a scale that is not positive, a zero point outside the data type; a window or stride below 1, a
            depth multiplier that contradicts the channels; activations larger than `LARGEST_ACTIVATIONS`; state that
            is kept between inferences; metadata that refer to no buffer.
    """
    graph = model.graph
    for tensor in graph.tensors:
        _check_tensor(graph, tensor, model.buffer(tensor))
    _check_memory(graph)
    for operator, options in zip(graph.operators, model.options, strict=True):
        _check_operator(graph, operator, options)
    _check_order(graph)
    _check_metadata(model)


def check_shapes(graph: Graph, shape_of: Callable[[int], tuple[int, ...]]) -> None:
    """Refuse shapes that contradict the operators, because TFLM writes as many values as the operator computes.

    Args:
        graph: the model.
        shape_of: returns the shape that TFLite's kernels computed for a tensor, by its index.

    Raises:
        UserError: the file states another shape for an operator's output.
    """
    for operator in graph.operators:
        for tensor in operator.outputs:
            if (made := shape_of(tensor.index)) != tensor.shape:
                raise _broken(graph, f"{operator.label} computes {list(made)}, but the file has {list(tensor.shape)}")


def _broken(graph: Graph, what: str) -> UserError:
    return UserError(f"{graph.name} has a broken graph ({what}): convert the model again")


def _check_tensor(graph: Graph, tensor: Tensor, buffer: Buffer) -> None:
    label = f"tensor {tensor.index} {tensor.name[:80]!r}"
    if tensor.is_variable:
        raise UserError(f"{graph.name}: {label} keeps state between inferences: export a model without variables")
    if any(size < 1 for size in tensor.shape):
        raise _broken(graph, f"{label} has the shape {list(tensor.shape)}")
    if buffer.is_external:
        raise _broken(graph, f"{label} is outside the flatbuffer")
    needed = _bytes(tensor)
    if buffer.data and len(buffer.data) != needed:
        raise _broken(graph, f"{label} has {len(buffer.data)} bytes, {needed} expected")
    _check_quantization(graph, tensor, label)


def _bytes(tensor: Tensor) -> int:
    if tensor.dtype == "int4":
        return -(-tensor.size // 2)
    try:
        return tensor.size * np.dtype(tensor.dtype).itemsize
    except TypeError as error:
        raise UserError(f"tensor {tensor.name!r} is {tensor.dtype}: quantize the model to full int8") from error


def _check_quantization(graph: Graph, tensor: Tensor, label: str) -> None:
    if tensor.dtype == "int8" and not tensor.scales:
        raise _broken(graph, f"{label} is int8 without a scale")
    if not all(math.isfinite(scale) and scale > 0 for scale in tensor.scales):
        raise _broken(graph, f"{label} has a scale that is not positive: {_first_bad(tensor.scales)}")
    if len(tensor.zero_points) not in (0, len(tensor.scales)):
        raise _broken(graph, f"{label} has {len(tensor.scales)} scales and {len(tensor.zero_points)} zero points")
    if tensor.dtype in ("int8", "int4") and not all(-128 <= zero <= 127 for zero in tensor.zero_points):
        raise _broken(graph, f"{label} has a zero point outside -128 to 127")
    if len(tensor.scales) > 1:
        axis = tensor.quantized_dimension
        if not 0 <= axis < len(tensor.shape) or tensor.shape[axis] != len(tensor.scales):
            raise _broken(graph, f"{label} has {len(tensor.scales)} scales along axis {axis} of {list(tensor.shape)}")


def _first_bad(scales: tuple[float, ...]) -> float:
    return next(scale for scale in scales if not (math.isfinite(scale) and scale > 0))


def _check_memory(graph: Graph) -> None:
    needed = sum(_bytes(tensor) for tensor in graph.tensors if not tensor.is_constant)
    if needed > LARGEST_ACTIVATIONS:
        raise UserError(
            f"{graph.name} has {needed:,} bytes of activations, at most {LARGEST_ACTIVATIONS:,} expected: make the "
            "input or the layers smaller"
        )


def _check_operator(graph: Graph, operator: Operator, options: Options) -> None:
    if not operator.outputs or not operator.inputs or operator.inputs[0] is None:
        raise _broken(graph, f"operator {operator.index} ({operator.name}) lacks an input or an output")
    if operator.name in _WINDOWED and "strideW" not in options:
        raise _broken(graph, f"{operator.label} lacks its strides")
    for name in _AT_LEAST_ONE:
        if options.get(name, 1) < 1:
            raise _broken(graph, f"{operator.label} has {name} {options[name]}, 1 or more expected")
    if operator.name == "DEPTHWISE_CONV_2D":
        _check_depth_multiplier(graph, operator, options["depthMultiplier"])


def _check_depth_multiplier(graph: Graph, operator: Operator, multiplier: int) -> None:
    # TFLite derives it from the shapes; TFLM uses the file's value, and writes that many channels.
    image, output = operator.given(0).shape, operator.outputs[0].shape
    if not image or not output or image[-1] * multiplier != output[-1]:
        raise _broken(
            graph,
            f"{operator.label} computes {list(output)} from {list(image)} with a depth multiplier of {multiplier}",
        )


def _check_order(graph: Graph) -> None:
    written = {tensor.index for tensor in graph.inputs}
    if any(tensor.is_constant for tensor in graph.inputs):
        raise _broken(graph, "the input is a constant")
    for operator in graph.operators:
        for tensor in operator.inputs:
            if tensor is not None and not tensor.is_constant and tensor.index not in written:
                raise _broken(graph, f"{operator.label} reads {tensor.name[:80]!r} before it is written")
        for tensor in operator.outputs:
            if tensor.index in written:
                raise _broken(graph, f"{operator.label} writes a tensor that is already written")
            written.add(tensor.index)
    if not all(tensor.index in written for tensor in graph.outputs):
        raise _broken(graph, "no operator writes the output")


def _check_metadata(model: Model) -> None:
    for entry in model.metadata:
        if not entry.name or not 0 <= entry.buffer < len(model.buffers):
            raise _broken(model.graph, f"metadata {entry.name!r} refer to no buffer")
        if entry.name == METADATA_NAME.encode():
            _check_plan(model.graph, model.buffers[entry.buffer].data)


def _check_plan(graph: Graph, content: bytes) -> None:
    tensors = len(graph.tensors)
    offsets = read_offsets(content, tensors)
    if offsets is None or not all(ONLINE_PLANNED <= offset <= LARGEST_ACTIVATIONS for offset in offsets):
        raise _broken(graph, f"its {METADATA_NAME} does not fit its {tensors} tensors")
