import numpy as np

from keras_satkd.losses import Seen, divergence
from keras_satkd.losses.kdiga import KDIGA


def test_against_numpy():
    random = np.random.default_rng(0)
    logits, teachers = random.normal(size=(3, 4)).astype(np.float32), random.normal(size=(3, 2, 4)).astype(np.float32)
    own, given = random.normal(size=(3, 5, 5, 2)), random.normal(size=(3, 2, 5, 5, 2))
    seen = Seen(
        None,
        logits,
        teachers,
        3.0,
        (2.0, 7.0),
        student_gradient=own.astype(np.float32),
        teacher_gradients=given.astype(np.float32),
    )
    distance = [[np.linalg.norm(own[b] - given[b, t]) for t in range(2)] for b in range(3)]
    expected = 2 * divergence(teachers, logits, 3.0) + 7 * np.array(distance)
    np.testing.assert_allclose(KDIGA.compute(seen), expected, rtol=1e-4)
