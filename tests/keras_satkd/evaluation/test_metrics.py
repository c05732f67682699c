import numpy as np
import pytest

from keras_satkd.evaluation.metrics import predict, score


def test_by_hand():
    # Truth 0 0 0 1, said 0 0 1 1: precision 1 and 1/2, recall 2/3 and 1, F1 0.8 and 2/3.
    logits = np.array([[9.0, 0], [9, 0], [0, 9], [0, 9]], np.float32)
    scores = score(logits, np.array([0, 0, 0, 1]))
    assert scores["accuracy"] == 0.75
    assert scores["macro_precision"] == pytest.approx(0.75)
    assert scores["macro_recall"] == pytest.approx(5 / 6)
    assert scores["macro_f1"] == pytest.approx((0.8 + 2 / 3) / 2)
    assert scores["weighted_f1"] == pytest.approx(0.75 * 0.8 + 0.25 * 2 / 3)
    assert scores["ece"] == pytest.approx(0.25, abs=1e-3)


def test_predict_keeps_order_over_batches():
    images = np.arange(7, dtype=np.uint8).reshape(7, 1, 1, 1)
    said = predict(lambda batch: batch.reshape(len(batch), 1), images, "test", batch_size=3)
    np.testing.assert_array_equal(said[:, 0], np.arange(7))
    assert said.dtype == np.float32
