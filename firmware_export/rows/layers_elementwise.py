"""Layers that compute each output code from a code of each of two operands, one of which may be smaller or constant."""

from dataclasses import dataclass

import numpy as np

from firmware_export.rows.arithmetic import requantize
from firmware_export.rows.layers import Layer, Softmax

Scalings = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
"""TFLM's `(multiplier, shift)` of each operand and of the output; (0, 0) where there is none."""


@dataclass(frozen=True)
class Operand:
    """The second operand of a `Pairwise`: a tensor of the layer, or a constant.

    Attributes:
        height: its rows: 1, which is combined with every row, or the height of the output.
        row_codes: codes of one row.
        pixel_stride: codes from a pixel's first code to the next pixel's: 0 if every pixel has the same, 1 if all
            channels of a pixel have the same, otherwise the number of channels.
        zero_point: its zero point.
        constant: int8 [height · row_codes]; None for a tensor.
    """

    height: int
    row_codes: int
    pixel_stride: int
    zero_point: int
    constant: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Pairwise(Layer):
    """MUL, SUB, PRELU, MAXIMUM or MINIMUM, and ADD of a constant or of a smaller tensor.

    Attributes:
        kind: the name of its kind in the engine.
        operand: the second operand; the first is `inputs[0]`, and a second tensor is `inputs[1]`.
        scalings: of the operands and the output.
        lowest: the lowest output code.
        highest: the highest output code.
    """

    kind: str
    operand: Operand
    scalings: Scalings
    lowest: int
    highest: int

    is_elementwise = True

    def reads_from(self, position: int, step: int) -> range:
        """The same row of both operands, or the only row of the second."""
        return range(1) if position == 1 and self.operand.height == 1 else self.reads(step)

    def output_code(self, first: int, second: int) -> int:
        """The output code for two codes."""
        a, b = first - self.inputs[0].zero_point, second - self.operand.zero_point
        of_first, of_second, of_output = self.scalings
        match self.kind:
            case "MAXIMUM":
                return max(first, second)
            case "MINIMUM":
                return min(first, second)
            case "MULTIPLICATION":
                scaled = requantize(a * b, *of_output)
            case "PRELU":
                scaled = requantize(a, *of_first) if a >= 0 else requantize(a * b, *of_second)
            case _:
                terms = requantize(a << 20, *of_first), requantize(b << 20, *of_second)
                signs = {"SUBTRACTION": (1, -1), "SUBTRACTION_FROM": (-1, 1)}.get(self.kind, (1, 1))
                scaled = requantize(signs[0] * terms[0] + signs[1] * terms[1], *of_output)
        return min(max(scaled + self.output.zero_point, self.lowest), self.highest)


@dataclass(frozen=True, eq=False)
class LogSoftmax(Softmax):
    """LOG_SOFTMAX over channels.

    Attributes:
        scaling: `(multiplier, shift)` of a difference between two codes, to Q5.26.
        reverse_scaling: the reverse.
        least_difference: differences to the largest code at or below this give −128.
    """

    scaling: tuple[int, int]
    reverse_scaling: tuple[int, int]
    least_difference: int
