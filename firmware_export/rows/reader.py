"""Read the operators of a `.tflite` for the row engine; options, tensors and constants are checked as they are read."""

from dataclasses import dataclass

import numpy as np

from firmware_export.common.dense_scale import DenseScale
from firmware_export.common.errors import UserError
from firmware_export.rows import arithmetic
from firmware_export.rows.layers import Tensor, Window
from firmware_export.tflite.graph import Operator
from firmware_export.tflite.graph import Tensor as StoredTensor
from firmware_export.tflite.model import Model, Options, enum_name

_MOST_ROWS = 65535  # rows are counted in 16 bits
_ACTIVATIONS = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")


@dataclass(frozen=True)
class Source:
    """A model to lower; its methods reject what the row engine does not support."""

    model: Model
    dense_scale: DenseScale = DenseScale.DOUBLE

    def refuse(self, operator: Operator, what: str) -> UserError:
        """The error for an operator that the row engine does not support in this form; `what` is the verb phrase."""
        return UserError(f"{self.model.name}: {operator.label} {what}: use TFLM (--engine tflm) or replace the layer")

    def options(self, operator: Operator, name: str) -> Options:
        """The options of an operator, with `name` among them.

        Raises:
            UserError: the file is damaged: the operator has no options, or those of another operator.
        """
        found = self.model.options[operator.index]
        if name not in found:
            raise self.refuse(operator, f"has no {name} among its options")
        return found

    def tensor(self, tensor: StoredTensor) -> Tensor:
        """An activation as rows: [N] is one pixel, [M, N] and [1, M, N] are M rows of one pixel.

        Raises:
            UserError: the batch is not 1, or there are more than 4 dimensions or more than 65,535 rows.
        """
        shape = tensor.shape
        if len(shape) > 4 or (len(shape) > 2 and shape[0] != 1) or 0 in shape:
            raise UserError(
                f"{self.model.name}: tensor {tensor.name!r} has the shape {list(shape)}, expected [N], [M, N], "
                "[1, M, N] or [1, height, width, channels]: use TFLM (--engine tflm)"
            )
        if len(shape) == 4:
            height, width, channels = shape[1:]
        else:
            height, width, channels = (shape[-2] if len(shape) > 1 else 1), 1, (shape[-1] if shape else 1)
        if height > _MOST_ROWS:
            raise UserError(
                f"{self.model.name}: tensor {tensor.name!r} has {height} rows, expected at most "
                f"{_MOST_ROWS}: use TFLM (--engine tflm)"
            )
        return Tensor(tensor.index, tensor.name, height, width, channels, tensor.zero_point)

    def ends(self, operator: Operator) -> tuple[Tensor, Tensor]:
        """The first input and the output, which must be int8 activations with one scale."""
        return self.activation_of(operator, operator.inputs[0]), self.activation_of(operator, operator.outputs[0])

    def activation_of(self, operator: Operator, tensor: StoredTensor | None) -> Tensor:
        """An input or output of an operator, which must be an int8 activation with one scale."""
        if tensor is None or tensor.is_constant:
            raise self.refuse(operator, "has a constant input")
        self.check_codes(operator, tensor)
        return self.tensor(tensor)

    def check_codes(self, operator: Operator, tensor: StoredTensor) -> None:
        """Refuse a tensor that is not int8 with one scale."""
        if tensor.dtype != "int8" or len(tensor.scales) != 1:
            raise self.refuse(
                operator, f"has a tensor of {tensor.dtype} with {len(tensor.scales)} scales, expected int8 with one"
            )

    def constant(self, operator: Operator, position: int, dtype: str) -> np.ndarray:
        """The values of an input that must be a constant of `dtype`."""
        tensor = operator.inputs[position]
        if tensor is None or not tensor.is_constant or tensor.dtype != dtype:
            raise self.refuse(operator, f"needs a constant of type {dtype} as its input {position}")
        return self.model.constant(tensor)

    def activation(self, operator: Operator) -> tuple[int, int]:
        """The lowest and the highest output code of the fused activation."""
        option = "fusedActivationFunction"
        name = enum_name("ActivationFunctionType", self.options(operator, option)[option])
        if name not in _ACTIVATIONS:
            raise self.refuse(operator, f"has the fused activation {name}, expected one of {', '.join(_ACTIVATIONS)}")
        output = operator.outputs[0]
        return arithmetic.activation_range(name, output.scale, output.zero_point)

    def window(self, operator: Operator, kernel: tuple[int, int]) -> Window:
        """The window of a convolution or a pooling, padded as TFLM does (`kernels/padding.h`)."""
        options, (given, output) = self.options(operator, "strideH"), self.ends(operator)
        dilation = options.get("dilationHFactor", 1), options.get("dilationWFactor", 1)
        strides = options["strideH"], options["strideW"]
        if min(*dilation, *strides) < 1:
            raise self.refuse(operator, f"has the strides {strides} and the dilation {dilation}, expected 1 or more")
        is_same = enum_name("Padding", options["padding"]) == "SAME"
        pads = []
        spans = [(taps - 1) * gap + 1 for taps, gap in zip(kernel, dilation, strict=True)]
        for size_in, size_out, taps, stride in zip(
            (given.height, given.width), (output.height, output.width), spans, strides, strict=True
        ):
            expected = -(-size_in // stride) if is_same else (size_in + stride - taps) // stride
            if size_out != expected:
                raise self.refuse(operator, f"has {size_out} output rows or columns, expected {expected}")
            pads.append(max(0, (size_out - 1) * stride + taps - size_in) // 2)
        top, left = pads
        return Window(*kernel, *strides, top, left, *dilation)
