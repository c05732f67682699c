"""A model as layers that process rows step by step, each with its constants.

A tensor consists of rows of pixels of channels. Most layers write one output row per step. Others read one input row
per step and write once they have enough rows. The planner uses only which rows each step reads and writes.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Tensor:
    """An activation, int8: `height` rows of `width` pixels of `channels` codes."""

    index: int
    """Position in the tensor list of the `.tflite`; negative for tensors that the lowering inserts."""
    name: str
    height: int
    width: int
    channels: int
    zero_point: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        return self.height, self.width, self.channels

    @property
    def row_codes(self) -> int:
        """Codes, and bytes, of one row."""
        return self.width * self.channels


@dataclass(frozen=True)
class Window:
    """The window of a convolution or a pooling; padding may be larger than the window needs."""

    kernel_height: int
    kernel_width: int
    stride_height: int = 1
    stride_width: int = 1
    pad_top: int = 0
    pad_left: int = 0
    dilation_height: int = 1
    dilation_width: int = 1

    @property
    def rows(self) -> int:
        """From the first row under the window to the last; with a dilation, it skips some of them."""
        return (self.kernel_height - 1) * self.dilation_height + 1

    @property
    def columns(self) -> int:
        """From the first column under the window to the last."""
        return (self.kernel_width - 1) * self.dilation_width + 1

    def right_overhang(self, width_in: int, width_out: int) -> int:
        """The number of pixels by which the last window extends beyond a row."""
        return max(0, (width_out - 1) * self.stride_width + self.columns - self.pad_left - width_in)


@dataclass(frozen=True, eq=False)
class Layer:
    """One operator. Inputs and output are int8 tensors; constants are fields of the subclasses."""

    operator: str
    """The schema's name."""
    inputs: tuple[Tensor, ...]
    output: Tensor

    is_elementwise = False
    """Whether an output row may overwrite the input row from which it is computed."""

    @property
    def steps(self) -> int:
        """The number of steps of the layer."""
        return self.output.height

    def reads(self, step: int) -> range:
        """The rows of every input that a step reads."""
        return range(step, step + 1)

    def reads_from(self, position: int, step: int) -> range:
        """The rows that a step reads of one input: those of `reads`, unless a subclass treats inputs differently."""
        return self.reads(step)

    def begun(self, step: int) -> int:
        """The number of output rows begun at the end of a step."""
        return step + 1

    def finished(self, step: int) -> int:
        """The number of output rows complete at the end of a step."""
        return step + 1

    @property
    def pads(self) -> tuple[int, int]:
        """The number of zero-point pixels read to the left and to the right of every input row."""
        return 0, 0

    @property
    def sums(self) -> int:
        """The number of int32 sums kept between steps."""
        return 0

    @property
    def step_macs(self) -> int:
        """The number of multiplications of codes by weights in a step."""
        return 0


@dataclass(frozen=True, eq=False)
class Windowed(Layer):
    """A layer that reads its input through a window."""

    window: Window

    def reads(self, step: int) -> range:
        """The rows under the window, without those outside the image."""
        top = step * self.window.stride_height - self.window.pad_top
        return range(max(top, 0), min(top + self.window.rows, self.inputs[0].height))

    @property
    def sees_outside(self) -> bool:
        """Whether the window extends above or below the image."""
        return any(len(self.reads(step)) < self.window.rows for step in range(self.steps))


@dataclass(frozen=True, eq=False)
class Convolution(Windowed):
    """CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED.

    Attributes:
        weights: int8, in TFLM's layout: [out, height, width, in], depthwise [height, width, out].
        bias: int32 [out], the model's bias − input zero point · sum of weights, so that kernels multiply raw codes.
        multiplier: int32 [out].
        shift: int8 [out], positive is a left shift.
        lowest: the lowest output code.
        highest: the highest output code.
        depth_multiplier: output channels per input channel of a depthwise convolution; otherwise None.
    """

    weights: np.ndarray
    bias: np.ndarray
    multiplier: np.ndarray
    shift: np.ndarray
    lowest: int
    highest: int
    depth_multiplier: int | None = None

    @property
    def step_macs(self) -> int:
        """Those of a row of outputs."""
        return self.output.row_codes * (self.weights.size // self.output.channels)

    @property
    def pads(self) -> tuple[int, int]:
        """The padding of the window."""
        return self.window.pad_left, self.window.right_overhang(self.inputs[0].width, self.output.width)


@dataclass(frozen=True, eq=False)
class Pool(Windowed):
    """AVERAGE_POOL_2D or MAX_POOL_2D; pixels outside the image are excluded."""

    lowest: int
    highest: int


@dataclass(frozen=True, eq=False)
class Add(Layer):
    """ADD of two tensors of equal shape; `scalings` are TFLM's `(multiplier, shift)` of each input and the output."""

    scalings: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
    lowest: int
    highest: int

    is_elementwise = True


@dataclass(frozen=True, eq=False)
class Lookup(Layer):
    """A function of one code: RELU or RELU6 as an operator. `table` is int8 [256], entry 0 for the code −128."""

    table: np.ndarray

    is_elementwise = True


@dataclass(frozen=True, eq=False)
class Softmax(Layer):
    """SOFTMAX over channels; `exponentials` is int32 [256], from `arithmetic.exponentials`."""

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
        """One row, or none if the whole output row is padding."""
        row = step - self.top
        return range(row, row + 1) if 0 <= row < self.inputs[0].height else range(0)


@dataclass(frozen=True, eq=False)
class RowByRow(Layer):
    """A layer that reads one row of its single input per step."""

    @property
    def steps(self) -> int:
        """One for each input row."""
        return self.inputs[0].height

    def finished(self, step: int) -> int:
        """The number begun, unless a subclass overrides it."""
        return self.begun(step)


@dataclass(frozen=True, eq=False)
class Reshape(RowByRow):
    """RESHAPE: the same codes in rows of another length."""

    def begun(self, step: int) -> int:
        """The input so far, in rows of output rounded up."""
        return -(-(step + 1) * self.inputs[0].row_codes // self.output.row_codes)

    def finished(self, step: int) -> int:
        """The input so far, in rows of output rounded down."""
        return (step + 1) * self.inputs[0].row_codes // self.output.row_codes


@dataclass(frozen=True, eq=False)
class Mean(RowByRow):
    """MEAN over rows and columns; `multiplier` and `shift` include the division by the number of pixels."""

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
    """AVERAGE_POOL_2D with windows that do not overlap vertically, so that sums are kept instead of rows."""

    window: Window
    lowest: int
    highest: int

    def begun(self, step: int) -> int:
        """The number of windows that end at this row or above it."""
        ends = (step + 1 + self.window.pad_top - self.window.kernel_height) // self.window.stride_height + 1
        return self.output.height if step == self.steps - 1 else min(max(ends, 0), self.output.height)

    @property
    def sums(self) -> int:
        """One for each code of an output row."""
        return self.output.row_codes


@dataclass(frozen=True, eq=False)
class Network:
    """Layers in topological order, from one input to one output or several."""

    input: Tensor
    outputs: tuple[Tensor, ...]
    layers: tuple[Layer, ...]
    has_pixel_input: bool
    """Whether the input code of a pixel is `pixel ^ 0x80`."""

    def first_code(self, output: Tensor) -> int:
        """Where the codes of an output begin among those of all outputs, which lie one after the other."""
        before = self.outputs[: self.outputs.index(output)]
        return sum(tensor.height * tensor.row_codes for tensor in before)
