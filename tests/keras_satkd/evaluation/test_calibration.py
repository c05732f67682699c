import numpy as np
import pytest
from scipy.special import softmax

from keras_satkd.evaluation.calibration import expected_calibration_error, fit_temperature


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_made_the_logits_is_found(temperature):
    random = np.random.default_rng(0)
    honest = random.normal(0, 2, (20_000, 4))
    labels = (softmax(honest, axis=1).cumsum(axis=1) > random.random((20_000, 1))).argmax(axis=1)
    assert fit_temperature(honest * temperature, labels) == pytest.approx(temperature, rel=0.05)


def test_calibration_error_by_hand():
    # Ten answers at confidence 0.9 of which six are right: the gap is 0.3.
    probabilities = np.tile([0.9, 0.1], (10, 1))
    labels = np.array([0] * 6 + [1] * 4)
    assert expected_calibration_error(probabilities, labels) == pytest.approx(0.3)
    # Half the answers in another bin, all right at confidence 1: their gap is 0.
    probabilities[:5], labels[:5] = [1.0, 0.0], 0
    assert expected_calibration_error(probabilities, labels) == pytest.approx(0.5 * abs(0.9 - 0.2))
