import pytest

from keras_satkd.models import resnets, students


@pytest.mark.parametrize(
    ("name", "parameters", "macs"), [("resnet8", 98_522, 58_393_216), ("resnet16", 195_738, 115_016_320)]
)
def test_published_sizes(name, parameters, macs):
    student = resnets.build(name, 64, 10, 3)
    assert students.trainable_parameters(student) == parameters
    assert students.macs(student) == macs
