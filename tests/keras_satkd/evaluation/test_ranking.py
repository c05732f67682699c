import dataclasses
from typing import get_args

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import entropy

from firmware_export.common.errors import UserError
from firmware_export.images.image_set import Bands, ImageSet
from firmware_export.images.scaling import Scaling
from keras_satkd.evaluation import ranking
from keras_satkd.evaluation.classifier import Classifier
from keras_satkd.settings.setting_types import Uncertainty

NAMES = ("Lake", "Forest", "River")


def model(logits: np.ndarray) -> Classifier:
    """A model that gives these logits, whatever the images."""
    return Classifier("given", 16, 3, NAMES, lambda images: logits)


def images(number: int) -> ImageSet:
    pixels = np.random.default_rng(0).integers(0, 256, (number, 16, 16, 3), np.uint8)
    files = tuple(f"unlabelled/day/{at}.png" for at in range(number))
    return ImageSet(pixels, np.zeros(number, np.int32), files, ("unlabelled",))


LOGITS = np.log([[0.8, 0.1, 0.1], [0.5, 0.49, 0.01], [0.4, 0.3, 0.3]]).astype(np.float32)


def test_measures_are_those_that_can_be_chosen():
    assert tuple(ranking.MEASURES) == get_args(Uncertainty)


@pytest.mark.parametrize(("by", "expected"), [("margin", "120"), ("entropy", "210"), ("confidence", "210")])
def test_order_by_hand(by, expected):
    found = ranking.least_sure([model(LOGITS)], images(3), 3, by)
    assert "".join(each.file.removeprefix("day/")[0] for each in found) == expected
    first = found[0]
    assert (first.class_name, round(first.confidence, 4), round(first.margin, 4)) == (
        ("Lake", 0.5, 0.01) if by == "margin" else ("Lake", 0.4, 0.1)
    )


def test_entropy_is_that_of_scipy():
    shares = softmax(np.random.default_rng(0).normal(size=(9, 4)), axis=1)
    np.testing.assert_allclose(-ranking.MEASURES["entropy"](shares), entropy(shares, axis=1))


def test_of_several_models_the_mean_counts():
    other = np.log([[0.1, 0.8, 0.1], [0.98, 0.01, 0.01], [0.98, 0.01, 0.01]])
    found = ranking.least_sure([model(LOGITS), model(other)], images(3), 1, "margin")
    assert found[0].file == "day/0.png"  # the models contradict each other


def test_repetitions_are_left_out_and_the_count_holds():
    given = images(3)
    given.images[2] = given.images[1]
    found = ranking.least_sure([model(LOGITS)], given, 3, "margin")
    assert [each.file for each in found] == ["day/1.png", "day/0.png"]
    assert len(ranking.least_sure([model(LOGITS)], images(3), 2, "margin")) == 2


def test_models_must_be_alike():
    first = model(LOGITS)
    ranking.check_alike([first, first])
    with pytest.raises(UserError, match="give models of the same size and classes"):
        ranking.check_alike([first, dataclasses.replace(first, image_size=32)])
    with pytest.raises(UserError, match=f"has the class '{NAMES[0]}' where .* has '{NAMES[-1]}'"):
        ranking.check_alike([first, dataclasses.replace(first, class_names=NAMES[::-1])])


def test_one_model_names_the_classes_of_all():
    named = model(LOGITS)
    nameless = dataclasses.replace(named, class_names=None)
    ranking.check_alike([nameless, named])
    found = ranking.least_sure([nameless, named], images(3), 3, "margin")
    assert {each.class_name for each in found} <= set(NAMES)


def test_names_and_scalings_are_compared_whichever_model_has_them():
    unnamed = dataclasses.replace(model(LOGITS), class_names=None)
    other = dataclasses.replace(model(LOGITS), name="other", class_names=NAMES[::-1])
    with pytest.raises(UserError, match="given has the class 'Lake' where other has 'River'"):
        ranking.check_alike([unnamed, model(LOGITS), other])
    bands = Bands(("1", "2", "3"), (0, 1, 2), 3)
    bright, dark = (
        dataclasses.replace(model(LOGITS), name=name, scaling=Scaling(bands, "uint16", (0,) * 3, (high,) * 3, name))
        for name, high in (("bright", 4095), ("dark", 1023))
    )
    ranking.check_alike([unnamed, bright, bright])
    with pytest.raises(UserError, match="bright and dark were trained on other bands or another scaling"):
        ranking.check_alike([unnamed, bright, dark])


def test_a_model_of_one_output():
    with pytest.raises(UserError, match="given has one output: end it in an output for each class, with a softmax"):
        ranking.check_alike([dataclasses.replace(model(LOGITS), classes=1, class_names=None)])
