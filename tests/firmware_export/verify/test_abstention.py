import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from firmware_export.verify.abstention import (
    CONFIDENCE,
    choose,
    choose_threshold,
    largest_difference,
    risk_coverage,
    top_margins,
)


def made(images: int, seed: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Outputs whose class is right the more often the larger their margin."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 10, images)
    outputs = random.normal(0, noise, (images, 10))
    outputs[np.arange(images), labels] += 60
    return np.clip(outputs, -128, 127).round().astype(np.int8), labels


def test_margin_is_the_lead_in_codes_without_overflow():
    outputs = np.array([[-128, 127, 126], [5, 5, -3], [-128, -128, 127]], np.int8)
    np.testing.assert_array_equal(top_margins(outputs), [1, 0, 255])


def test_curve_by_hand():
    outputs = np.array([[10, 0], [0, 10], [30, 0], [0, 50]], np.int8)
    curve = risk_coverage(outputs, np.array([1, 1, 0, 1]))
    np.testing.assert_array_equal(curve.thresholds, [10, 30, 50])
    np.testing.assert_allclose(curve.coverage, [1.0, 0.5, 0.25])
    np.testing.assert_allclose(curve.risk, [0.25, 0.0, 0.0])
    # Without an error among n answers the bound is 1 − (1 − confidence)^(1/n).
    np.testing.assert_allclose(curve.risk_bound[1:], [1 - 0.05**0.5, 1 - 0.05])


def test_all_wrong_is_bounded_by_one():
    curve = risk_coverage(np.array([[9, 0], [8, 0]], np.int8), np.array([1, 1]))
    np.testing.assert_array_equal(curve.risk_bound, [1.0, 1.0])


@hypothesis.given(st.integers(1, 400), st.integers(0, 1000), st.floats(5, 60))
@hypothesis.settings(max_examples=50, deadline=None)
def test_curve_is_what_each_margin_does(images, seed, noise):
    outputs, labels = made(images, seed, noise)
    curve = risk_coverage(outputs, labels)
    assert curve.coverage[0] == 1.0
    assert (np.diff(curve.coverage) < 0).all()
    assert (curve.risk <= curve.risk_bound).all()
    at = len(curve.thresholds) // 2
    kept = top_margins(outputs) >= curve.thresholds[at]
    assert curve.coverage[at] == pytest.approx(kept.mean())
    assert curve.risk[at] == pytest.approx((outputs.argmax(axis=1) != labels)[kept].mean())


def test_the_chosen_margin_keeps_its_word_on_other_images():
    given, broken = 0, 0
    for seed in range(40):
        outputs, labels = made(2000, seed, 20)
        margin = choose_threshold(risk_coverage(outputs, labels), 2000, 0.01)
        if margin is None:
            continue
        given += 1
        others, truth = made(20_000, 1000 + seed, 20)
        kept = top_margins(others) >= margin
        broken += (others.argmax(axis=1) != truth)[kept].mean() > 0.01
    assert given >= 30
    assert broken <= 2 * given * (1 - CONFIDENCE)


def test_a_lower_error_rate_answers_less():
    outputs, labels = made(3000, 3, 20)
    curve = risk_coverage(outputs, labels)
    margins = [choose_threshold(curve, 3000, rate) for rate in (0.2, 0.05, 0.01)]
    assert margins == sorted(margins)
    assert margins[0] < margins[-1]


def test_too_few_images_for_any_word():
    outputs, labels = made(50, 0, 5)
    assert choose_threshold(risk_coverage(outputs, labels), 50, 0.001) is None


def test_the_sentence_gives_the_margins_own_figures():
    outputs, labels = made(2000, 7, 20)
    abstention = choose(outputs, labels, 0.01, 2)
    assert abstention.threshold == choose_threshold(abstention.curve, 2000, 0.01)
    kept = top_margins(outputs) >= abstention.threshold
    assert f"{kept.mean():.2%} of the images were answered" in abstention.reason
    assert "margins within 2 codes of TFLM's" in abstention.reason
    assert abstention.accuracy == pytest.approx((outputs.argmax(axis=1) == labels).mean())


def test_where_no_margin_is_known_to_do_every_image_is_answered():
    abstention = choose(*made(50, 0, 5), 0.001, 0)
    assert abstention.threshold == 0
    assert abstention.reason.startswith("No margin gives an error rate of at most 0.001")


def test_difference_between_kernels_is_that_of_margins():
    some = np.array([[10, 0], [5, 5]], np.int8)
    others = np.array([[13, 1], [5, 4]], np.int8)
    assert largest_difference(some, others) == 2
