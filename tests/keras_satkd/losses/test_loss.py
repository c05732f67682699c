import pytest

from firmware_export.common.errors import UserError
from keras_satkd.config import LossConfig
from keras_satkd.losses import Loss, as_loss
from keras_satkd.losses.dkd import DKD
from keras_satkd.registry import LOSSES


def distance(seen):
    return seen.teacher_logits[..., 0]


@pytest.mark.parametrize("name", LOSSES.names())
def test_every_name_is_a_loss(name):
    loss, factors = as_loss(name)
    assert isinstance(loss, Loss)
    assert factors == loss.factors
    assert loss.compute.__doc__


def test_names_settings_and_objects():
    assert as_loss("dkd") == as_loss(LossConfig("dkd")) == as_loss(DKD) == (DKD, (1.0, 8.0))
    assert as_loss(LossConfig("dkd", (2.0, 3.0))) == (DKD, (2.0, 3.0))
    assert as_loss(distance) == (Loss(distance), ())


def test_wrong_ones():
    with pytest.raises(UserError, match=r"factors has 1 numbers, and the loss has 2 terms.*give as many"):
        as_loss(LossConfig("dkd", (2.0,)))
    with pytest.raises(UserError, match=r"unknown loss 'dkdd': did you mean 'dkd'\? choose from at, "):
        as_loss("dkdd")
    with pytest.raises(UserError, match="is a float: give a function"):
        as_loss(3.0)
