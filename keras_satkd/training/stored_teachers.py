"""Teachers whose logits are in a file: which logits belong to which view, and the settings that they allow."""

from collections.abc import Sequence

import numpy as np

from firmware_export.common.errors import UserError
from keras_satkd.config import CameraConfig, DistillationConfig, TeachersConfig
from keras_satkd.models.stored_logits import DIHEDRAL_VIEWS, StoredLogits
from keras_satkd.models.teacher import AnyTeacher

CAN_FOLLOW = ("dihedral", "none")
"""Augmentations whose views are among the eight dihedral ones."""


def have_views(teachers: Sequence[AnyTeacher], policy: str, views: int) -> bool:
    """Whether the student sees the eight dihedral views in order, because a file has the logits of each."""
    is_asked_for = policy == "dihedral" and views == DIHEDRAL_VIEWS
    return is_asked_for and any(isinstance(teacher, StoredLogits) and teacher.views > 1 for teacher in teachers)


def logits_of_views(teacher: StoredLogits, files: Sequence[str], policy: str, is_dihedral: bool) -> np.ndarray:
    """Logits of a file for the views of images.

    Args:
        teacher: the file.
        files: names of N images.
        policy: augmentation of the views.
        is_dihedral: whether they are the eight dihedral ones in order.

    Returns:
        float32 [N, 8, C] for the dihedral views; otherwise [N, 1, C] for every view of an image: those of the image
        itself without augmentation, the mean of those in the file with it.
    """
    logits = teacher.of(files)
    if policy == "none":
        return logits[:, :1]
    return logits if is_dihedral else logits.mean(axis=1, keepdims=True)


def check(
    teacher: AnyTeacher,
    files: Sequence[str],
    loss: DistillationConfig,
    training: DistillationConfig | TeachersConfig,
    camera: CameraConfig,
) -> None:
    """Check that a file of logits fits the images and the settings. A teacher that is run passes.

    Args:
        teacher: any teacher.
        files: names of all images of the data set.
        loss: which logits are used, and of how many views.
        training: augmentation and mixing of the training images.
        camera: the camera that disturbs the images.

    Raises:
        UserError: an image is missing in the file or in the data, or the settings ask for logits of views that the file
            cannot have.
    """
    if not isinstance(teacher, StoredLogits):
        return
    teacher.check_images(files)
    what = f"teacher {teacher.name} has logits of fixed images"
    if loss.teacher_logits == "in-loop":
        raise UserError(f"{what}, and in-loop runs teachers: use --distillation.teacher-logits precomputed or averaged")
    group = "distillation" if isinstance(training, DistillationConfig) else "teachers"
    if training.mixing.method != "none":
        raise UserError(f"{what}, not of mixes of two images: use --{group}.mixing.method none")
    if camera.sensor is not None and camera.teachers_see == "disturbed":
        raise UserError(f"{what}, not of views behind the camera: use --camera.teachers-see clean")
    if teacher.views == 1 or loss.teacher_logits == "averaged":
        return
    if training.augmentation not in CAN_FOLLOW:
        raise UserError(
            f"teacher {teacher.name} has logits of the {DIHEDRAL_VIEWS} dihedral views, not of those of "
            f"--{group}.augmentation {training.augmentation}: use dihedral, or --distillation.teacher-logits averaged"
        )
    if loss.views != DIHEDRAL_VIEWS:
        raise UserError(
            f"teacher {teacher.name} has logits of {DIHEDRAL_VIEWS} views, and --distillation.views is {loss.views}: "
            f"use {DIHEDRAL_VIEWS}"
        )


def check_can_label(teachers: Sequence[AnyTeacher | None]) -> None:
    """Check that teachers can label images.

    Raises:
        UserError: there are none, or one is a file of logits, which lacks those of the unlabelled images.
    """
    if not teachers:
        raise UserError(
            "--data.unlabelled needs teachers, which label its images, and --distillation.weighting.rule none has "
            "none: choose another rule"
        )
    for teacher in teachers:
        if isinstance(teacher, StoredLogits):
            raise UserError(
                f"teacher {teacher.name} is a file of logits and cannot label the images of --data.unlabelled: give "
                "its model"
            )
