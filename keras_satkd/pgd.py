"""Projected gradient descent, PGD: the attack that adversarial training and robust accuracy use.

Source: Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks" (ICLR 2018, arXiv 1706.06083).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from firmware_export.common.errors import UserError
from keras_satkd.losses.ground_truth import ground_truth_loss

EVALUATION_STEPS = 20
"""Steps of the attack that measures robust accuracy, unless others are asked for."""

LEVELS = 255.0

_BATCH = 100


@dataclass(frozen=True)
class Attack:
    """An attack in the maximum norm. Images are real numbers in 0..255: a pixel may end between two levels.

    Attributes:
        epsilon: ε > 0, the largest change of a pixel, in levels of 255.
        steps: K ≥ 1.
        step_size: a > 0, the change of a pixel in a step, in levels of 255.
    """

    epsilon: float
    steps: int
    step_size: float


def attack_of(epsilon: float, steps: int, step_size: float | None = None) -> Attack:
    """An attack; its step size is 2.5 · ε / K if none is given, so that it reaches the border from anywhere.

    Raises:
        UserError: a number is out of its range.
    """
    size = 2.5 * epsilon / max(1, steps) if step_size is None else step_size
    if not (0 < epsilon <= LEVELS and size > 0 and np.isfinite(size)):
        raise UserError(f"PGD of {epsilon:g} levels in steps of {size:g}: give above 0 to 255, and steps above 0")
    if steps < 1:
        raise UserError(f"PGD has {steps} steps: give 1 or more")
    return Attack(epsilon, steps, size)


def perturbed(
    logits_of: Callable[[tf.Tensor], tf.Tensor], images: tf.Tensor, labels: tf.Tensor, attack: Attack, seed: tf.Tensor
) -> tf.Tensor:
    """Images near the given ones that raise the cross-entropy.

    `x_0 = clip(x + U(−ε, ε))`, `x_{k+1} = clip(x_k + a · sign ∇ CE(y, f(x_k)))`; `clip` keeps every pixel within ε of
    x and within 0..255.

    Args:
        logits_of: `f`, float32 [B, H, W, N] in 0..255 → logits [B, C], in inference mode.
        images: `x`, [B, H, W, N] in 0..255 of any numeric type.
        labels: `y`, float32 [B, C].
        attack: ε, K, and a.
        seed: int64 [2], of the first images.

    Returns:
        float32 [B, H, W, N]; no gradient flows into it.
    """
    images = tf.cast(images, tf.float32)
    least, most = tf.maximum(images - attack.epsilon, 0.0), tf.minimum(images + attack.epsilon, LEVELS)

    def step(count: tf.Tensor, given: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(given)
            losses = ground_truth_loss(labels, tf.cast(logits_of(given), tf.float32))
        up = tf.sign(tf.convert_to_tensor(tape.gradient(losses, given)))
        return count + 1, tf.clip_by_value(given + attack.step_size * up, least, most)

    start = images + tf.random.stateless_uniform(tf.shape(images), seed, -attack.epsilon, attack.epsilon)
    first = tf.constant(0), tf.clip_by_value(start, least, most)
    _, found = tf.while_loop(lambda count, _: count < attack.steps, step, first)
    return tf.stop_gradient(found)


def robust_accuracy(
    logits_of: Callable[[tf.Tensor], tf.Tensor], images: np.ndarray, labels: np.ndarray, attack: Attack
) -> float:
    """Share of images that a network classifies correctly after the attack, in [0, 1].

    Args:
        logits_of: float32 [B, H, W, N] in 0..255 → logits [B, C], in inference mode, with gradients.
        images: uint8 [M, H, W, N], M ≥ 1.
        labels: int [M].
        attack: its strength. The first images depend on their place alone, so the result can be repeated.
    """

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def correct(chosen: tf.Tensor, true: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        classes = tf.shape(logits_of(tf.cast(chosen[:1], tf.float32)))[-1]
        others = perturbed(logits_of, chosen, tf.one_hot(true, classes), attack, seed)
        return tf.argmax(logits_of(others), axis=-1, output_type=tf.int64) == true

    found = []
    for at in tqdm(range(0, len(images), _BATCH), "PGD", leave=False, disable=None):
        part = slice(at, at + _BATCH)
        seed = tf.constant([0, at], tf.int64)
        found.append(correct(tf.constant(images[part]), tf.constant(labels[part], tf.int64), seed).numpy())
    return float(np.concatenate(found).mean())


def table(found: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of the accuracy after an attack, in percent.

    Args:
        found: `epsilon`, `steps`, `step_size`, and `accuracy` in [0, 1].
    """
    headings = ["under PGD", "levels of 255", "steps", "levels a step", "accuracy %"]
    numbers = [f"{found['epsilon']:g}", str(found["steps"]), f"{found['step_size']:g}"]
    return headings, [["", *numbers, f"{100 * found['accuracy']:.2f}"]]
