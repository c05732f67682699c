"""A model's graph: tensors, operators, and their MACs and parameters."""

import math
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from firmware_export.common.errors import UserError
from firmware_export.tflite import input_range


@dataclass(frozen=True)
class Tensor:
    """One tensor. Real value = scale · (code − zero point); constants may have one scale per channel."""

    index: int
    name: str
    shape: tuple[int, ...]
    shape_signature: tuple[int, ...]
    """As `shape`, with −1 for a size that is variable at run time."""
    dtype: str
    """NumPy's name in lower case: int8, int32, float32, …"""
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    is_constant: bool
    quantized_dimension: int = 0
    """The axis of the scales, if there are several."""
    is_variable: bool = False
    """Whether it keeps its value from one inference to the next."""

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def scale(self) -> float:
        """The scale of a tensor that is quantized per tensor.

        Raises:
            UserError: the tensor is not quantized, or quantized per channel.
        """
        if len(self.scales) != 1:
            raise UserError(f"tensor {self.name!r} has {len(self.scales)} scales, 1 expected: quantize it per tensor")
        return self.scales[0]

    @property
    def zero_point(self) -> int:
        """The zero point; 0 if the file does not state it."""
        return self.zero_points[0] if self.zero_points else 0


@dataclass(frozen=True)
class Operator:
    """One operator, in execution order."""

    index: int
    name: str
    """The schema's name, such as CONV_2D; for a custom operator, `CUSTOM:` and its name."""
    inputs: tuple[Tensor | None, ...]
    """None for an optional input that is absent, such as a bias."""
    outputs: tuple[Tensor, ...]

    def given(self, position: int) -> Tensor:
        """A required input.

        Raises:
            UserError: the input is absent.
        """
        tensor = self.inputs[position] if position < len(self.inputs) else None
        if tensor is None:
            raise UserError(f"{self.label} lacks its input {position}: convert the model again")
        return tensor

    @property
    def label(self) -> str:
        """The operator's name in error messages."""
        return f"operator {self.index} ({self.name}, output {self.outputs[0].name!r})"

    @property
    def parameters(self) -> int:
        """Number of weights and biases: elements of constants that have a scale, unlike shapes, axes and paddings."""
        constants = {t.index: t for t in self.inputs if t is not None and t.is_constant}
        return sum(t.size for t in constants.values() if t.scales or t.dtype.startswith("float"))

    @property
    def macs(self) -> int:
        """Multiply-accumulates: zero except for convolutions of all kinds, dense layers and products of matrices."""
        if self.name not in _MULTIPLYING:
            return 0
        factor, output = self.given(1).shape, self.outputs[0]
        match self.name:
            case "CONV_2D":  # weights [out, height, width, in / groups]
                return output.size * math.prod(factor[1:])
            case "DEPTHWISE_CONV_2D":  # weights [1, height, width, out]
                return output.size * math.prod(factor[1:3])
            case "TRANSPOSE_CONV":  # weights [out, height, width, in]; each input pixel meets all of them
                return self.given(2).size // factor[-1] * math.prod(factor)
            case "BATCH_MATMUL":  # [..., rows, inner] by [..., inner, columns], either one perhaps transposed
                rows_by_inner, columns = self.given(0).size, output.shape[-1]
                return rows_by_inner * columns
            case _:  # FULLY_CONNECTED: weights [out, in]
                return output.size * factor[-1]


WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
"""Operators with weights per output channel."""

_MULTIPLYING = (*WEIGHTED, "TRANSPOSE_CONV", "BATCH_MATMUL")
"""Operators whose multiply-accumulates are counted."""

MOST_CLASSES = 32_767
"""The most that an int16_t numbers."""


@dataclass(frozen=True)
class Graph:
    """The first subgraph of a model, with its name and number of subgraphs."""

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    subgraphs: int
    stated_range: str | None = None
    """Name of the input range that the user stated, one of `input_range.INPUT_RANGES`."""

    @cached_property
    def operator_names(self) -> tuple[str, ...]:
        """The distinct operator names, sorted."""
        return tuple(sorted({operator.name for operator in self.operators}))

    @cached_property
    def operator_counts(self) -> dict[str, int]:
        """Number of occurrences of each operator, by name."""
        return dict(sorted(Counter(operator.name for operator in self.operators).items()))

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(operator.macs for operator in self.operators)

    @cached_property
    def parameters(self) -> int:
        """Number of weights and biases.

        These are the elements of constants that have a scale or are floats; shapes, axes and paddings are not.
        """
        used = {t.index: t for operator in self.operators for t in operator.inputs if t is not None and t.is_constant}
        return sum(t.size for t in used.values() if t.scales or t.dtype.startswith("float"))

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example, without the batch; of several inputs, or no batch: the number of all codes."""
        return _one_example(self.inputs)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The shape of one result, without the batch; of several outputs, or no batch: the number of all codes."""
        return _one_example(self.outputs)

    @property
    def has_one_end_each(self) -> bool:
        """Whether the model has one input and one output."""
        return len(self.inputs) == len(self.outputs) == 1

    @property
    def is_classifier(self) -> bool:
        """Whether the model has one input, and one output with a code for each of 2 to `MOST_CLASSES` classes."""
        size, shape = self.outputs[0].size, self.outputs[0].shape
        return self.has_one_end_each and 2 <= size <= MOST_CLASSES and max(shape) == size

    @property
    def input_range(self) -> str | None:
        """Name of the range of values that the model expects of pixels: stated, or found from scale and zero point.

        None if the input is not of pixels as far as its quantization shows.
        """
        if self.stated_range is not None or len(self.inputs) != 1:
            return self.stated_range
        tensor = self.inputs[0]
        return input_range.found(tensor.scale, tensor.zero_point) if len(tensor.scales) == 1 else None

    @property
    def candidate_ranges(self) -> tuple[str, ...]:
        """Names of the ranges that the input's quantization admits, which the stated one may contradict."""
        tensor = self.inputs[0]
        return input_range.candidates(tensor.scale, tensor.zero_point) if len(tensor.scales) == 1 else ()

    @property
    def has_unit_input(self) -> bool:
        """Whether the int8 code of a pixel is `pixel ^ 0x80`, so that firmware needs no arithmetic."""
        tensor, name = self.inputs[0], self.input_range
        is_int8 = len(self.inputs) == 1 and tensor.dtype == "int8" and len(tensor.scales) == 1
        return is_int8 and name is not None and input_range.is_flipped_pixel(name, tensor.scale, tensor.zero_point)


def _one_example(ends: tuple[Tensor, ...]) -> tuple[int, ...]:
    if len(ends) == 1 and ends[0].shape[:1] == (1,):
        return ends[0].shape[1:]
    return (sum(tensor.size for tensor in ends),)
