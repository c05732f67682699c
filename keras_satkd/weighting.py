"""Weighting rules: teacher logits → weights of the teachers. Pure functions, by name in `registry.WEIGHTING_RULES`.

`B` images, `T` teachers, `C` classes. No gradient flows through any weight.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import tensorflow as tf

from firmware_export.common.errors import UserError
from keras_satkd.config import WeightingConfig
from keras_satkd.registry import WEIGHTING_RULES

PAPER_CASES = ("floor", "both_unsure", "first_unsure", "second_unsure", "both_sure")
"""The rows of the paper's table, in the order in which they are checked."""


class Weights(NamedTuple):
    """The result of a rule.

    Attributes:
        teachers: `w`, float32 [B, T].
        share: `s`, float32 [B] in [0, 1]: the teachers' part of the loss.
        case: int32 [B], the position in `PAPER_CASES` of the case that applied; None for rules without cases.
    """

    teachers: tf.Tensor
    share: tf.Tensor
    case: tf.Tensor | None = None


Rule = Callable[[tf.Tensor], Weights]


def confidence(teacher_logits: tf.Tensor, temperatures: float | Sequence[float]) -> tf.Tensor:
    """`C_bt = max_c softmax(T_bt / τ_t)_c`: float32 [B, T, C] logits → [B, T] in [1/C, 1].

    Args:
        teacher_logits: float32 [B, T, C].
        temperatures: τ, one for all teachers or one per teacher.
    """
    scaled = tf.stop_gradient(teacher_logits) / tf.reshape(tf.constant(temperatures, tf.float32), (1, -1, 1))
    return tf.reduce_max(tf.nn.softmax(scaled), axis=-1)


def paper(confidences: tf.Tensor, threshold: float, floor: float, minimum: float) -> Weights:
    """The paper's Algorithm 1 for confidences `C1`, `C2`, with threshold δ and minimum w_min. The first match applies.

    - C1 < floor and C2 < floor: α = β = 0
    - C1 < δ and C2 < δ: α = max(0.5 − (δ − C1), w_min), β = max(0.5 − (δ − C2), w_min)
    - C1 < δ: α = 0.3, β = 0.7
    - C2 < δ: α = 0.7, β = 0.3
    - else: α = β = 0.5

    `s = (α + β)/2`.

    Args:
        confidences: float32 [B, 2]; for the batch rule, the same row B times.
        threshold: δ.
        floor: if both confidences are below it, no teacher counts.
        minimum: w_min.
    """
    first_unsure, second_unsure = tf.unstack(confidences < threshold, axis=1)
    case = tf.where(
        tf.reduce_all(confidences < floor, axis=1),
        0,
        tf.where(first_unsure & second_unsure, 1, tf.where(first_unsure, 2, tf.where(second_unsure, 3, 4))),
    )
    fixed = tf.gather(tf.constant([[0.0, 0.0], [0.0, 0.0], [0.3, 0.7], [0.7, 0.3], [0.5, 0.5]]), case)
    unsure = tf.maximum(0.5 - (threshold - confidences), minimum)
    weights = tf.where((case == 1)[:, tf.newaxis], unsure, fixed)
    return Weights(weights, tf.reduce_mean(weights, axis=1), case)


def _paper_rule(config: WeightingConfig, teachers: int, temperature: float, over_batch: bool) -> Rule:
    if teachers != 2:
        raise UserError(f"weighting rule {config.rule!r} is for two teachers, not {teachers}: use 'confidence'")

    def weigh(teacher_logits: tf.Tensor) -> Weights:
        confidences = confidence(teacher_logits, temperature)
        if over_batch:
            mean = _over_devices(tf.reduce_mean(confidences, axis=0, keepdims=True))
            confidences = tf.broadcast_to(mean, tf.shape(confidences))
        return paper(confidences, config.confidence_threshold, config.confidence_floor, config.minimum_weight)

    return weigh


def _over_devices(mean: tf.Tensor) -> tf.Tensor:
    """The mean over the whole batch, of which each device of a `tf.distribute` strategy sees an equal part."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return mean
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, mean)


def _proportional(scores: tf.Tensor, share: float) -> Weights:
    """`w_t = score_t / Σ score`; equal weights if every score is 0."""
    total = tf.reduce_sum(scores, axis=1, keepdims=True)
    equal = tf.ones_like(scores) / tf.cast(tf.shape(scores)[1], tf.float32)
    return Weights(tf.where(total > 0, tf.math.divide_no_nan(scores, total), equal), share * tf.ones_like(scores[:, 0]))


def certainty(teacher_logits: tf.Tensor, temperatures: float | Sequence[float]) -> tf.Tensor:
    """`1 − H(P_bt)/log C` with `H(P) = −Σ_c P(c) log P(c)`: float32 [B, T, C] logits → [B, T] in [0, 1]."""
    scaled = tf.stop_gradient(teacher_logits) / tf.reshape(tf.constant(temperatures, tf.float32), (1, -1, 1))
    log_probabilities = tf.nn.log_softmax(scaled)
    entropy = -tf.reduce_sum(tf.exp(log_probabilities) * log_probabilities, axis=-1)
    classes = tf.cast(tf.shape(teacher_logits)[-1], tf.float32)
    return tf.clip_by_value(1.0 - entropy / tf.math.log(classes), 0.0, 1.0)


def _constant(weights: Sequence[float], share: float) -> Rule:
    total = sum(weights)
    row = tf.constant([[weight / total for weight in weights]], tf.float32)

    def weigh(teacher_logits: tf.Tensor) -> Weights:
        images = tf.shape(teacher_logits)[0]
        return Weights(tf.repeat(row, images, axis=0), tf.fill([images], share))

    return weigh


def _static(config: WeightingConfig, teachers: int) -> Rule:
    weights = config.static_weights or (1.0,) * teachers
    if len(weights) != teachers or not sum(weights):
        raise UserError(f"weighting.static_weights is {weights}: give {teachers} numbers, not all of them 0")
    return _constant(weights, config.distillation_share)


def _single(config: WeightingConfig, teachers: int) -> Rule:
    if config.single_teacher >= teachers:
        raise UserError(
            f"weighting.single_teacher is {config.single_teacher}: there are {teachers} teachers, numbered from 0"
        )
    weights = [float(teacher == config.single_teacher) for teacher in range(teachers)]
    return _constant(weights, config.distillation_share)


Maker = Callable[[WeightingConfig, int, float, Sequence[float]], Rule]
"""Settings, number of teachers, temperature of the loss, and calibration (one temperature per teacher) → rule."""


@dataclass(frozen=True)
class RuleType:
    """A type of rule.

    Attributes:
        make: makes the rule for the teachers of a training.
        has_cases: whether its `Weights` have a `case`.
        uses_teachers: whether the teachers affect the loss.
    """

    make: Maker
    has_cases: bool = False
    uses_teachers: bool = True


PAPER_BATCH = RuleType(
    lambda config, teachers, temperature, _: _paper_rule(config, teachers, temperature, True), has_cases=True
)
PAPER_SAMPLE = RuleType(
    lambda config, teachers, temperature, _: _paper_rule(config, teachers, temperature, False), has_cases=True
)
CONFIDENCE = RuleType(
    lambda config, _, __, calibration: (
        lambda logits: _proportional(confidence(logits, calibration), config.distillation_share)
    )
)
ENTROPY = RuleType(
    lambda config, _, __, calibration: (
        lambda logits: _proportional(certainty(logits, calibration), config.distillation_share)
    )
)
STATIC = RuleType(lambda config, teachers, _, __: _static(config, teachers))
SINGLE = RuleType(lambda config, teachers, _, __: _single(config, teachers))
NONE = RuleType(lambda _, teachers, __, ___: _constant((1.0,) * teachers, share=0.0), uses_teachers=False)


def rule_type(given: str | RuleType | Maker) -> RuleType:
    """A type of rule.

    Args:
        given: a name or reference (`registry`), a `RuleType`, or a function that is a `RuleType.make`.

    Raises:
        UserError: the name is unknown, or its object is no rule.
    """
    found: Any = WEIGHTING_RULES.load(given) if isinstance(given, str) else given
    if isinstance(found, RuleType):
        return found
    if not callable(found):
        raise UserError(f"weighting rule {given!r} is a {type(found).__name__}: give a function, or a RuleType")
    return RuleType(found)


def make_rule(
    config: WeightingConfig,
    teachers: int,
    temperature: float,
    calibration: Sequence[float] = (),
    own: RuleType | None = None,
) -> Rule:
    """The rule that `config` names.

    Args:
        config: rule and thresholds.
        teachers: number of teachers.
        temperature: τ of the loss; the paper's rules also use it for the confidences.
        calibration: one temperature per teacher, fitted on validation data, for `confidence` and `entropy`; 1 if empty.
        own: a rule in place of the one that `config` names.

    Returns:
        A function float32 [B, T, C] teacher logits → `Weights`.

    Raises:
        UserError: the rule is unknown, or its settings do not fit the number of teachers.
    """
    found = own or rule_type(config.rule)
    return found.make(config, teachers, temperature, tuple(calibration) or (1.0,) * teachers)
