"""What a distillation loss is: a pure function of what a batch shows of student and teachers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import tensorflow as tf
import tf_keras

from firmware_export.common.errors import UserError
from keras_satkd.config import LossConfig
from keras_satkd.registry import LOSSES

Needs = Literal["logits", "features", "gradients"]


class Seen(NamedTuple):
    """What a loss sees of a batch of B images, with C classes and T teachers.

    Attributes:
        labels: float32 [B, C], one-hot or mixed; each row sums to 1.
        student_logits: float32 [B, C].
        teacher_logits: float32 [B, T, C]; no gradient flows into them.
        temperature: τ > 0.
        factors: of the terms of the loss, as many as `Loss.factors`.
        student_map: float32 [B, h, w, k], the student's last feature map, for losses that need features.
        teacher_maps: T of them, float32 [B, h_t, w_t, k_t]; no gradient flows into them.
        student_gradient: float32 [B, H, W, N], gradient of the cross-entropy with respect to the image, whose range is
            0..1, for losses that need gradients.
        teacher_gradients: float32 [B, T, H, W, N], the teachers'; no gradient flows into them.
        critics: T layers that `Loss.critic` made, or none.
    """

    labels: tf.Tensor
    student_logits: tf.Tensor
    teacher_logits: tf.Tensor
    temperature: float
    factors: tuple[float, ...] = ()
    student_map: tf.Tensor | None = None
    teacher_maps: tuple[tf.Tensor, ...] = ()
    student_gradient: tf.Tensor | None = None
    teacher_gradients: tf.Tensor | None = None
    critics: tuple[tf_keras.layers.Layer, ...] = ()


@dataclass(frozen=True)
class Loss:
    """A distillation loss.

    Attributes:
        compute: `Seen` → the student's distance from each teacher, float32 [B, T].
        needs: `logits`; or also `features` or `gradients`, for which teachers must be Keras models in the training
            step.
        factors: default factors of its terms.
        critic: channels of the student's and of a teacher's map → a Keras layer that is trained with the student, one
            for each teacher; None if it trains nothing else.
        compares_images: whether an image's distance depends on the other images of the batch. Such a batch cannot be
            divided among devices.
    """

    compute: Callable[[Seen], tf.Tensor]
    needs: Needs = "logits"
    factors: tuple[float, ...] = ()
    critic: Callable[[int, int], tf_keras.layers.Layer] | None = None
    compares_images: bool = False


def as_loss(given: str | LossConfig | Loss | Callable[[Seen], tf.Tensor]) -> tuple[Loss, tuple[float, ...]]:
    """A loss, and the factors of its terms.

    Args:
        given: settings, a name or reference (`registry`), a `Loss`, or a function that is a `Loss.compute` of logits.

    Raises:
        UserError: the name is unknown, its object is no loss, or it has another number of factors.
    """
    settings = LossConfig(given) if isinstance(given, str) else given
    found: Any = LOSSES.load(settings.name) if isinstance(settings, LossConfig) else settings
    if not isinstance(found, Loss) and not callable(found):
        raise UserError(f"loss {given!r} is a {type(found).__name__}: give a function, or a keras_satkd.losses.Loss")
    loss = found if isinstance(found, Loss) else Loss(found)
    factors = settings.factors if isinstance(settings, LossConfig) else ()
    if factors and len(factors) != len(loss.factors):
        raise UserError(
            f"distillation.loss.factors has {len(factors)} numbers, and the loss has {len(loss.factors)} terms with a "
            f"factor: give as many, or none for the loss's own {loss.factors}"
        )
    return loss, factors or loss.factors
