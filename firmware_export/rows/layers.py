"""A model as layers that work step by step on rows, each with its constants.

A tensor is rows of pixels of channels. Most layers emit one row of output a step; some take in one row of input a step
and emit when they have seen enough. Which rows a step reads and writes is all that the planner needs to know.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Tensor:
    """An activation, int8: `height` rows of `width` pixels of `channels` codes."""

    index: int
    """In the `.tflite`'s list of tensors; below 0 where the lowering put one in between."""
    name: str
    height: int
    width: int
    channels: int
    zero_point: int

    @property
    def row_codes(self) -> int:
        """Codes, and bytes, of one row."""
        return self.width * self.channels


@dataclass(frozen=True)
class Window:
    """What a convolution or a pooling sees of its input; padding may be larger than the window needs."""

    kernel_height: int
    kernel_width: int
    stride_height: int = 1
    stride_width: int = 1
    pad_top: int = 0
    pad_left: int = 0

    def right_overhang(self, width_in: int, width_out: int) -> int:
        """By how many pixels the last window reaches beyond a row."""
        return max(0, (width_out - 1) * self.stride_width + self.kernel_width - self.pad_left - width_in)


@dataclass(frozen=True, eq=False)
class Layer:
    """One operator. Inputs and output are int8 tensors; constants are fields of the subclasses."""

    operator: str
    """The schema's name."""
    inputs: tuple[Tensor, ...]
    output: Tensor

    is_elementwise = False
    """Whether a row of output may be written over the row of input that it is made of."""

    @property
    def steps(self) -> int:
        """How many steps the layer takes."""
        return self.output.height

    def reads(self, step: int) -> range:
        """The rows of every input that a step reads."""
        return range(step, step + 1)

    def begun(self, step: int) -> int:
        """How many rows of output have been begun when a step is over."""
        return step + 1

    def finished(self, step: int) -> int:
        """How many rows of output are complete when a step is over."""
        return step + 1

    @property
    def pads(self) -> tuple[int, int]:
        """How many pixels of zero points it reads to the left and to the right of every input row."""
        return 0, 0

    @property
    def sums(self) -> int:
        """How many int32 sums it keeps from step to step."""
        return 0


@dataclass(frozen=True, eq=False)
class Windowed(Layer):
    """A layer that sees its input through a window."""

    window: Window

    def reads(self, step: int) -> range:
        """The rows under the window, those outside the image left out."""
        top = step * self.window.stride_height - self.window.pad_top
        return range(max(top, 0), min(top + self.window.kernel_height, self.inputs[0].height))

    @property
    def sees_outside(self) -> bool:
        """Whether its window reaches above or below the image."""
        return any(len(self.reads(step)) < self.window.kernel_height for step in range(self.steps))


@dataclass(frozen=True, eq=False)
class Convolution(Windowed):
    """CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED.

    Attributes:
        weights: int8, as TFLM has them: [out, height, width, in], depthwise [height, width, out].
        bias: int32 [out], the model's plus −(input's zero point) · sum of weights, so that raw codes are multiplied.
        multiplier: int32 [out].
        shift: int8 [out], positive to the left.
        lowest: the least output code.
        highest: the largest.
        depth_multiplier: outputs of each input channel, for a depthwise convolution; otherwise None.
    """

    weights: np.ndarray
    bias: np.ndarray
    multiplier: np.ndarray
    shift: np.ndarray
    lowest: int
    highest: int
    depth_multiplier: int | None = None

    @property
    def pads(self) -> tuple[int, int]:
        """As the window asks for."""
        return self.window.pad_left, self.window.right_overhang(self.inputs[0].width, self.output.width)


@dataclass(frozen=True, eq=False)
class Pool(Windowed):
    """AVERAGE_POOL_2D or MAX_POOL_2D; what lies outside the image does not count."""

    lowest: int
    highest: int


@dataclass(frozen=True, eq=False)
class Add(Layer):
    """ADD of two tensors of one shape: `(multiplier, shift)` of each input and of the output, as TFLM has them."""

    scalings: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
    lowest: int
    highest: int

    is_elementwise = True


@dataclass(frozen=True, eq=False)
class Lookup(Layer):
    """A function of one code: RELU and RELU6 on their own. `table` is int8 [256], entry 0 for the code −128."""

    table: np.ndarray

    is_elementwise = True


@dataclass(frozen=True, eq=False)
class Softmax(Layer):
    """SOFTMAX over channels; `exponentials` is int32 [256], as `arithmetic.exponentials` makes them."""

    exponentials: np.ndarray

    is_elementwise = True


@dataclass(frozen=True, eq=False)
class Pad(Layer):
    """PAD of rows, columns and channels with one code."""

    top: int
    left: int
    front: int
    value: int

    def reads(self, step: int) -> range:
        """One row, or none where the whole row is padding."""
        row = step - self.top
        return range(row, row + 1) if 0 <= row < self.inputs[0].height else range(0)


@dataclass(frozen=True, eq=False)
class RowByRow(Layer):
    """A layer that takes in a row of its one input a step."""

    @property
    def steps(self) -> int:
        """As many as the input has rows."""
        return self.inputs[0].height

    def finished(self, step: int) -> int:
        """As many as have been begun, unless a subclass knows better."""
        return self.begun(step)


@dataclass(frozen=True, eq=False)
class Reshape(RowByRow):
    """RESHAPE: the same codes in other rows."""

    def begun(self, step: int) -> int:
        """The input so far, in rows of output rounded up."""
        return -(-(step + 1) * self.inputs[0].row_codes // self.output.row_codes)

    def finished(self, step: int) -> int:
        """The input so far, in rows of output rounded down."""
        return (step + 1) * self.inputs[0].row_codes // self.output.row_codes


@dataclass(frozen=True, eq=False)
class Mean(RowByRow):
    """MEAN over rows and columns; `multiplier` and `shift` have the division by their number in them."""

    multiplier: int
    shift: int

    def begun(self, step: int) -> int:
        """One row, after the last step."""
        return int(step == self.steps - 1)

    @property
    def sums(self) -> int:
        """One for each channel."""
        return self.output.channels


@dataclass(frozen=True, eq=False)
class AveragePoolByRow(RowByRow):
    """AVERAGE_POOL_2D whose windows do not overlap from row to row, so that sums do instead of rows."""

    window: Window
    lowest: int
    highest: int

    def begun(self, step: int) -> int:
        """As many windows as end with this row or above it."""
        ends = (step + 1 + self.window.pad_top - self.window.kernel_height) // self.window.stride_height + 1
        return self.output.height if step == self.steps - 1 else min(max(ends, 0), self.output.height)

    @property
    def sums(self) -> int:
        """One for each code of an output row."""
        return self.output.row_codes


@dataclass(frozen=True, eq=False)
class Network:
    """Layers in an order in which each finds its inputs made, from one input to one output."""

    input: Tensor
    output: Tensor
    layers: tuple[Layer, ...]
    has_pixel_input: bool
    """Whether the input code of a pixel is `pixel ^ 0x80`."""
