"""Pseudo-labels: unlabelled images that the teachers are sure of become training images.

With the calibrated probabilities p_t of teacher t, an image x is labelled and kept if

    max_c q_c(x) ≥ confidence,    q(x) = mean over t of p_t(x),    label(x) = argmax_c q_c(x)

Source: Lee, "Pseudo-Label" (ICML workshop, 2013); the threshold as in FixMatch (arXiv 2001.07685).
"""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.special import softmax

from firmware_export.images.image_set import ImageSet
from keras_satkd.data import few_labels
from keras_satkd.data.cache import cache_folder
from keras_satkd.data.splits import hash_order
from keras_satkd.evaluation.calibration import fit_temperature
from keras_satkd.models.teacher import AnyTeacher
from keras_satkd.pipeline.inputs import Inputs
from keras_satkd.run.folder import Run
from keras_satkd.settings.data_config import DataConfig
from keras_satkd.training.view_logits import compute_view_logits

logger = logging.getLogger(__name__)


def added(run: Run, inputs: Inputs, teachers: Sequence[AnyTeacher]) -> Inputs:
    """The inputs with the unlabelled images that the teachers are sure of among the training images.

    Args:
        run: its configuration has the confidence.
        inputs: the labelled images, and the unlabelled ones; without these they are returned as they are.
        teachers: label the images.
    """
    if inputs.unlabelled is None:
        return inputs
    validation, images = inputs.split.validation, inputs.unlabelled
    confidence = run.config.distillation.pseudo_label_confidence
    logits = _logits(run, teachers, validation)
    temperatures = [fit_temperature(of_teacher, validation.labels) for of_teacher in logits]
    labels, is_sure = _labels(logits, temperatures, confidence)
    right = 100 * np.mean(labels[is_sure] == validation.labels[is_sure]) if is_sure.any() else 0.0
    logger.info(
        "pseudo-labels: of the validation images, the teachers are sure of %.1f %%, and right of %.2f %% of these",
        100 * is_sure.mean(),
        right,
    )
    labels, is_sure = _labels(_logits(run, teachers, images), temperatures, confidence)
    kept = replace(images.take(np.flatnonzero(is_sure)), labels=labels[is_sure].astype(np.int32))
    if run.meeting is not None:  # each process asked the teachers, whose logits may differ in their last digits
        found = "".join(f"{file} {label}\n" for file, label in zip(kept.files, kept.labels, strict=True))
        run.meeting.agree(
            {"set of pseudo-labels": hashlib.sha256(found.encode("utf-8", "surrogateescape")).hexdigest()[:16]}
        )
    train = _joined(inputs.split.train, kept, run.config.data.seed)
    found = ", ".join(f"{count} {name}" for name, count in counts(train).items() if count)
    logger.info("pseudo-labels: %d of %d unlabelled images (%s)", len(kept), len(images), found or "none")
    return replace(inputs, split=replace(inputs.split, train=train))


def are_asked_for(settings: DataConfig) -> bool:
    """Whether a run has unlabelled images, if it has teachers."""
    return settings.unlabelled is not None or settings.labels_per_class is not None


def counts(train: ImageSet) -> dict[str, int]:
    """Number of training images that the teachers labelled, by class."""
    is_ours = np.array([file.startswith(f"{few_labels.CLASS}/") for file in train.files])
    found = np.bincount(train.labels[is_ours], minlength=len(train.class_names))
    return dict(zip(train.class_names, found.tolist(), strict=True))


def _labels(logits: np.ndarray, temperatures: Sequence[float], confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Labels, int [N], and whether the teachers are sure of them, bool [N], from logits [T, N, C]."""
    calibrated = logits / np.array(temperatures)[:, None, None]
    probabilities = softmax(calibrated, axis=-1).mean(axis=0)
    return probabilities.argmax(axis=-1), probabilities.max(axis=-1) >= confidence


def _logits(run: Run, teachers: Sequence[AnyTeacher], images: ImageSet) -> np.ndarray:
    """Logits of the images as they are, float32 [T, N, C]."""
    data = run.config.data
    found = compute_view_logits(
        teachers, images.images, policy="none", views=1, seed=data.seed, folder=cache_folder(data.cache_dir) / "views"
    )
    return found.of_first_view().swapaxes(0, 1).astype(np.float32)


def _joined(train: ImageSet, others: ImageSet, seed: int) -> ImageSet:
    """Both sets in hash order, as a split's parts are."""
    joined = ImageSet(
        np.concatenate([train.images, others.images]),
        np.concatenate([train.labels, others.labels]),
        (*train.files, *others.files),
        train.class_names,
        bands=train.bands,
    )
    return joined.take(hash_order(joined.files, seed))
