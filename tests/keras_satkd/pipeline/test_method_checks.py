import importlib
import sys

import pytest
from tests_support import tiny_network

from firmware_export.common.errors import UserError
from keras_satkd.config import Config
from keras_satkd.config_io import changed
from keras_satkd.pipeline import method_checks

GOOD = """
import numpy as np
import tensorflow as tf
from keras_satkd.losses import Loss
from keras_satkd.weighting import Weights

def loss(seen):
    return tf.zeros_like(seen.teacher_logits[..., 0])

def of_maps(seen):
    return tf.stack([tf.reduce_mean(each, axis=(1, 2, 3)) for each in seen.teacher_maps], axis=1)

MAPS = Loss(of_maps, needs="features")

def rule(config, teachers, temperature, calibration):
    return lambda logits: Weights(tf.ones_like(logits[..., 0]), tf.ones_like(logits[:, 0, 0]))

def schedule(epochs, accuracies):
    return np.ones((epochs, len(accuracies)))

def views(images, draws):
    return images
"""

SETTINGS = {
    "loss": "distillation.loss.name",
    "rule": "distillation.weighting.rule",
    "schedule": "distillation.teacher_schedule",
    "views": "distillation.augmentation",
}


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Writes a user's module, and checks a run that uses what it defines."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def check(source, **settings):
        (tmp_path / "own_checked.py").write_text(source)
        importlib.invalidate_caches()
        sys.modules.pop("own_checked", None)
        found = {SETTINGS[kind]: f"own_checked:{name}" for kind, name in settings.items()}
        method_checks.check(changed(Config(), found, "test"), tiny_network(), 2)

    yield check
    sys.modules.pop("own_checked", None)


def check(settings, **options):
    method_checks.check(changed(Config(), settings, "test"), tiny_network(), 2, **options)


def test_defaults_and_extensions_pass(own):
    check({})
    own(GOOD, loss="loss", rule="rule", schedule="schedule", views="views")


@pytest.mark.parametrize(
    ("kind", "before", "after", "said"),
    [
        ("loss", "seen.teacher_logits[..., 0]", "seen.nothing", r"loss 'own_checked:loss@\w+' fails on 2 blank images"),
        ("loss", "seen.teacher_logits[..., 0]", "seen.labels", r"gives float32 \[2, 3\] for 2 images: give .*\[2, 2\]"),
        ("loss", "tf.zeros_like(seen.teacher_logits[..., 0])", "3", "gives int for 2 images: give a tensor, float32"),
        ("rule", "logits[:, 0, 0]", "logits[:, 0]", r"share gives float32 \[2, 3\] for 2 images"),
        ("rule", "lambda logits", "lambda", r"rule 'own_checked:rule@\w+' fails on 2 blank images"),
        ("schedule", "((epochs, ", "((epochs + 1, ", r"gives shape \(31, 2\)"),
        ("schedule", "np.ones", "np.nothing", "teacher schedule .* fails on 2 blank images"),
        ("views", "return images", "return images / 2", r"gives float\d+ \[2, 16, 16, 3\] .*give a tensor, uint8"),
    ],
)
def test_extensions_that_fail(own, kind, before, after, said):
    assert before in GOOD
    with pytest.raises(UserError, match=said):
        own(GOOD.replace(before, after), **{kind: kind})


def test_losses_that_need_more_than_logits(own):
    with pytest.raises(UserError, match=r"loss 'at' needs features of the teachers, and only logits are stored"):
        check({"distillation.loss.name": "at"})
    in_loop = {"distillation.teacher_logits": "in-loop"}
    check(in_loop | {"distillation.loss.name": "mimkd"})
    with pytest.raises(
        UserError,
        match=r"loss 'kdiga' needs gradients of gradients, which end at fake quantization.*--quantization.epochs 0",
    ):
        check(in_loop | {"distillation.loss.name": "kdiga"})
    check(in_loop | {"distillation.loss.name": "kdiga", "quantization.epochs": 0})
    with pytest.raises(UserError, match=r"only logits are stored"):
        own(GOOD, loss="MAPS")


def test_a_schedule_cannot_be_lowered():
    check({"distillation.teacher_schedule": "all"}, lowers=True)
    with pytest.raises(UserError, match="teacher schedule 'growing' cannot be lowered"):
        check({"distillation.teacher_schedule": "growing"}, lowers=True)
