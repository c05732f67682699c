"""Dense layers whose multiplier depends on how TFLM multiplies two scales (`DenseScale`), computed in integers."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from firmware_export.common.dense_scale import DenseScale
from firmware_export.rows import arithmetic
from firmware_export.tflite.graph import Operator
from firmware_export.tflite.model import Model, enum_name

NAME = "FULLY_CONNECTED"


@dataclass(frozen=True, eq=False)
class DenseLayer:
    """A FULLY_CONNECTED with one weight scale whose two multipliers differ."""

    operator: Operator
    weights: np.ndarray
    """int64 [units, depth], without their zero point."""
    bias: np.ndarray
    """int64 [units], with the input's zero point folded in."""
    lowest: int
    highest: int

    def sums(self, codes: np.ndarray) -> np.ndarray:
        """int64 [M, units]: what the layer requantizes, for its input, int8 of M * depth elements."""
        sums: np.ndarray = codes.reshape(-1, self.weights.shape[1]).astype(np.int64) @ self.weights.T + self.bias
        return sums

    def outputs(self, sums: np.ndarray, dense_scale: DenseScale) -> np.ndarray:
        """int8, the codes of sums under one of the two multipliers."""
        multiplier, shift = multiplier_of(self.operator, dense_scale)
        scaled = arithmetic.requantize_all(sums, multiplier, shift) + self.operator.outputs[0].zero_point
        codes: np.ndarray = np.clip(scaled, self.lowest, self.highest).astype(np.int8)
        return codes

    @cached_property
    def telling_sums(self) -> np.ndarray:
        """Sums beside the steps between codes for which the two multipliers give different codes, int64, sorted.

        If the multipliers differ at a step, then for one of these; far from zero, for more sums beside them.
        """
        output = self.operator.outputs[0]
        size = float(self.operator.given(0).scale) * self.operator.given(1).scale / output.scale
        steps = np.arange(self.lowest, self.highest) + 0.5 - output.zero_point
        near = np.rint(steps / size).astype(np.int64)[:, np.newaxis] + np.arange(-_NEAR, _NEAR + 1)
        near = np.unique(near[np.abs(near) < 1 << 31])
        found: np.ndarray = near[self.outputs(near, DenseScale.FLOAT) != self.outputs(near, DenseScale.DOUBLE)]
        return found

    @cached_property
    def reachable(self) -> np.ndarray:
        """int64 [2, units]: the least and the largest sum over all int8 inputs."""
        ends = np.stack([-128 * self.weights, 127 * self.weights])
        found: np.ndarray = np.stack([ends.min(axis=0).sum(axis=1), ends.max(axis=0).sum(axis=1)]) + self.bias
        return found

    @property
    def can_differ(self) -> bool:
        """Whether an input of the layer exists for which a code differs, as far as the range of its sums says."""
        least, largest = self.reachable
        below = np.searchsorted(self.telling_sums, least, "left")
        above = np.searchsorted(self.telling_sums, largest, "right")
        return bool((above > below).any())

    def distances(self, sums: np.ndarray) -> np.ndarray:
        """int64, how far each sum is from the nearest telling sum."""
        right = np.searchsorted(self.telling_sums, sums).clip(max=len(self.telling_sums) - 1)
        left = (right - 1).clip(min=0)
        found: np.ndarray = np.minimum(np.abs(self.telling_sums[left] - sums), np.abs(self.telling_sums[right] - sums))
        return found


_NEAR = 3
"""Roundings move the step of the double product by no more sums than this from where real numbers have it."""


def multiplier_of(operator: Operator, dense_scale: DenseScale) -> tuple[int, int]:
    """The multiplier and shift of a FULLY_CONNECTED with one weight scale."""
    given, weights = operator.given(0).scale, operator.given(1).scale
    return arithmetic.quantize_multiplier(
        arithmetic.scale_product(given, weights, dense_scale) / operator.outputs[0].scale
    )


def find(model: Model) -> list[DenseLayer]:
    """The dense layers of a model whose multiplier depends on `DenseScale`, in execution order."""
    return [_layer(model, operator) for operator in model.graph.operators if depends(operator)]


def depends(operator: Operator) -> bool:
    """Whether an operator is a FULLY_CONNECTED with constant int8 weights of one scale whose two multipliers differ."""
    if operator.name != NAME:
        return False
    weights = operator.given(1)
    if not weights.is_constant or weights.dtype != "int8" or len(weights.scales) != 1:
        return False
    return multiplier_of(operator, DenseScale.FLOAT) != multiplier_of(operator, DenseScale.DOUBLE)


def _layer(model: Model, operator: Operator) -> DenseLayer:
    weights = model.constant(operator.given(1)).astype(np.int64) - operator.given(1).zero_point
    has_bias = len(operator.inputs) > 2 and operator.inputs[2] is not None
    bias = model.constant(operator.given(2)).reshape(-1) if has_bias else np.zeros(len(weights), np.int64)
    output = operator.outputs[0]
    activation = enum_name("ActivationFunctionType", model.options[operator.index].get("fusedActivationFunction", 0))
    lowest, highest = arithmetic.activation_range(activation, output.scale, output.zero_point)
    folded = bias.astype(np.int64) - operator.given(0).zero_point * weights.sum(axis=1)
    return DenseLayer(operator, weights, folded, lowest, highest)
