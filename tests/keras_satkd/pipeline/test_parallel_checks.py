from types import SimpleNamespace

import pytest
import tf_keras
from tests_support import tiny_network

from firmware_export.common.errors import UserError
from keras_satkd.config import Config, DistillationConfig, LossConfig, QuantizationConfig, TeachersConfig
from keras_satkd.data.splits import Split
from keras_satkd.pipeline.parallel_checks import check, check_same_data
from keras_satkd.settings.method_config import FixMatchConfig

TWO = SimpleNamespace(replicas=2)
CONFIG = Config(distillation=DistillationConfig(batch_size=33, loss=LossConfig("dist")))


@pytest.mark.parametrize(
    ("config", "images", "missing", "said"),
    [
        (CONFIG, 99, [], "--distillation.batch-size is 33: 2 devices need a multiple of 2; give 32"),
        (Config(), 99, [], "--distillation.batch-size is 128, but there are 99 training images: 2 devices .* give 98"),
        (Config(quantization=QuantizationConfig(batch_size=9)), 400, [], "--quantization.batch-size is 9: .* give 8"),
        (Config(teachers=TeachersConfig(batch_size=9)), 400, ["t"], "--teachers.batch-size is 9"),
        (Config(distillation=DistillationConfig(loss=LossConfig("dist"))), 400, [], "loss 'dist' compares the images"),
        (
            Config(distillation=DistillationConfig(loss=LossConfig("mimkd"))),
            400,
            [],
            "'mimkd' .* which 2 devices divide",
        ),
        (Config(distillation=DistillationConfig(rounds=2)), 400, [], "--distillation.rounds trains on one device"),
        (
            Config(teachers=TeachersConfig(fixmatch=FixMatchConfig(weight=1.0))),
            400,
            [],
            "--teachers.fixmatch.weight trains on one device, not on 2: .* --strategy one",
        ),
    ],
)
def test_what_two_devices_cannot_train(config, images, missing, said):
    check(config, None, images, tiny_network(), missing, is_taught=True)
    with pytest.raises(UserError, match=said):
        check(config, TWO, images, tiny_network(), missing, is_taught=True)


def test_what_two_devices_can_train():
    check(Config(teachers=TeachersConfig(batch_size=9)), TWO, 400, tiny_network(), [], is_taught=True)
    dist = DistillationConfig(loss=LossConfig("dist"))
    check(Config(distillation=dist), TWO, 400, tiny_network(), [], is_taught=False)


def test_a_layer_that_two_devices_cannot_train():
    layers = tf_keras.layers
    image = layers.Input((8, 8, 3))
    student = tf_keras.Model(image, layers.BatchNormalization(virtual_batch_size=2)(image))
    with pytest.raises(UserError, match="use one, or --strategy one"):
        check(Config(), TWO, 400, student, [], is_taught=True)


def test_the_data_that_is_compared(image_set, teacher):
    divided = Split(image_set(9), image_set(3), image_set(3, seed=1), "7" * 64)
    told = []

    class Meeting:
        def agree(self, facts):
            told.append(facts)

    check_same_data(None, divided, {})
    for each in (divided, Split(image_set(9, seed=3), divided.validation, divided.test, "7" * 64)):
        check_same_data(Meeting(), each, {"one": None, "two": teacher()})
    one, other = (facts["data"] for facts in told)
    assert [name for name in one if one[name] != other[name]] == ["train"]
    assert list(told[0]["set of teachers"]) == ["tiny"]
