"""The paper's rule against values worked out by hand, and the properties that every rule must have."""

import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_export.common.errors import UserError
from keras_satkd.config import WeightingConfig
from keras_satkd.registry import WEIGHTING_RULES
from keras_satkd.weighting import PAPER_CASES, RuleType, Weights, certainty, confidence, make_rule, paper, rule_type

# (C1, C2) → case, α, β with δ = 0.6, floor = 0.4, w_min = 0.1.
HAND_WORKED = [
    ((0.39, 0.39), "floor", 0.0, 0.0),
    ((0.10, 0.25), "floor", 0.0, 0.0),
    ((0.39, 0.50), "both_unsure", 0.29, 0.40),  # 0.5 − (0.6 − 0.39), 0.5 − (0.6 − 0.5)
    ((0.40, 0.40), "both_unsure", 0.30, 0.30),  # the floor itself is not below the floor
    ((0.15, 0.45), "both_unsure", 0.10, 0.35),  # 0.05 is lifted to w_min
    ((0.59, 0.60), "first_unsure", 0.3, 0.7),  # δ itself is not below δ
    ((0.20, 0.90), "first_unsure", 0.3, 0.7),
    ((0.60, 0.59), "second_unsure", 0.7, 0.3),
    ((0.90, 0.39), "second_unsure", 0.7, 0.3),
    ((0.60, 0.60), "both_sure", 0.5, 0.5),
    ((0.99, 0.61), "both_sure", 0.5, 0.5),
]


@pytest.mark.parametrize(("confidences", "case", "alpha", "beta"), HAND_WORKED)
def test_paper_cases_by_hand(confidences, case, alpha, beta):
    weights = paper(np.array([confidences], np.float32), threshold=0.6, floor=0.4, minimum=0.1)
    assert PAPER_CASES[int(weights.case[0])] == case
    np.testing.assert_allclose(weights.teachers[0], [alpha, beta], atol=1e-6)
    np.testing.assert_allclose(weights.share[0], (alpha + beta) / 2, atol=1e-6)


def logits_with_confidence(value: float, temperature: float, classes: int = 10) -> np.ndarray:
    """One logit above equal others, so that softmax at `temperature` peaks at `value`."""
    lead = temperature * math.log(value * (classes - 1) / (1 - value))
    return np.array([lead] + [0.0] * (classes - 1), np.float32)


def batch(*pairs: tuple[float, float], temperature: float = 5.0) -> np.ndarray:
    return np.array([[logits_with_confidence(value, temperature) for value in pair] for pair in pairs], np.float32)


def rule(name: str, teachers: int = 2, calibration=(), **settings):
    return make_rule(WeightingConfig(rule=name, **settings), teachers, temperature=5.0, calibration=calibration)


def test_confidence_at_temperature_five_is_brittle():
    # At τ = 5 with ten classes the lead must be 8.96 for 0.4 and 13.01 for 0.6.
    lead = np.array([[[8.96] + [0.0] * 9, [13.01] + [0.0] * 9]], np.float32)
    np.testing.assert_allclose(confidence(lead, 5.0), [[0.4, 0.6]], atol=1e-3)


def test_batch_rule_decides_on_the_mean_and_sample_rule_on_each():
    logits = batch((0.9, 0.7), (0.2, 0.7))  # means 0.55 and 0.7
    over_batch = rule("paper-batch")(logits)
    np.testing.assert_allclose(over_batch.teachers, [[0.3, 0.7], [0.3, 0.7]], atol=1e-6)
    per_sample = rule("paper-sample")(logits)
    np.testing.assert_allclose(per_sample.teachers, [[0.5, 0.5], [0.3, 0.7]], atol=1e-6)


@given(st.tuples(st.floats(0.11, 0.99), st.floats(0.11, 0.99)))
@settings(max_examples=30, deadline=None)
def test_batch_and_sample_rules_agree_at_batch_size_one(pair):
    logits = batch(pair)
    for one, other in zip(rule("paper-batch")(logits), rule("paper-sample")(logits), strict=True):
        np.testing.assert_array_equal(one, other)


def test_thresholds_are_parameters():
    logits = batch((0.5, 0.5))
    np.testing.assert_allclose(rule("paper-sample", confidence_threshold=0.5)(logits).teachers, [[0.5, 0.5]])
    np.testing.assert_allclose(rule("paper-sample", confidence_floor=0.55)(logits).teachers, [[0.0, 0.0]])
    np.testing.assert_allclose(
        rule("paper-sample", confidence_threshold=0.99, minimum_weight=0.2)(logits).teachers, [[0.2, 0.2]], atol=1e-6
    )


def test_confidence_rule_is_proportional_and_calibrated():
    logits = batch((0.9, 0.3), temperature=1.0)
    weights = rule("confidence")(logits)
    np.testing.assert_allclose(weights.teachers, [[0.75, 0.25]], atol=1e-5)
    np.testing.assert_allclose(weights.share, [0.5])
    # A temperature of 3 on logits made for it gives the same confidence back.
    stretched = np.stack([logits[:, 0], batch((0.9, 0.3), temperature=3.0)[:, 1]], axis=1)
    np.testing.assert_allclose(
        rule("confidence", calibration=(1.0, 3.0))(stretched).teachers, [[0.75, 0.25]], atol=1e-5
    )


def test_entropy_rule_by_hand():
    sure, unsure = np.array([50.0, 0.0], np.float32), np.array([0.0, 0.0], np.float32)
    np.testing.assert_allclose(certainty(np.array([[sure, unsure]]), 1.0), [[1.0, 0.0]], atol=1e-6)
    np.testing.assert_allclose(rule("entropy")(np.array([[sure, unsure]])).teachers, [[1.0, 0.0]], atol=1e-6)
    # Nobody knows anything: equal weights instead of 0/0.
    np.testing.assert_allclose(rule("entropy")(np.array([[unsure, unsure]])).teachers, [[0.5, 0.5]], atol=1e-6)


def test_static_and_single():
    logits = batch((0.9, 0.3), (0.5, 0.5))
    np.testing.assert_allclose(rule("static", static_weights=(3.0, 1.0))(logits).teachers, [[0.75, 0.25]] * 2)
    np.testing.assert_allclose(rule("static")(logits).teachers, [[0.5, 0.5]] * 2)
    np.testing.assert_allclose(rule("single", single_teacher=1)(logits).teachers, [[0.0, 1.0]] * 2)


@given(st.integers(1, 4), st.integers(2, 12), st.integers(0, 2**31), st.floats(0.1, 20))
@settings(max_examples=40, deadline=None)
def test_other_rules_share_one_among_any_number_of_teachers(teachers, classes, seed, spread):
    logits = np.random.default_rng(seed).normal(0, spread, (3, teachers, classes)).astype(np.float32)
    for name in set(WEIGHTING_RULES.names()) - {"paper-batch", "paper-sample", "none"}:
        weights = rule(name, teachers, distillation_share=0.4)(logits)
        np.testing.assert_allclose(np.sum(weights.teachers, axis=1), 1.0, atol=1e-5)
        np.testing.assert_allclose(weights.share, 0.4, atol=1e-6)
        assert np.min(weights.teachers) >= 0


def test_no_rule_leaves_the_ground_truth_alone():
    np.testing.assert_array_equal(rule("none")(batch((0.9, 0.3), (0.5, 0.5))).share, [0.0, 0.0])


@pytest.mark.parametrize(
    ("name", "teachers", "settings", "said"),
    [
        ("paper-batch", 3, {}, "two teachers, not 3"),
        ("paper-sample", 1, {}, "two teachers, not 1"),
        ("static", 2, {"static_weights": (1.0,)}, "2 numbers"),
        ("static", 2, {"static_weights": (0.0, 0.0)}, "not all of them 0"),
        ("single", 2, {"single_teacher": 2}, "there are 2 teachers"),
        ("papr-batch", 2, {}, "did you mean 'paper-batch'"),
    ],
)
def test_settings_that_do_not_fit(name, teachers, settings, said):
    with pytest.raises(UserError, match=said):
        rule(name, teachers, **settings)


def first_alone(config, teachers, temperature, calibration):
    """A rule of a user."""
    row = tf.one_hot([0], teachers)
    return lambda logits: Weights(
        tf.repeat(row, len(logits), axis=0), tf.fill([len(logits)], config.distillation_share)
    )


def test_a_rule_of_a_user():
    assert rule_type(first_alone) == RuleType(first_alone)
    assert rule_type("paper-batch").has_cases
    assert not rule_type("none").uses_teachers
    config = WeightingConfig(distillation_share=0.3)
    weights = make_rule(config, 2, 5.0, own=rule_type(first_alone))(np.zeros((3, 2, 4), np.float32))
    np.testing.assert_array_equal(weights.teachers, [[1, 0]] * 3)
    np.testing.assert_allclose(weights.share, [0.3] * 3)
    with pytest.raises(UserError, match="is a float: give a function, or a RuleType"):
        rule_type(3.0)
