"""Whether the model sees what it was trained on: input codes that vary, answers that no other input or order betters.

Both engines compute the same whatever they are fed, so the comparison of kernels does not show a wrong input range.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from firmware_export.common.errors import UserError
from firmware_export.tflite import interpreters
from firmware_export.tflite.graph import Graph
from firmware_export.tflite.model import Model
from firmware_export.verify import contradictions

Answers = Callable[[np.ndarray, str], np.ndarray]
"""From images, uint8 [N, …], and an input range to int [N], the output with the highest value."""

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


def answers_of(model: Model) -> Answers:
    """The answers of an int8 model, computed by TFLite's fast kernels."""

    def answers(images: np.ndarray, input_range: str) -> np.ndarray:
        outputs = interpreters.predict_int8(model.with_range(input_range), images)
        return np.asarray(outputs.reshape(len(images), -1).argmax(axis=1))

    return answers


def check_input(
    name: str, answers_of: Answers, images: np.ndarray, labels: np.ndarray, given: str | None, candidates: Sequence[str]
) -> None:
    """Refuse an input range, or an order of colors, with which clearly fewer images are right than with another.

    Nothing is checked with fewer than 50 labels, labels of one class, or input codes instead of images.

    Args:
        name: of the model.
        answers_of: its answers to images that it gets in an input range.
        images: uint8 [N, …], or int8: the codes.
        labels: int [N], classes from 0; less for an image without a label.
        given: the range with which it is fed; None if it is not known.
        candidates: the ranges that it may have been trained with.

    Raises:
        UserError: another input is clearly better.
    """
    chosen = np.flatnonzero(labels >= 0)
    if images.dtype != np.uint8 or given is None or not _are_enough(labels[chosen]):
        return
    chosen = chosen[contradictions.few(len(chosen))]
    few = images[chosen]

    def answers(input_range: str, is_reversed: bool) -> np.ndarray:
        return answers_of(np.ascontiguousarray(few[..., ::-1]) if is_reversed else few, input_range)

    channels = few.shape[-1] if few.ndim == 4 else 1
    found = contradictions.other_input(answers, labels[chosen], given, candidates, channels)
    if found is not None:
        remedies = [f"state --input-range {found.input_range}"] * (found.input_range != given)
        remedies += ["give them with blue first, in flight too"] * found.is_reversed
        raise UserError(
            f"{name} {found.said}: if they are like those of its training, {' and '.join(remedies)}; otherwise give "
            "others, or none with labels"
        )


def check_accuracy(
    outputs: np.ndarray, labels: np.ndarray, graph: Graph, class_names: Sequence[str] = (), *, of_codes: bool = False
) -> None:
    """Refuse a model whose answers agree with the labels no better than by chance, or better in another order.

    Chance is the agreement that the same labels and answers would have if they were independent, as in Cohen's kappa
    (Educational and Psychological Measurement 20, 1960), plus three standard deviations. Nothing is checked with fewer
    than 50 labels, or labels of one class.

    Args:
        outputs: int8 [N, …], the model's outputs.
        labels: int [N], classes from 0; less for an image without a label.
        graph: of the model.
        class_names: in output order, if they are known.
        of_codes: whether the input was codes instead of images.

    Raises:
        UserError: the agreement is that of chance, or clearly better if classes are exchanged.
    """
    is_labelled = labels >= 0
    labels, answers = labels[is_labelled], outputs.reshape(len(outputs), -1).argmax(axis=1)[is_labelled]
    count = len(labels)
    if not _are_enough(labels):
        return
    classes = int(max(labels.max(), answers.max())) + 1
    names = class_names if len(class_names) >= classes else [f"output {number}" for number in range(classes)]
    order = contradictions.other_order(answers, labels, names)
    if order is not None:
        raise UserError(
            f"{graph.name} {order}: if they are like those of its training, correct the order with --class-names; "
            "otherwise give others, or none with labels"
        )
    shares = [np.bincount(values, minlength=classes) / count for values in (labels, answers)]
    chance, right = float(shares[0] @ shares[1]), int((answers == labels).sum())
    if right <= count * chance + _STANDARD_DEVIATIONS * math.sqrt(count * chance * (1 - chance)):
        of_range = f"its input range ({graph.input_range}) with --input-range, or "
        raise UserError(
            f"{graph.name} answers {right / count:.1%} of {count} labelled images correctly, and {chance:.1%} would be "
            f"chance: correct {'' if of_codes else of_range}the order of its classes with --class-names, or give the "
            f"{'codes' if of_codes else 'images'} without labels to export it nevertheless"
        )


def _are_enough(labels: np.ndarray) -> bool:
    return len(labels) >= _LEAST_LABELS and len(np.unique(labels)) > 1
