"""Models for several test modules."""

import tf_keras


def tiny_network(
    classes: int = 3, size: int = 16, seed: int = 0, activation: str | None = None, channels: int = 3
) -> tf_keras.Model:
    """A network small enough for a teacher in a quick test."""
    tf_keras.utils.set_random_seed(seed)
    layers = tf_keras.layers
    image = layers.Input((size, size, channels))
    features = layers.ReLU()(layers.Conv2D(4, 3, 4, name="convolution")(image))
    logits = layers.Dense(classes, activation=activation, name="logits")(layers.GlobalAveragePooling2D()(features))
    return tf_keras.Model(image, logits)
