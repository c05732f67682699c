import dataclasses

import pytest
import tf_keras
from tests_support import tiny_network

from firmware_export.common.errors import UserError
from keras_satkd.config_io import from_dict, load, to_dict
from keras_satkd.method.concurrent import Concurrent
from keras_satkd.method.shrinking import Shrinking
from keras_satkd.models import resnets
from keras_satkd.pgd import Attack
from keras_satkd.pipeline import methods
from keras_satkd.training.method import PLAIN

ADVERSARIAL = {"epsilon": 8.0, "steps": 5}
WIDE = {"widest": 2.0, "steps": 2, "until": 0.5}


def config(teachers=None, **distillation):
    values = to_dict(load("eurosat"))
    values["distillation"] |= {"epochs": 4} | distillation
    values["teachers"] |= teachers or {}
    return from_dict(values, "test")


@pytest.fixture(scope="module")
def resnet():
    return resnets.build("resnet8", 8, 3, 3)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"adversarial": ADVERSARIAL, "capacity": WIDE},
            "adversarial.epsilon and --distillation.capacity.widest cannot",
        ),
        (
            {"adversarial": ADVERSARIAL, "loss": {"name": "at"}},
            "loss 'at' needs features, and .*: use a loss of logits",
        ),
        ({"adversarial": ADVERSARIAL | {"step_size": 1e300}}, None),
        ({"capacity": WIDE, "epochs": 1}, "until 0.5 leaves none of 1 epochs to the narrow student: give more"),
        ({"capacity": WIDE, "initial_weights": "student.keras"}, "for which there are no weights: leave out"),
        ({"capacity": WIDE}, None),
        ({"adversarial": ADVERSARIAL}, None),
        ({"adversarial": ADVERSARIAL, "loss": {"name": "at"}, "weighting": {"rule": "none"}}, None),
    ],
)
def test_what_does_not_fit_is_told(settings, said, resnet):
    if said is None:
        methods.check(config(**settings), resnet, lowers=False)
        return
    with pytest.raises(UserError, match=said):
        methods.check(config(**settings), resnet, lowers=False)


def test_a_student_whose_width_cannot_change_is_told():
    with pytest.raises(UserError, match="'convolution' is a convolution without a batch norm"):
        methods.check(config(capacity=WIDE), tiny_network(), lowers=False)
    methods.check(config(), tiny_network(), lowers=False)


@pytest.mark.parametrize(
    "settings", [{"adversarial": ADVERSARIAL}, {"capacity": WIDE}, {"teachers": {"fixmatch": {"weight": 1.0}}}]
)
def test_none_of_them_is_lowered(settings, resnet):
    with pytest.raises(UserError, match="cannot be lowered: leave it out, or train here"):
        methods.check(config(**settings), resnet, lowers=True)
    methods.check(config(), resnet, lowers=True)


def test_fixmatch_needs_unlabelled_images_and_is_alone(image_set):
    asked = config({"fixmatch": {"weight": 1.0}})
    with pytest.raises(UserError, match=r"there are none: give --data.unlabelled or --data.labels-per-class"):
        methods.check_fixmatch(asked, None)
    methods.check_fixmatch(asked, image_set())
    methods.check_fixmatch(config(), None)
    taught = dataclasses.replace(asked, teachers=dataclasses.replace(asked.teachers, taught_by=("teacher",)))
    with pytest.raises(UserError, match=r"--teachers.taught-by cannot be combined"):
        methods.check_fixmatch(taught, image_set())


def test_each_way_has_its_distiller():
    def build():
        built.append(resnets.build("resnet8", 8, 3, 3))
        return built[-1]

    built: list[tf_keras.Model] = []
    assert methods.of_student(config().distillation, build) == (built[0], PLAIN)
    student, method = methods.of_student(config(adversarial=ADVERSARIAL).distillation, build)
    assert method.distiller.func is Concurrent
    assert method.distiller.keywords == {"attack": Attack(8.0, 5, 4.0), "natural": built[-1], "mutual_share": 0.5}
    assert student is built[-2]
    student, method = methods.of_student(config(capacity=WIDE).distillation, build)
    assert method.distiller.func is Shrinking
    assert set(method.distiller.keywords["least"].values()) == {16, 32, 64}
    assert student.get_layer("stem_convolution").filters == 32
    assert method.first_epoch == 2
    assert methods.of_quantization(config().distillation) is PLAIN
    assert methods.of_quantization(config(adversarial=ADVERSARIAL).distillation).distiller.keywords == {
        "attack": Attack(8.0, 5, 4.0)
    }
