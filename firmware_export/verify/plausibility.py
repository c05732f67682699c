"""Whether the model sees what it was trained on: input codes that vary, and answers better than by chance.

Both engines compute the same whatever they are fed, so the comparison of kernels does not show a wrong input range.
"""

import math

import numpy as np

from firmware_export.common.errors import UserError
from firmware_export.tflite.graph import Graph

_LEAST_PIXEL_VALUES = 16
_LEAST_CODES_PER_VALUE = 1 / 8
_LEAST_LABELS = 50
_STANDARD_DEVIATIONS = 3


def check_codes(images: np.ndarray, codes: np.ndarray, graph: Graph) -> None:
    """Refuse images that reach the model as almost one code.

    Args:
        images: uint8 [N, …], or int8: the codes.
        codes: int8 [N, …], the model's input codes for them.
        graph: of the model.

    Raises:
        UserError: all images have one value, or at least 16 pixel values become less than an eighth as many codes.
    """
    used, made = np.unique(images), np.unique(codes)
    if len(used) == 1:
        raise UserError(f"every value of the images is {used[0]}: give images that differ")
    if len(used) >= _LEAST_PIXEL_VALUES and len(made) < _LEAST_CODES_PER_VALUE * len(used):
        tensor = graph.inputs[0]
        raise UserError(
            f"{graph.name}: {len(used)} pixel values become only {len(made)} input codes ({made[0]} to {made[-1]}) "
            f"with input range {graph.input_range}, scale {tensor.scale:.9g} and zero point {tensor.zero_point}: state "
            "the range that the model was trained on with --input-range"
        )


def check_accuracy(outputs: np.ndarray, labels: np.ndarray, graph: Graph) -> None:
    """Refuse a model whose answers agree with the labels no better than by chance.

    Chance is the agreement that the same labels and answers would have if they were independent, as in Cohen's kappa
    (Educational and Psychological Measurement 20, 1960), plus three standard deviations. Nothing is checked with fewer
    than 50 labels, or labels of one class.

    Args:
        outputs: int8 [N, …], the model's outputs.
        labels: int [N], classes from 0.
        graph: of the model.

    Raises:
        UserError: the agreement is that of chance.
    """
    count, answers = len(labels), outputs.reshape(len(outputs), -1).argmax(axis=1)
    if count < _LEAST_LABELS or len(np.unique(labels)) < 2:
        return
    classes = int(max(labels.max(), answers.max())) + 1
    shares = [np.bincount(values, minlength=classes) / count for values in (labels, answers)]
    chance, right = float(shares[0] @ shares[1]), int((answers == labels).sum())
    if right <= count * chance + _STANDARD_DEVIATIONS * math.sqrt(count * chance * (1 - chance)):
        raise UserError(
            f"{graph.name} answers {right / count:.1%} of {count} labelled images correctly, and {chance:.1%} would be "
            f"chance: correct its input range ({graph.input_range}) with --input-range, or the order of its classes "
            "with --class-names, or give the images without labels to export it nevertheless"
        )
