import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_satkd.losses.ground_truth import balanced_weights, ground_truth_loss


def test_mixed_labels():
    logits = np.array([[2.0, 0.0]], np.float32)
    mixed = ground_truth_loss(np.array([[0.3, 0.7]], np.float32), logits)
    pure = [ground_truth_loss(np.array([row], np.float32), logits).numpy().item() for row in ([1.0, 0.0], [0.0, 1.0])]
    np.testing.assert_allclose(mixed, [0.3 * pure[0] + 0.7 * pure[1]], rtol=1e-5)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60))
def test_balanced_weights_make_all_classes_count_alike(drawn):
    labels = np.array(drawn)
    weights = np.array(balanced_weights(labels, 5))
    present = np.unique(labels)
    sums = [weights[label] * (labels == label).sum() for label in present]
    np.testing.assert_allclose(sums, len(labels) / 5)
    assert (weights[np.setdiff1d(np.arange(5), present)] == 0).all()
    if len(present) == 5:
        assert weights[labels].mean() == pytest.approx(1)


def test_class_weights_of_mixed_labels():
    logits, labels = np.zeros((1, 2), np.float32), np.array([[0.25, 0.75]], np.float32)
    found = ground_truth_loss(labels, logits, (2.0, 4.0))
    np.testing.assert_allclose(found, [(0.25 * 2 + 0.75 * 4) * np.log(2)], rtol=1e-6)
