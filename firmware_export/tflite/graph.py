"""A model's graph: tensors, operators, and what they cost."""

import math
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from firmware_export.common.errors import UserError

UNIT_SCALE = 1 / 255
UNIT_ZERO_POINT = -128


@dataclass(frozen=True)
class Tensor:
    """One tensor. Real value = scale · (code − zero point); constants may have a scale for each channel."""

    index: int
    name: str
    shape: tuple[int, ...]
    shape_signature: tuple[int, ...]
    """As `shape`, with −1 for a size that is free at run time."""
    dtype: str
    """numpy's name in lower case: int8, int32, float32, …"""
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    is_constant: bool
    quantized_dimension: int = 0
    """Along which the scales lie, where there are several."""
    is_variable: bool = False
    """Whether it keeps its value from one inference to the next."""

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def scale(self) -> float:
        """The one scale of a tensor quantized as a whole.

        Raises:
            UserError: the tensor is not quantized, or by channel.
        """
        if len(self.scales) != 1:
            raise UserError(f"tensor {self.name!r} has {len(self.scales)} scales, 1 expected: quantize it per tensor")
        return self.scales[0]

    @property
    def zero_point(self) -> int:
        """The one zero point, 0 where the file leaves it out."""
        return self.zero_points[0] if self.zero_points else 0


@dataclass(frozen=True)
class Operator:
    """One operator, in execution order."""

    index: int
    name: str
    """The schema's name, such as CONV_2D; a custom operator's own name after `CUSTOM:`."""
    inputs: tuple[Tensor | None, ...]
    """None where an optional input, such as a bias, is absent."""
    outputs: tuple[Tensor, ...]

    def given(self, position: int) -> Tensor:
        """An input that the operator cannot do without.

        Raises:
            UserError: it is absent.
        """
        tensor = self.inputs[position] if position < len(self.inputs) else None
        if tensor is None:
            raise UserError(f"{self.label} lacks its input {position}: convert the model again")
        return tensor

    @property
    def label(self) -> str:
        """What an error message calls it."""
        return f"operator {self.index} ({self.name}, output {self.outputs[0].name!r})"

    @property
    def parameters(self) -> int:
        """Weights and biases of its own, counted in elements; shapes, axes and paddings carry no scale."""
        constants = {t.index: t for t in self.inputs if t is not None and t.is_constant}
        return sum(t.size for t in constants.values() if t.scales or t.dtype.startswith("float"))

    @property
    def macs(self) -> int:
        """Multiplications of an activation by a weight. Zero but for convolutions, depthwise ones and dense layers."""
        if self.name not in _MAC_OPERATORS:
            return 0
        weights, output = self.given(1).shape, self.outputs[0]
        match self.name:
            case "CONV_2D":  # weights [out, height, width, in / groups]
                return output.size * math.prod(weights[1:])
            case "DEPTHWISE_CONV_2D":  # weights [1, height, width, out]
                return output.size * math.prod(weights[1:3])
            case _:  # FULLY_CONNECTED: weights [out, in]
                return output.size * weights[-1]


_MAC_OPERATORS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


@dataclass(frozen=True)
class Graph:
    """The first subgraph of a model, with what concerns the whole file."""

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    subgraphs: int

    @cached_property
    def operator_names(self) -> tuple[str, ...]:
        """Every operator's name once, sorted."""
        return tuple(sorted({operator.name for operator in self.operators}))

    @cached_property
    def operator_counts(self) -> dict[str, int]:
        """How often each operator occurs, by name."""
        return dict(sorted(Counter(operator.name for operator in self.operators).items()))

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of one inference: convolutions, depthwise convolutions and dense layers."""
        return sum(operator.macs for operator in self.operators)

    @cached_property
    def parameters(self) -> int:
        """Weights and biases, counted in elements.

        They are the constants that carry a scale (or are floats): shapes, axes and paddings carry none.
        """
        used = {t.index: t for operator in self.operators for t in operator.inputs if t is not None and t.is_constant}
        return sum(t.size for t in used.values() if t.scales or t.dtype.startswith("float"))

    @property
    def has_unit_input(self) -> bool:
        """Whether an image x/255 in [0, 1] is the int8 code `uint8 ^ 0x80`, so that firmware needs no float."""
        tensor = self.inputs[0]
        return (
            tensor.dtype == "int8"
            and len(tensor.scales) == 1
            and math.isclose(tensor.scale, UNIT_SCALE, rel_tol=1e-6)
            and tensor.zero_point == UNIT_ZERO_POINT
        )
