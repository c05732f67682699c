"""Attention blocks for students, made of layers that TensorFlow Lite Micro and the row engine run in int8.

Each takes features [B, H, W, C] and returns features of the same shape. A gate over channels depends on the whole
plane, so the row engine keeps the block's input: H·W·C bytes. Put such a block where the plane is small.
"""

import tensorflow as tf
from tf_keras import layers


def squeeze_excitation(features: tf.Tensor, name: str, reduction: int = 16) -> tf.Tensor:
    """SE (arXiv 1709.01507): `y = x · σ(W₂ ReLU(W₁ mean(x)))`, one factor for each channel.

    Args:
        features: float [B, H, W, C].
        name: first part of the layers' names.
        reduction: C is divided by it within the gate; at least one channel is left.

    >>> squeeze_excitation(layers.Input((8, 8, 32)), "se").shape.as_list()
    [None, 8, 8, 32]
    """
    squeezed = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_mean")(features)
    gate = _bottleneck(squeezed, reduction, name)
    return layers.Multiply(name=f"{name}_scale")([features, _sigmoid(gate, name)])


def gluse(features: tf.Tensor, name: str, reduction: int = 16) -> tf.Tensor:
    """GLUSE (arXiv 2504.12484): `y = SE(x) + (W_v x) · σ(W_g x)`, SE with a gated linear unit beside it.

    Args:
        features: float [B, H, W, C].
        name: first part of the layers' names.
        reduction: as for `squeeze_excitation`.
    """
    channels = features.shape[-1]
    value = layers.Conv2D(channels, 1, name=f"{name}_value")(features)
    gate = layers.Conv2D(channels, 1, name=f"{name}_gate")(features)
    gated = layers.Multiply(name=f"{name}_gated")([value, _sigmoid(gate, f"{name}_gate")])
    return layers.Add(name=f"{name}_add")([squeeze_excitation(features, f"{name}_se", reduction), gated])


def cbam(features: tf.Tensor, name: str, reduction: int = 16, kernel: int = 7) -> tf.Tensor:
    """CBAM (arXiv 1807.06521): a gate over channels, then one over pixels, each from means and maxima.

    `x' = x · σ(M(mean(x)) + M(max(x)))` with `M(z) = W₂ ReLU(W₁ z)`, and `y = x' · σ(f([mean_c(x'); max_c(x')]))` with
    a convolution f. M reads mean and maximum as two columns, so that its weights exist once; the mean of both columns
    stands for their sum, which W₂ makes up for.

    Args:
        features: float [B, H, W, C].
        name: first part of the layers' names.
        reduction: as for `squeeze_excitation`.
        kernel: height and width of f.
    """
    height, width, channels = features.shape[1:]
    squeezed = [
        layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_mean")(features),
        layers.MaxPooling2D((height, width), name=f"{name}_max")(features),
    ]
    columns = layers.Concatenate(axis=2, name=f"{name}_columns")(squeezed)
    gate = _bottleneck(columns, reduction, name)
    gate = layers.AveragePooling2D((1, 2), name=f"{name}_both")(gate)
    features = layers.Multiply(name=f"{name}_scale")([features, _sigmoid(gate, name)])
    # As a plane of one channel, in which a pixel's channels are neighbours, pooling is over channels.
    flat = layers.Reshape((height, width * channels, 1), name=f"{name}_flat")(features)
    pooled = [
        layers.AveragePooling2D((1, channels), name=f"{name}_pixel_mean")(flat),
        layers.MaxPooling2D((1, channels), name=f"{name}_pixel_max")(flat),
    ]
    gate = layers.Concatenate(name=f"{name}_pixels")(pooled)
    gate = layers.Conv2D(1, kernel, padding="same", use_bias=False, name=f"{name}_pixel_convolution")(gate)
    gate = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_pixel_batch_norm")(gate)
    return layers.Multiply(name=f"{name}_pixel_scale")([features, _sigmoid(gate, f"{name}_pixel")])


def _bottleneck(squeezed: tf.Tensor, reduction: int, name: str) -> tf.Tensor:
    channels = squeezed.shape[-1]
    reduced = layers.Conv2D(max(1, channels // reduction), 1, name=f"{name}_reduce")(squeezed)
    reduced = layers.ReLU(name=f"{name}_relu")(reduced)
    return layers.Conv2D(channels, 1, name=f"{name}_expand")(reduced)


def _sigmoid(gate: tf.Tensor, name: str) -> tf.Tensor:
    return layers.Activation("sigmoid", name=f"{name}_sigmoid")(gate)
