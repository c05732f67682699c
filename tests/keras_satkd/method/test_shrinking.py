"""A student that loses channels; the narrowing itself is tested in models/test_width.py."""

import numpy as np
import pytest
import tf_keras

from keras_satkd.method.shrinking import Shrink, Shrinking, first_narrow_epoch, removals
from keras_satkd.models import width
from keras_satkd.settings.method_config import CapacityConfig


@pytest.mark.parametrize(
    ("epochs", "steps", "until", "expected"),
    [
        (8, 2, 0.5, [0, 0, 1, 1, 2, 2, 2, 2]),
        (4, 4, 0.5, [0, 2, 4, 4]),
        (5, 1, 0.25, [0, 0, 1, 1, 1]),
        (3, 5, 0.1, [0, 5, 5]),
    ],
)
def test_removals_are_equally_often_in_time(epochs, steps, until, expected):
    settings = CapacityConfig(widest=2.0, steps=steps, until=until)
    assert [removals(epoch, epochs, settings) for epoch in range(epochs)] == expected
    assert first_narrow_epoch(epochs, settings) == expected.index(steps)


def small(channels: int = 4) -> tf_keras.Model:
    """One block with an addition."""
    layers = tf_keras.layers
    image = layers.Input((8, 8, 3))

    def normalized(x, name):
        return layers.BatchNormalization(name=f"{name}_norm")(layers.Conv2D(channels, 3, padding="same", name=name)(x))

    x = layers.ReLU()(normalized(image, "stem"))
    y = normalized(layers.ReLU()(normalized(x, "first")), "second")
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(layers.Add()([x, y])))
    return tf_keras.Model(image, layers.Dense(3, name="logits")(x))


@pytest.fixture(scope="module")
def made():
    """A student, and the distiller of its wide network."""
    tf_keras.utils.set_random_seed(0)
    student = small()
    groups, _ = width.groups_of(student)
    wide = width.widened(student, 2)
    distiller = Shrinking(wide, least={name: group.channels for name, group in groups.items()}, average=0.9)
    distiller.compile(tf_keras.optimizers.AdamW(0.01))
    return student, distiller


def test_what_is_removed_stays_at_zero_and_the_narrow_student_computes_the_same(made):
    student, distiller = made
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 256, (12, 8, 8, 3), np.uint8), np.arange(12) % 3
    groups, _ = width.groups_of(distiller.student)
    previous = {name: np.ones(group.channels) for name, group in groups.items()}
    distiller.fit(images, labels, epochs=3, batch_size=6, verbose=0, callbacks=[Shrink(3, CapacityConfig(2.0, 2, 0.5))])
    for name, group in groups.items():
        kept = distiller._kept[name].numpy()
        assert kept.sum() == group.channels / 2
        assert (kept <= previous[name]).all()
        for norm in map(distiller.student.get_layer, group.norms):
            assert not norm.gamma.numpy()[kept == 0].any()
            assert not norm.beta.numpy()[kept == 0].any()
            assert norm.gamma.numpy()[kept == 1].all()
    for is_average in (False, True):  # both the weights and their average, which may be kept in their place
        if is_average:
            distiller.exchange_average()
        width.narrow(distiller.student, student)
        expected = distiller.student(images / np.float32(255), training=False)
        np.testing.assert_allclose(student(images / np.float32(255), training=False), expected, rtol=1e-4, atol=1e-4)


def test_the_least_important_go_and_never_come_back():
    student = small(16)
    groups, _ = width.groups_of(student)
    distiller = Shrinking(student, least={name: group.channels // 4 for name, group in groups.items()})
    name, group = next(iter(groups.items()))
    for norm in map(student.get_layer, group.norms):
        norm.gamma.assign(np.arange(16, dtype=np.float32) - 10)  # the least important is the eleventh
    distiller.shrink(1, 3)
    removed = [9, 10, 11, 12]
    assert np.flatnonzero(distiller._kept[name].numpy() == 0).tolist() == removed
    for norm in map(student.get_layer, group.norms):
        norm.gamma.assign(np.full(16, 1.0, np.float32))
    distiller.shrink(2, 3)
    assert not distiller._kept[name].numpy()[removed].any()
    assert distiller._kept[name].numpy().sum() == 8
