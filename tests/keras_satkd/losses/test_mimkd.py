import numpy as np
import pytest

from keras_satkd.losses import Seen, divergence
from keras_satkd.losses.mimkd import MIMKD, SHARPNESS, Critic, mutual_information


def in_numpy(student: np.ndarray, teacher: np.ndarray) -> list[float]:
    """Image by image and region by region; each of the teacher's vectors, or the one of the region's place."""
    losses = []
    for image, regions in enumerate(student):
        terms = []
        for place, region in enumerate(regions):
            scores = [float(region @ vectors[place % len(vectors)]) for vectors in teacher]
            apart = [np.log1p(np.exp(score)) for other, score in enumerate(scores) if other != image]
            terms.append(np.log1p(np.exp(-scores[image])) + (np.mean(apart) if apart else 0))
        losses.append(np.mean(terms))
    return losses


@pytest.mark.parametrize("regions", [1, 3])
@pytest.mark.parametrize("images", [1, 4])
def test_against_numpy(images, regions):
    random = np.random.default_rng(0)
    student, teacher = random.normal(size=(images, 3, 5)), random.normal(size=(images, regions, 5))
    found = mutual_information(student.astype(np.float32), teacher.astype(np.float32))
    np.testing.assert_allclose(found, in_numpy(student, teacher), rtol=1e-4)


def test_what_belongs_together_costs_less():
    vectors = 3 * np.eye(4, dtype=np.float32)[:, None]
    together = mutual_information(vectors, vectors).numpy()
    assert (together < mutual_information(vectors, vectors[::-1]).numpy()).all()
    np.testing.assert_allclose(mutual_information(0 * vectors, vectors), [2 * np.log(2)] * 4, rtol=1e-6)


def test_a_region_belongs_to_the_one_in_its_place():
    regions = 3 * np.random.default_rng(0).normal(size=(4, 2, 5)).astype(np.float32)
    together = mutual_information(regions, regions).numpy()
    assert together.mean() < mutual_information(regions, regions[:, ::-1]).numpy().mean()


def test_whole_loss():
    random = np.random.default_rng(1)
    logits, teachers = random.normal(size=(3, 4)).astype(np.float32), random.normal(size=(3, 1, 4)).astype(np.float32)
    own, given = random.random((3, 8, 8, 6)).astype(np.float32), random.random((3, 2, 2, 7)).astype(np.float32)
    critic = Critic(6, 7)
    weights = [each.numpy() for each in critic.weights]
    assert [each.shape for each in weights] == [(6, 64), (7, 64)]

    def embedded(vectors, kernel):
        found = vectors @ kernel
        return found / np.linalg.norm(found, axis=-1, keepdims=True)

    regions = own.reshape(3, 4, 2, 4, 2, 6).mean(axis=(2, 4)).reshape(3, 16, 6)
    teacher = SHARPNESS * embedded(given.mean(axis=(1, 2))[:, None], weights[1])
    whole = in_numpy(embedded(own.mean(axis=(1, 2))[:, None], weights[0]), teacher)
    local = in_numpy(embedded(regions, weights[0]), teacher)
    # The teacher's map has 2×2 regions, so the student's four columns and rows are compared two by two.
    quarters = embedded(own.reshape(3, 2, 4, 2, 4, 6).mean(axis=(2, 4)).reshape(3, 4, 6), weights[0])
    by_place = in_numpy(quarters, SHARPNESS * embedded(given.reshape(3, 4, 7), weights[1]))
    expected = 2 * divergence(teachers, logits, 3.0)[:, 0]
    expected += 3 * np.array(whole) + 5 * np.array(local) + 7 * np.array(by_place)
    seen = Seen(None, logits, teachers, 3.0, (2.0, 3.0, 5.0, 7.0), own, (given,), critics=(critic,))
    np.testing.assert_allclose(MIMKD.compute(seen)[:, 0], expected, rtol=1e-4)
