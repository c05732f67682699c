import numpy as np
import pytest
import tf_keras
from tests_support import tiny_network
from tiny_models import _randomized, build_mobilenet

from firmware_export.common.errors import UserError
from keras_satkd.models import resnets, width

layers = tf_keras.layers


def resnet():
    return resnets.build("resnet8", 8, 4, 3)


def with_shortcuts():
    """Sums of three branches, one of them a sum itself; a bias before a batch norm; a depthwise convolution."""
    image = layers.Input((8, 8, 3))

    def normalized(x, layer):
        return layers.BatchNormalization()(layer(x))

    x = layers.Activation("swish")(normalized(image, layers.Conv2D(6, 3, padding="same")))
    y = layers.ReLU()(normalized(x, layers.DepthwiseConv2D(3, padding="same")))
    z = normalized(y, layers.Conv2D(6, 1))
    x = layers.Add()([layers.Add()([x, z]), normalized(x, layers.Conv2D(6, 1))])
    x = layers.MaxPooling2D()(layers.ReLU()(normalized(x, layers.Conv2D(4, 3))))
    return tf_keras.Model(image, layers.Dense(4)(layers.GlobalAveragePooling2D()(x)))


def mobilenet():
    return build_mobilenet(tf_keras)


@pytest.mark.parametrize("build", [resnet, with_shortcuts, mobilenet], ids=lambda build: build.__name__)
def test_the_narrow_network_computes_what_the_masked_wide_one_does(build):
    tf_keras.utils.set_random_seed(0)
    student = build()
    groups, _ = width.groups_of(student)
    wide = _randomized(width.widened(student, 1.5), 1)
    wider, _ = width.groups_of(wide)
    random = np.random.default_rng(2)
    for name, group in wider.items():
        assert group.channels == round(1.5 * groups[name].channels)
        removed = random.permutation(group.channels)[groups[name].channels :]
        for norm in map(wide.get_layer, group.norms):
            for weights in (norm.gamma, norm.beta):
                values = weights.numpy()
                values[removed] = 0
                weights.assign(values)
    width.narrow(wide, student)
    images = random.random((5, *student.input_shape[1:]), np.float32)
    expected = wide(images, training=False).numpy()
    assert expected.std() > 1e-3
    np.testing.assert_allclose(student(images, training=False), expected, rtol=1e-4, atol=1e-5)


def test_channels_that_are_added_are_one_group():
    groups, ends = width.groups_of(resnet())
    # Stage 1 adds to the stem; stages 2 and 3 to their shortcuts; the first convolution of each block is alone.
    assert [group.channels for group in groups.values()] == [16, 16, 32, 32, 64, 64]
    assert sorted(len(group.norms) for group in groups.values()) == [1, 1, 1, 2, 2, 2]
    assert ends["stem_convolution"][0] is None
    assert ends["logits"][1] is None


def test_importance_is_the_sum_of_the_scales():
    network = resnet()
    groups, _ = width.groups_of(network)
    group = next(iter(groups.values()))
    random = np.random.default_rng(0)
    scales = {name: random.normal(size=group.channels).astype(np.float32) for name in group.norms}
    for name, values in scales.items():
        network.get_layer(name).gamma.assign(values)
    np.testing.assert_allclose(width.importance(network, group), sum(map(np.abs, scales.values())), rtol=1e-6)


def test_the_most_important_stay_in_order():
    assert width.most_important(np.array([3.0, 1.0, 3.0, 5.0, 3.0]), 3).tolist() == [0, 2, 3]


def test_channels_are_removed_in_equal_parts():
    assert [width.channels_kept(32, 16, step, 4) for step in range(5)] == [32, 28, 24, 20, 16]
    assert [width.channels_kept(5, 4, step, 3) for step in range(4)] == [5, 5, 5, 4]


def grouped():
    image = layers.Input((8, 8, 4))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, groups=2)(image))
    return tf_keras.Model(image, layers.Dense(4)(layers.GlobalAveragePooling2D()(x)))


def normalized_without_scale():
    image = layers.Input((8, 8, 4))
    x = layers.BatchNormalization(scale=False)(layers.Conv2D(4, 3)(image))
    return tf_keras.Model(image, layers.Dense(4)(layers.GlobalAveragePooling2D()(x)))


def sigmoid():
    image = layers.Input((8, 8, 4))
    x = layers.Activation("sigmoid")(layers.BatchNormalization()(layers.Conv2D(4, 3)(image)))
    return tf_keras.Model(image, layers.Dense(4)(layers.GlobalAveragePooling2D()(x)))


def hidden():
    image = layers.Input((8, 8, 4))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3)(image))
    return tf_keras.Model(image, layers.Dense(4)(layers.Dense(8)(layers.GlobalAveragePooling2D()(x))))


def flat():
    image = layers.Input((8, 8, 4))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3)(image))
    return tf_keras.Model(image, layers.Dense(4)(layers.Flatten()(x)))


@pytest.mark.parametrize(
    ("build", "what"),
    [
        (grouped, "a convolution in groups"),
        (normalized_without_scale, "without a batch norm with scale and shift"),
        (tiny_network, "without a batch norm with scale and shift"),
        (sigmoid, "'sigmoid', which is not 0 at 0"),
        (hidden, "a dense layer before the last"),
        (flat, "a Flatten"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_other_layers_are_told(build, what):
    with pytest.raises(UserError, match=f"{what}.*: use resnet8"):
        width.groups_of(build())
