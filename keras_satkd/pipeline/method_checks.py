"""Checks of loss, weighting rule, schedule of teachers and augmentation, before anything is trained.

A user's own extension is called once, on blank images, so that a mistake in it is told in one line.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from firmware_export.common.errors import UserError
from keras_satkd import teacher_schedules
from keras_satkd.config import Config, DistillationConfig
from keras_satkd.config_io import own_extensions
from keras_satkd.data import augment
from keras_satkd.losses import Loss, Seen, as_loss
from keras_satkd.method import observers
from keras_satkd.models.teacher import AnyTeacher
from keras_satkd.weighting import Weights, make_rule, rule_type

TRIED = 2
"""Images of a trial."""


def check(config: Config, student: tf_keras.Model, teachers: int, *, lowers: bool = False) -> None:
    """Check the method of a run.

    Args:
        config: settings of the run.
        student: float32 [B, S, S, N] → logits [B, C].
        teachers: T, at least 1.
        lowers: whether the trainings are written as programs.

    Raises:
        UserError: a setting does not fit the loss, or an extension fails or gives something else than it must.
    """
    _check_augmentations(config, student.input_shape)
    distillation, own = config.distillation, own_extensions(config)
    if not rule_type(distillation.weighting.rule).uses_teachers and distillation.rounds == 1:
        return
    loss, factors = as_loss(distillation.loss)
    _check_needs(loss, config, student)
    logits = np.zeros((TRIED, teachers, student.output_shape[-1]), np.float32)
    if "distillation.loss.name" in own:
        name = f"loss {distillation.loss.name!r}"
        distances = _tried(name, lambda: loss.compute(_blank(loss, factors, distillation, logits, student)))
        _check_shape(name, distances, (TRIED, teachers))
    if "distillation.weighting.rule" in own:
        name = f"weighting rule {distillation.weighting.rule!r}"
        rule = _tried(name, lambda: make_rule(distillation.weighting, teachers, distillation.temperature))
        weights = _tried(name, lambda: Weights(*rule(tf.constant(logits))))
        _check_shape(f"{name}, weights", weights.teachers, (TRIED, teachers))
        _check_shape(f"{name}, share", weights.share, (TRIED,))
    schedule = distillation.teacher_schedule
    accuracies = tuple(np.linspace(0.5, 1, teachers))
    heard = _tried(
        f"teacher schedule {schedule!r}",
        lambda: teacher_schedules.factors(schedule, max(1, distillation.epochs), accuracies),
    )
    if lowers and heard is not None:
        raise UserError(f"teacher schedule {schedule!r} cannot be lowered: use 'all', or train here")


def check_teacher(teacher: AnyTeacher, distillation: DistillationConfig) -> None:
    """Check that a trained teacher shows what the loss needs.

    Raises:
        UserError: it does not.
    """
    observers.check([teacher], as_loss(distillation.loss)[0].needs, distillation.loss.name)


def _check_needs(loss: Loss, config: Config, student: tf_keras.Model) -> None:
    if loss.needs == "logits":
        return
    name = config.distillation.loss.name
    if config.distillation.teacher_logits != "in-loop":
        raise UserError(
            f"loss {name!r} needs {loss.needs} of the teachers, and only logits are stored: use "
            f"--distillation.teacher-logits in-loop, or {observers.WITHOUT}"
        )
    if loss.needs == "gradients" and config.quantization.epochs:
        raise UserError(
            f"loss {name!r} needs gradients of gradients, which end at fake quantization: use "
            "--quantization.epochs 0, which quantizes after training"
        )
    if loss.needs == "features":
        try:
            observers.last_map(student)
        except ValueError as error:
            raise UserError(f"loss {name!r}: student {error}") from None


def _check_augmentations(config: Config, shape: Sequence[int]) -> None:
    for group, policy in (
        ("distillation", config.distillation.augmentation),
        ("teachers", config.teachers.augmentation),
        ("teachers.fixmatch", config.teachers.fixmatch.strong),
    ):
        setting = f"{group}.strong" if group.endswith("fixmatch") else f"{group}.augmentation"
        if setting not in own_extensions(config):
            continue
        images = tf.zeros((TRIED, *shape[1:]), tf.uint8)
        view = partial(augment.augment, images, tf.zeros((TRIED, augment.DRAWS)), policy)
        views = _tried(f"augmentation {policy!r}", view)
        _check_shape(f"augmentation {policy!r}", views, tuple(images.shape), tf.uint8)


def _blank(
    loss: Loss, factors: tuple[float, ...], settings: DistillationConfig, logits: np.ndarray, student: tf_keras.Model
) -> Seen:
    """What a loss sees of blank images."""
    images, teachers, classes = logits.shape
    side, channels = 4, 8
    features, gradient = tf.zeros((images, side, side, channels)), tf.zeros((images, *student.input_shape[1:]))
    return Seen(
        tf.one_hot(tf.zeros(images, tf.int32), classes),
        tf.constant(logits[:, 0]),
        tf.constant(logits),
        settings.temperature,
        factors,
        features if loss.needs == "features" else None,
        (features,) * teachers if loss.needs == "features" else (),
        gradient if loss.needs == "gradients" else None,
        tf.stack([gradient] * teachers, axis=1) if loss.needs == "gradients" else None,
        () if loss.critic is None else tuple(loss.critic(channels, channels) for _ in range(teachers)),
    )


def _tried(what: str, work: Callable[[], Any]) -> Any:
    try:
        return work()
    except UserError:
        raise
    except Exception as error:  # the extension is the user's, and may raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{what} fails on {TRIED} blank images ({reason[:200]}): correct it") from error


def _check_shape(what: str, found: Any, shape: tuple[int, ...], dtype: tf.DType = tf.float32) -> None:
    if not isinstance(found, tf.Tensor):
        described = type(found).__name__
    elif (tuple(found.shape), found.dtype) == (shape, dtype):
        return
    else:
        described = f"{found.dtype.name} {list(found.shape)}"
    raise UserError(f"{what} gives {described} for {TRIED} images: give a tensor, {dtype.name} {list(shape)}")
