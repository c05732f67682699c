"""Two devices train what one trains: in this process, on two logical processors."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tests_support import free_port

from firmware_export.common.errors import UserError
from keras_satkd.config import DistillationConfig, MixingConfig, QuantizationConfig, WeightingConfig
from keras_satkd.data import augment
from keras_satkd.data.splits import Split
from keras_satkd.models.stored_logits import StoredLogits
from keras_satkd.run import history
from keras_satkd.training import parallel
from keras_satkd.training.parallel import ONE, Parallel
from keras_satkd.training.place import Place
from keras_satkd.training.qat_model import quantization_aware
from keras_satkd.training.qat_ranges import fix_ranges
from keras_satkd.training.teacher_logits import TeacherTargets
from keras_satkd.training.train import train
from keras_satkd.training.view_logits import ViewLogits

CLASSES = 3


@pytest.fixture(scope="module")
def two():
    processors = [device.name for device in tf.config.list_logical_devices("CPU")]
    assert len(processors) == 2
    return Parallel(tf.distribute.MirroredStrategy(processors, tf.distribute.HierarchicalCopyAllReduce()))


def build():
    """With batch norms behind a convolution, which Keras fuses, and behind a dense layer, which it does not."""
    tf_keras.utils.set_random_seed(0)
    layers = tf_keras.layers
    image = layers.Input((16, 16, 3))
    features = layers.BatchNormalization(momentum=0.8)(layers.Conv2D(4, 3, 4, use_bias=False)(image))
    features = layers.GlobalAveragePooling2D()(layers.ReLU()(features))
    return tf_keras.Model(image, layers.Dense(CLASSES)(features))


@pytest.fixture
def split(image_set):
    return Split(image_set(26), image_set(11, seed=1), image_set(3, seed=2), "0" * 64)


def of_teachers():
    """Stored logits of two teachers for two views of each image."""
    random = np.random.default_rng(0)
    logits = random.normal(size=(26, 2, 2, CLASSES)).astype(np.float16)
    views = ViewLogits(random.uniform(size=(26, 2, augment.DRAWS)).astype(np.float32), logits)
    teachers = tuple(StoredLogits(name, (), np.zeros((1, 1, CLASSES)), "0" * 64) for name in ("one", "two"))
    return TeacherTargets(teachers, "satellite", (1.0, 1.0), None, views)


QAT = TeacherTargets((), "satellite", mixing=MixingConfig("mixup"))
TAUGHT = DistillationConfig(weighting=WeightingConfig("paper-batch"), temperature=2.0)


@pytest.mark.parametrize(
    ("config", "targets", "noise"),
    [
        (DistillationConfig(epochs=2, batch_size=8, average=0.9), of_teachers(), 0.2),
        (QuantizationConfig(epochs=1, batch_size=8), QAT, 0.0),
    ],
    ids=["distillation", "quantization"],
)
def test_two_devices_train_what_one_trains(tmp_path, split, two, config, targets, noise):
    def make():
        network = build()
        if isinstance(config, QuantizationConfig):
            quantized = quantization_aware(network)
            fix_ranges(quantized, network, split.train.images)
            return quantized
        return network

    trained = []
    for name, devices in (("one", ONE), ("two", two)):

        def work(network, name=name, devices=devices):
            settings = {"loss": TAUGHT, "seed": 0, "phase": "a"}
            place = Place(tmp_path / name, parallel=devices)
            train(network, split, targets, config, place, **settings, sensor_noise=noise)

        trained.append(devices.trained(make, work))
    one, two_of = (network.get_weights() for network in trained)
    for first, second in zip(one, two_of, strict=True):
        np.testing.assert_allclose(second, first, atol=2e-4)
    rows = [history.read(tmp_path / name / history.FILE) for name in ("one", "two")]
    for first, second in zip(*rows, strict=True):
        for name in first.keys() - {"phase", "seconds"}:
            assert float(second[name]) == pytest.approx(float(first[name]), abs=2e-4), name


def test_one_device(monkeypatch, caplog):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"])
    assert [parallel.begin(name, None) for name in ("auto", "one", "mirrored")] == [ONE] * 3
    assert caplog.messages == ["--strategy mirrored: this machine has one device, so it is the same as --strategy one"]


def test_a_batch_norm_that_cannot_be_divided():
    layers = tf_keras.layers
    image = layers.Input((8, 8, 3))
    network = tf_keras.Model(image, layers.BatchNormalization(renorm=True)(image), name="mine")
    with pytest.raises(UserError, match=r"mine: layer 'batch_norm.*' is no plain BatchNormalization"):
        parallel.check_batch_norms(network)
    parallel.check_batch_norms(build())


SIGTERM_WHILE_CONNECTED = """
import os, signal, sys, time
from types import SimpleNamespace
def interrupt(*_):
    sys.exit(143)
signal.signal(signal.SIGTERM, interrupt)
import keras_satkd
from keras_satkd.training import parallel
parallel._connected(SimpleNamespace(cluster=SimpleNamespace(addresses=[sys.argv[1]], position=0)))
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(5)
"""


@pytest.mark.slow
def test_sigterm_reaches_a_process_that_tensorflow_has_connected():
    address = f"127.0.0.1:{free_port()}"
    cluster = {"cluster": {"worker": [address]}, "task": {"type": "worker", "index": 0}}
    environment = {**os.environ, "TF_CONFIG": json.dumps(cluster)}
    words = [sys.executable, "-c", SIGTERM_WHILE_CONNECTED, address]
    assert subprocess.run(words, env=environment, check=False, timeout=300).returncode == 143
