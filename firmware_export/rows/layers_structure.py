"""Layers that move codes or average them in other ways than a pool, and the transposed convolution."""

from dataclasses import dataclass

import numpy as np

from firmware_export.rows.layers import Layer, Window

ROWS, COLUMNS, CHANNELS = range(3)
"""The axes of a tensor."""


@dataclass(frozen=True)
class Along:
    """The indices of one axis of the input that outputs read: `first` + `step` · the output's index along `axis`."""

    axis: int
    first: int = 0
    step: int = 1


@dataclass(frozen=True, eq=False)
class Selection(Layer):
    """STRIDED_SLICE, SLICE, SPLIT, SPLIT_V, TRANSPOSE: some codes of the input, or all of them in another order.

    Attributes:
        sources: for rows, columns, and channels of the input.
        width: columns of the output as `sources` count them; the row may be divided otherwise in `output`.
        channels: in the same way.
    """

    sources: tuple[Along, Along, Along]
    width: int
    channels: int

    def reads(self, step: int) -> range:
        """One row if rows stay rows; otherwise all."""
        rows = self.sources[ROWS]
        if rows.axis != ROWS:
            return range(self.inputs[0].height)
        row = rows.first + rows.step * step
        return range(row, row + 1)


@dataclass(frozen=True, eq=False)
class Concatenation(Layer):
    """CONCATENATION of two tensors along `axis`; of more tensors, one after another."""

    axis: int

    def reads_from(self, position: int, step: int) -> range:
        """The row of both inputs; along rows, the row of one of them."""
        if self.axis != ROWS:
            return self.reads(step)
        row = step - (self.inputs[0].height if position else 0)
        return range(row, row + 1) if 0 <= row < self.inputs[position].height else range(0)


@dataclass(frozen=True, eq=False)
class Resizing(Layer):
    """RESIZE_NEAREST_NEIGHBOR.

    Attributes:
        rows: int32 [output height], the row of the input that each row of the output is.
        columns: int32 [output width], in the same way.
    """

    rows: np.ndarray
    columns: np.ndarray

    def reads(self, step: int) -> range:
        """One row."""
        row = int(self.rows[step])
        return range(row, row + 1)


@dataclass(frozen=True, eq=False)
class Reduction(Layer):
    """MEAN over other axes than rows and columns; `multiplier` and `shift` include the division.

    Attributes:
        is_across_rows: whether all rows are averaged; otherwise each row is averaged alone.
        codes: number of codes of a row in each average.
        between_outputs: codes from the first of an average to the first of the next.
        between_codes: codes from one of an average to its next.
        multiplier: of the sum.
        shift: of the sum.
    """

    is_across_rows: bool
    codes: int
    between_outputs: int
    between_codes: int
    multiplier: int
    shift: int

    @property
    def steps(self) -> int:
        """One for each input row."""
        return self.inputs[0].height

    def begun(self, step: int) -> int:
        """One row in each step, or one row after the last step."""
        return int(step == self.steps - 1) if self.is_across_rows else step + 1

    def finished(self, step: int) -> int:
        """The number begun."""
        return self.begun(step)

    @property
    def sums(self) -> int:
        """One for each output, if rows are averaged."""
        return self.output.row_codes if self.is_across_rows else 0


@dataclass(frozen=True, eq=False)
class TransposedConvolution(Layer):
    """TRANSPOSE_CONV.

    Attributes:
        window: an input at row y meets the outputs from y · stride − padding on.
        weights: int8 [out, height, width, in].
        bias: int32 [out].
        multiplier: int32 [out].
        shift: int8 [out], positive is a left shift.
        lowest: the lowest output code.
        highest: the highest output code.
    """

    window: Window
    weights: np.ndarray
    bias: np.ndarray
    multiplier: np.ndarray
    shift: np.ndarray
    lowest: int
    highest: int

    def reads(self, step: int) -> range:
        """The rows that meet this row of outputs; none if the stride is larger than the window."""
        place, stride = step + self.window.pad_top, self.window.stride_height
        first = max(0, -(-(place - self.window.kernel_height + 1) // stride))
        return range(first, max(first, min(place // stride + 1, self.inputs[0].height)))

    @property
    def step_macs(self) -> int:
        """At most, those of all taps for a row of outputs."""
        return self.output.row_codes * (self.weights.size // self.output.channels)


STRUCTURE = (Selection, Concatenation, Resizing, Reduction, TransposedConvolution)
"""The layers of this module."""
