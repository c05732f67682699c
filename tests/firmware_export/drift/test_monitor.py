"""The monitor that validation images give: rate of false alarms, drift that it finds, and images that allow none."""

import dataclasses

import numpy as np
import pytest

from firmware_export.common import defaults
from firmware_export.common.errors import UserError
from firmware_export.drift import monitor, statistics
from firmware_export.drift.reference import LIMIT, STEPS

WINDOW = 16


def drawn(count, seed, classes=4, size=8):
    """Images whose brightness and texture depend on their class, and outputs that say which: uint8, int8."""
    random = np.random.default_rng(seed)
    labels = random.integers(classes, size=count)
    bright = 40 + 40 * labels + random.normal(0, 6, count)
    noise = random.normal(0, 1, (count, size, size, 1)) * (2 + 3 * labels)[:, None, None, None]
    colors = bright[:, None, None, None] + noise + random.normal(0, 1, (count, size, size, 3))
    images = np.clip(colors, 0, 255).astype(np.uint8)
    outputs = random.integers(-90, 0, (count, classes)).astype(np.int8)
    outputs[np.arange(count), labels] = random.integers(20, 90, count)
    return images, outputs


def labelled(count, seed):
    """The same with labels, all as predicted."""
    images, outputs = drawn(count, seed)
    return images, outputs, outputs.argmax(axis=1)


@pytest.fixture(scope="module")
def chosen():
    return monitor.choose(*labelled(1500, seed=1), WINDOW, 0.01)


def alarms(chosen, images, outputs, seed=3, of_class=None):
    """Share of windows that raise an alarm."""
    classes = outputs.argmax(axis=1)
    residuals = chosen.monitor.reference.residuals(statistics.of(images, outputs), classes)
    members = np.arange(len(images)) if of_class is None else np.flatnonzero(classes == of_class)
    windows = np.random.default_rng(seed).choice(members, (2000, WINDOW))
    return chosen.monitor.out_of_range(residuals[windows]).any(axis=1).mean()


def test_what_it_says(chosen):
    assert (chosen.images, chosen.false_alarm_rate, chosen.monitor.window) == (1500, 0.01, WINDOW)
    assert "every 16 images with 1500 validation images" in chosen.reason
    assert "false alarms of at most 0.01 in windows" in chosen.reason
    assert "images, mixed or all of one class. 4 of 4 classes" in chosen.reason
    assert chosen.monitor.names == tuple(statistics.meanings(3))


@pytest.mark.parametrize("of_class", [None, 0, 1, 2, 3])
def test_new_images_of_the_same_kind_are_in_range(chosen, of_class):
    assert alarms(chosen, *drawn(4000, seed=2), of_class=of_class) <= 0.02


def test_drift_is_found(chosen):
    images, outputs = drawn(1000, seed=2)
    shifted = np.roll(images[..., :1], 1, axis=1)
    for name, drifted in {
        "offset": np.minimum(images, 235) + 20,
        "dead column": images * (np.arange(8) != 3)[:, None].astype(np.uint8),
        "registration": np.concatenate([shifted, images[..., 1:]], axis=3),
    }.items():
        assert alarms(chosen, drifted, outputs) > 0.95, name
    unsure = (outputs.astype(int) // 3).astype(np.int8)
    assert alarms(chosen, images, unsure) > 0.95


def test_another_mixture_of_classes_is_no_drift(chosen):
    images, outputs = drawn(2000, seed=4)
    few = np.flatnonzero(outputs.argmax(axis=1) < 2)
    assert alarms(chosen, images[few], outputs[few]) <= 0.02


def test_it_is_deterministic(chosen):
    again = monitor.choose(*labelled(1500, seed=1), WINDOW, 0.01)
    for name in ("lower", "upper"):
        np.testing.assert_array_equal(getattr(again.monitor, name), getattr(chosen.monitor, name))


def test_a_lower_rate_gives_wider_bounds(chosen):
    rare = monitor.choose(*labelled(1500, seed=1), WINDOW, 0.001).monitor
    assert (rare.upper >= chosen.monitor.upper).all()
    assert (rare.lower <= chosen.monitor.lower).all()
    assert (rare.upper > chosen.monitor.upper).any()


def test_a_class_that_is_seldom_predicted_shares_the_reference_of_all():
    images, outputs = drawn(600, seed=1)
    seldom = np.flatnonzero(outputs.argmax(axis=1) == 3)[monitor.LEAST_OF_CLASS - 1 :]
    keep = np.setdiff1d(np.arange(600), seldom)
    found = monitor.choose(images[keep], outputs[keep], np.zeros(len(keep), int), WINDOW, 0.05)
    assert "3 of 4 classes" in found.reason
    overall = statistics.of(images[keep], outputs[keep])[:, 0].mean() / found.monitor.reference.divisors[0]
    assert found.monitor.reference.means[3, 0] == pytest.approx(overall, abs=1)


def test_a_model_that_is_often_wrong_gets_wider_bounds(chosen):
    """Windows are of one class as labelled: their images differ from the mean of another class that is predicted."""
    images, outputs, labels = labelled(1500, seed=1)
    wrong = np.random.default_rng(5).random(len(outputs)) < 0.5
    outputs[wrong] = np.random.default_rng(6).permutation(outputs[wrong])
    found = monitor.choose(images, outputs, labels, WINDOW, 0.01)
    assert found.monitor.upper[0] > chosen.monitor.upper[0]
    residuals = found.monitor.reference.residuals(statistics.of(images, outputs), outputs.argmax(axis=1))
    for label in range(4):
        windows = np.random.default_rng(7).choice(np.flatnonzero(labels == label), (1000, WINDOW))
        assert found.monitor.out_of_range(residuals[windows]).any(axis=1).mean() <= 0.02


def test_a_statistic_that_never_varies_leaves_room():
    """No validation image has a dark value. One image with some is no drift; a window of them is."""
    images, outputs = drawn(600, seed=1)
    found = monitor.choose(np.maximum(images, 1), outputs, outputs.argmax(axis=1), WINDOW, 0.01).monitor
    at = found.names.index("dark")
    window = np.zeros((1, WINDOW, len(found.names)), np.int16)
    window[0, 0, at] = LIMIT * STEPS
    assert not found.out_of_range(window).any()
    window[0, :, at] = LIMIT * STEPS
    assert found.out_of_range(window)[0].nonzero()[0].tolist() == [at]


def test_sums_fit():
    assert defaults.LARGEST_DRIFT_WINDOW * LIMIT * STEPS < 2**15
    # As many drawn windows as the lowest rate needs.
    assert monitor._REPEATS * monitor._WINDOWS * defaults.LOWEST_FALSE_ALARM_RATE >= 10


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((300, 12), "not an image of 2 × 2"),
        ((300, 1, 8, 3), "not an image of 2 × 2"),
        ((300, 4, 4, 17), "17 bands, at most 16"),
        ((1, 1500, 1500, 1), "2250000 values, at most 2105376"),
        ((255, 4, 4, 3), "255 validation images were given, at least 256"),
    ],
)
def test_images_that_allow_no_monitor(shape, words):
    found = monitor.choose(
        np.zeros(shape, np.uint8), np.zeros((shape[0], 5), np.int8), np.zeros(shape[0], int), 32, 0.01
    )
    assert dataclasses.replace(found, reason="") == monitor.Drift("")
    assert words in found.reason


def test_a_window_that_could_raise_no_alarm():
    images, outputs, labels = labelled(600, seed=1)
    images = np.tile(images, (1, 1, 1, 5))
    found = monitor.choose(images, outputs, labels, 1, 0.001)
    assert found.monitor is None
    assert "no window of 1 could raise an alarm at a false alarm rate of 0.001: give a larger window" in found.reason
    assert monitor.choose(images, outputs, labels, 1, 0.05).monitor is not None


@pytest.mark.parametrize(
    ("rare", "said"),
    [(0, "or all of one class."), (1, "for the 3 of 4 classes with 32"), (4, "no class has the 32")],
)
def test_windows_that_were_drawn_are_said(rare, said):
    images, outputs, labels = labelled(600, seed=1)
    kept = [np.flatnonzero(labels == each)[: 20 if each < rare else None] for each in range(4)]
    kept = np.concatenate(kept) if rare < 4 else np.arange(300)
    labels = labels if rare < 4 else np.arange(len(labels)) % 30
    assert said in monitor.choose(images[kept], outputs[kept], labels[kept], WINDOW, 0.05).reason


@pytest.mark.parametrize(
    ("window", "rate", "words"),
    [(0, 0.01, "drift window 0"), (512, 0.01, "from 1 to 511"), (32, 0.0, "false alarm rate 0"), (32, 1.0, "rate 1,")],
)
def test_values_out_of_range_are_refused(window, rate, words):
    with pytest.raises(UserError, match=words):
        monitor.check(window, rate)
    monitor.check(1, 0.001)
    monitor.check(511, 0.5)
