"""All checks of a model before files are written."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from firmware_export.common import defaults
from firmware_export.common.dense_scale import DenseScale
from firmware_export.common.errors import UserError
from firmware_export.drift import monitor as drift
from firmware_export.drift.monitor import Drift
from firmware_export.images.generated import generated_images
from firmware_export.memory import arena
from firmware_export.memory.arena import Arena
from firmware_export.tflite import convert, interpreters, offline_metadata, reader
from firmware_export.tflite import input_range as ranges
from firmware_export.tflite.graph import MOST_CLASSES, Graph
from firmware_export.tflite.model import Model
from firmware_export.verify import abstention, dense_parity, kernel_parity, origin_parity, plausibility, sandbox
from firmware_export.verify.abstention import Abstention
from firmware_export.verify.dense_parity import DenseParity
from firmware_export.verify.golden_vectors import GoldenVectors, golden_vectors
from firmware_export.verify.keras_parity import KerasParity, check_keras
from firmware_export.verify.kernel_parity import KernelParity


class Stage(StrEnum):
    """The time-consuming stages of an export."""

    ARENA = "arena"
    """Finding the smallest arena."""
    IMAGES = "images"
    """Comparing every tensor on every image."""
    COMPILE = "compile"
    """Compiling the generated files on this host."""


Progress = Callable[[Stage, int, int], None]
"""Called with (stage, done, total)."""

LabelledImages = tuple[np.ndarray, np.ndarray]
"""uint8 [N, …input shape without the batch] (or int8: the model's codes) and int [N], classes from 0."""

_ARENA_IMAGES = 16
"""Number of images that also run in the smallest arena; wrongly shared memory shows on the first image."""
_ORIGIN_IMAGES = 8
"""Number of images on which a normalized copy is compared with its file; a wrong copy differs on most."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a model is verified on and compared with."""

    images: np.ndarray | None
    """uint8 [N, …input shape without the batch], N ≥ 256 (or int8: the model's codes). None: 256 generated images, and
    every file says so."""
    validation: LabelledImages | None = None
    """Labelled images that were not used for training, to choose the abstention threshold and the drift monitor. None:
    the classifier answers every image, and there is no monitor."""
    error_rate: float = defaults.ERROR_RATE
    """Highest error rate allowed among the answers, in (0, 1)."""
    false_alarm_rate: float = defaults.FALSE_ALARM_RATE
    """Highest rate of false alarms of the drift monitor, per window."""
    drift_window: int = defaults.DRIFT_WINDOW
    """Number of images after which the drift monitor decides."""
    keras_model: Any = None
    """The quantization-aware Keras model that the model was converted from, to compare the two."""
    labels: np.ndarray | None = None
    """int [N], the class of each of `images`, from 0; None if not known."""
    class_names: tuple[str, ...] = ()
    """In output order, for messages."""
    dense_scale: DenseScale = DenseScale.DOUBLE
    """How TFLM multiplies the scales of a dense layer, which depends on its version."""
    refuses_chance: bool = False
    """Whether to refuse a model if its answers to labelled images are those of chance, or better with another input or
    order of classes."""


@dataclass(frozen=True, eq=False)
class Verified:
    """A model that passed all comparisons, and their results."""

    given: Model
    """The input model, as read from its file."""
    arena: Arena
    """The arena, with the exported model."""
    codes: np.ndarray
    """int8 [N, …input shape without the batch]: the input codes it was verified on."""
    images_are_real: bool
    outputs: np.ndarray
    """int8 [N, …]: TensorFlow Lite Micro's outputs for `codes`, in the version that `dense` states."""
    kernel_parity: KernelParity
    dense: DenseParity
    """What depends on TFLM's version."""
    keras_parity: KerasParity | None
    abstention: Abstention
    drift: Drift
    golden: GoldenVectors
    changes: tuple[str, ...] = ()
    """What distinguishes the exported model from the input model, one sentence each; a memory plan apart."""

    @property
    def model(self) -> Model:
        """The exported model."""
        return self.arena.model


def read(
    content: bytes,
    name: str,
    *,
    expect_unit_input: bool = False,
    input_range: str | None = None,
    needs_rows: bool = False,
) -> Model:
    """Read a model, and check that it can be verified.

    The last model is cached: the command line reads it to get the image size, before the export reads it again.

    Args:
        content: an int8 `.tflite` file, possibly damaged.
        name: the model's name in error messages.
        expect_unit_input: refuse a model whose input is not `uint8 ^ 0x80`.
        input_range: the range of values that the model expects, one of `input_range.INPUT_RANGES`; None: found from
            the input's scale and zero point.
        needs_rows: also refuse a model that the row engine does not support, before it is run.

    Returns:
        The model, or its normalized copy (`normalize.normalized`).

    Raises:
        UserError: the model cannot run on a microcontroller (`sandbox.check`, `reader.check_deployable`), or its input
            is not the expected one.
    """
    if input_range is not None:
        ranges.check(input_range)
    model = _read(content, name, needs_rows).with_range(input_range)
    if expect_unit_input:
        convert.check_unit_input(model.graph)
    return model


@functools.lru_cache(maxsize=1)
def _read(content: bytes, name: str, needs_rows: bool) -> Model:
    sandbox.check(content, name, needs_rows=needs_rows)
    model = reader.read(content, name)
    reader.check_deployable(model.graph)
    return model


def verify(model: Model, evidence: Evidence, progress: Progress) -> Verified:
    """Find the smallest arena, compare the kernels and the Keras model, choose abstention threshold and drift monitor.

    Args:
        model: as `read` returns it.
        evidence: what to verify it on.
        progress: called repeatedly with the progress of each stage.

    Raises:
        UserError: images or labels do not fit the model, or a comparison fails.
    """
    if evidence.validation is not None:
        check_rates(evidence.error_rate, evidence.false_alarm_rate, evidence.drift_window)
        _check_validation(evidence.validation, model.graph)
    codes = _codes(model.graph, evidence.images)
    _check_input(model, evidence)
    origin_parity.check_origin(model, codes[:_ORIGIN_IMAGES])
    progress(Stage.ARENA, 0, 1)
    found = arena.find(model.shipped)
    progress(Stage.ARENA, 1, 1)
    # TFLM cannot keep every tensor of a model with a memory plan.
    unplanned = offline_metadata.without_plan(model)
    parity = kernel_parity.check_kernels(unplanned, codes, lambda done, total: progress(Stage.IMAGES, done, total))
    outputs = parity.outputs
    if evidence.labels is not None and evidence.images is not None:
        _check_answers(outputs, evidence.images, evidence.labels, model.graph, evidence)
    kernel_parity.check_least_arena(found.model, found.least_bytes, codes[:_ARENA_IMAGES], outputs[:_ARENA_IMAGES])
    dense = dense_parity.check(unplanned, codes, evidence.dense_scale)
    compute = None
    if dense.differs_from_package:
        compute = dense_parity.runner(unplanned, evidence.dense_scale)
        outputs = compute(codes)
    predictions = None if evidence.validation is None else interpreters.predict_int8(model, evidence.validation[0])
    if evidence.validation is not None and predictions is not None:
        _check_answers(predictions, *evidence.validation, model.graph, evidence)
    return Verified(
        given=model.given,
        changes=model.changes,
        arena=found,
        codes=codes,
        images_are_real=evidence.images is not None,
        outputs=outputs,
        kernel_parity=parity,
        dense=dense,
        keras_parity=_keras_parity(evidence.keras_model, unplanned, codes, outputs),
        abstention=_abstention(model, evidence, predictions, codes, outputs),
        drift=_drift(model, evidence, predictions),
        golden=golden_vectors(found.model, codes, outputs=outputs, dense=dense, compute=compute),
    )


def check_rates(error_rate: float, false_alarm_rate: float, drift_window: int) -> None:
    """Refuse settings of the abstention threshold and the drift monitor, whether or not they are used.

    Raises:
        UserError: a value is out of its range.
    """
    if not 0 < error_rate < 1:
        raise UserError(
            f"error rate {error_rate:g}, a number between 0 and 1 expected: give {defaults.ERROR_RATE}, for example"
        )
    drift.check(drift_window, false_alarm_rate)


def _check_validation(validation: LabelledImages, graph: Graph) -> None:
    images, labels = validation
    _check_images(images, graph)
    classes = graph.outputs[0].size
    if not graph.is_classifier:
        shapes = ", ".join(str(list(tensor.shape)) for tensor in graph.outputs)
        wanted = f"a code for each of 2 to {MOST_CLASSES} classes"
        raise UserError(f"the model's output is {shapes}, {wanted} expected: leave out the validation images")
    if len(images) != len(labels) or len(labels) == 0 or not ((labels >= 0) & (labels < classes)).all():
        span = f" from {labels.min()} to {labels.max()}" if len(labels) else ""
        raise UserError(
            f"{len(labels)} labels{span} for {len(images)} validation images of {classes} classes: give each image its "
            "class, counted from 0"
        )


def _check_input(model: Model, evidence: Evidence) -> None:
    graph, answers_of = model.graph, plausibility.answers_of(model)
    for images, labels in ((evidence.images, evidence.labels), evidence.validation or (None, None)):
        if images is not None and labels is not None and evidence.refuses_chance:
            known = graph.name, answers_of, images, labels
            plausibility.check_input(*known, graph.input_range, graph.candidate_ranges)


def _check_answers(
    outputs: np.ndarray, images: np.ndarray, labels: np.ndarray, graph: Graph, evidence: Evidence
) -> None:
    if evidence.refuses_chance:
        plausibility.check_accuracy(outputs, labels, graph, evidence.class_names, of_codes=images.dtype == np.int8)


def _codes(graph: Graph, images: np.ndarray | None) -> np.ndarray:
    if images is None:
        shape = graph.input_shape
        generated = generated_images(shape, defaults.LEAST_IMAGES)
        if not graph.has_unit_input:  # the input is not pixels: use the full range of codes
            generated = (generated ^ np.uint8(0x80)).view(np.int8)
        return interpreters.quantize_input(generated, graph)
    _check_images(images, graph)
    if len(images) < defaults.LEAST_IMAGES:
        raise UserError(
            f"{len(images)} images, at least {defaults.LEAST_IMAGES} needed: give more, or none to use generated images"
        )
    codes = interpreters.quantize_input(images, graph)
    plausibility.check_codes(images, codes, graph)
    return codes


def _check_images(images: np.ndarray, graph: Graph) -> None:
    shape = graph.input_shape
    if images.dtype not in (np.uint8, np.int8) or images.shape[1:] != shape:
        expected = ", ".join(map(str, ("N", *shape)))
        raise UserError(f"images are {images.dtype} {list(images.shape)}, uint8 [{expected}] expected: resize them")


def _keras_parity(keras_model: Any, model: Model, codes: np.ndarray, outputs: np.ndarray) -> KerasParity | None:
    if keras_model is None:
        return None
    if not convert.is_quantization_aware(keras_model):
        raise UserError(
            f"Keras model {keras_model.name!r} is not quantization-aware, so its outputs are not comparable step by "
            "step: give the quantization-aware model, or none"
        )
    return check_keras(keras_model, model, codes, outputs)


def _abstention(
    model: Model, evidence: Evidence, predictions: np.ndarray | None, codes: np.ndarray, outputs: np.ndarray
) -> Abstention:
    if evidence.validation is None or predictions is None:
        return abstention.NO_ABSTENTION if model.graph.is_classifier else abstention.NO_CLASSIFIER
    difference = abstention.largest_difference(interpreters.predict_int8(model, codes), outputs)
    return abstention.choose(predictions, evidence.validation[1], evidence.error_rate, difference)


def _drift(model: Model, evidence: Evidence, predictions: np.ndarray | None) -> Drift:
    if evidence.validation is None or predictions is None:
        return drift.NO_MONITOR
    images, labels = evidence.validation
    fed = interpreters.firmware_input(interpreters.quantize_input(images, model.graph), model.graph)
    return drift.choose(fed, predictions, labels, evidence.drift_window, evidence.false_alarm_rate)
