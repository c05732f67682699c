import numpy as np
import pytest

from keras_satkd.losses import Seen, divergence
from keras_satkd.losses.at import AT, attention_transfer


def in_numpy(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    flat = [(each**2).sum(axis=-1).reshape(len(each), -1) for each in (one, other)]
    scaled = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in flat]
    return ((scaled[0] - scaled[1]) ** 2).mean(axis=1)


@pytest.fixture
def maps():
    random = np.random.default_rng(0)
    return [random.random((3, 4, 4, channels)).astype(np.float32) for channels in (5, 8)]


def test_against_numpy(maps):
    teacher, student = maps
    np.testing.assert_allclose(attention_transfer(teacher, student), in_numpy(teacher, student), rtol=1e-5)
    np.testing.assert_allclose(attention_transfer(student, 3 * student), np.zeros(3), atol=1e-7)


def test_the_larger_attention_is_averaged(maps):
    teacher, student = maps
    attention = (student**2).sum(axis=-1).reshape(3, 2, 2, 2, 2).mean(axis=(2, 4))[..., None]
    expected = in_numpy(teacher[:, :2, :2], np.sqrt(attention))
    np.testing.assert_allclose(attention_transfer(teacher[:, :2, :2], student), expected, rtol=1e-5)


def test_with_the_divergence(maps):
    random = np.random.default_rng(1)
    logits, teachers = random.normal(size=(3, 4)).astype(np.float32), random.normal(size=(3, 2, 4)).astype(np.float32)
    seen = Seen(None, logits, teachers, 3.0, (0.5, 20.0), maps[1], (maps[0], maps[1]))
    distance = np.stack([in_numpy(maps[0], maps[1]), np.zeros(3)], axis=1)
    np.testing.assert_allclose(
        AT.compute(seen), 0.5 * divergence(teachers, logits, 3.0) + 20 * distance, rtol=1e-4, atol=1e-5
    )
