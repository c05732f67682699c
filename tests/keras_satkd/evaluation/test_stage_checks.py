import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_export.common.errors import UserError
from keras_satkd.evaluation.stage_checks import check_not_constant, check_stages

NAMES = ("Forest", "Lake", "River", "Snow")


def labels_of(images):
    return np.random.default_rng(0).integers(0, len(NAMES), images)


def mistaken(labels, wrong):
    """The labels, with the first ones wrong."""
    return np.concatenate([(labels[:wrong] + 1) % len(NAMES), labels[wrong:]])


def test_a_line_with_the_numbers_of_all_stages(caplog):
    labels = labels_of(200)
    with caplog.at_level(logging.INFO, "keras_satkd"):
        check_stages({"float": labels, "int8": mistaken(labels, 4)}, labels, 0.05)
    assert "accuracy on 200 validation images: float 100.0 %, int8 98.0 %" in caplog.text


def test_a_stage_that_loses_too_much():
    labels = labels_of(1000)
    stages = {"float": mistaken(labels, 20), "qat": labels, "int8": mistaken(labels, 300)}
    with pytest.raises(UserError, match=r"^int8 loses 28\.0 points of accuracy against float on 1000 .*qat 100\.0 %"):
        check_stages(stages, labels, 0.05)
    check_stages(stages, labels, 0.28)


@settings(deadline=None)
@given(images=st.integers(1, 400), share=st.floats(0, 1), bound=st.floats(0, 1))
def test_a_drop_within_the_bound_or_chance_passes(images, share, bound):
    labels = labels_of(images)
    wrong = round(share * images)
    stages = {"float": labels, "int8": mistaken(labels, wrong)}
    if wrong / images > bound + 3 * np.sqrt(wrong) / images:
        with pytest.raises(UserError, match="int8 loses"):
            check_stages(stages, labels, bound)
    else:
        check_stages(stages, labels, bound)


def test_a_stage_that_gives_one_class():
    labels = labels_of(100)
    constant = np.full(100, 2)
    with pytest.raises(
        UserError, match=r"^int8 gives 100\.0 % of the validation images the class 'River', and 33\.0 %"
    ):
        check_not_constant({"float": labels, "int8": constant}, labels, NAMES)
    constant[0] = 1
    with pytest.raises(UserError, match=r"int8 gives 99\.0 %"):
        check_not_constant({"int8": constant}, labels, NAMES)
    check_not_constant({"int8": constant}, np.full(100, 2), NAMES)
    check_not_constant({"int8": constant[:49]}, labels[:49], NAMES)
