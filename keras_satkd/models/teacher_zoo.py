"""The networks that are known by name, and where their ImageNet weights come from."""

import contextlib
import importlib
import io
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import tf_keras

from firmware_export.common.errors import UserError, unknown_name
from keras_satkd.models import efficientnet_lite

logger = logging.getLogger(__name__)

INITIAL_WEIGHTS = ("auto", "imagenet", "none")

OPTIONAL_WEIGHTS = ("auto", "none")
"""Those that cannot fail: nothing has to be fetched."""


@dataclass(frozen=True)
class Architecture:
    """A teacher that is known by name.

    Attributes:
        family: module of `keras_cv_attention_models`.
        builder: function in it.
        input_size: height and width in pixels it was designed for.
        input_range: one of `INPUT_RANGES`, as its ImageNet weights expect.
        options: further arguments of the builder.
        load_imagenet: puts ImageNet weights that are on this machine into a network and returns whether there were
            any; None where `kecam` fetches them.
    """

    family: str
    builder: str
    input_size: int
    input_range: str
    options: Mapping[str, Any] = field(default_factory=dict)
    load_imagenet: Callable[[tf_keras.Model], bool] | None = None


ARCHITECTURES = {
    # At 64 pixels the last attention of the EfficientViTs sees a single position, and its weights stay untrained.
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
    """`efficientvit_m2@128` → ("efficientvit_m2", 128); without `@`, the size that the architecture was designed for.

    Raises:
        UserError: the architecture is unknown, or the size is no multiple of 32 pixels.
    """
    name, _, size = specification.partition("@")
    if name not in ARCHITECTURES:
        raise unknown_name("teacher", name, ARCHITECTURES)
    if not size:
        return name, ARCHITECTURES[name].input_size
    if not size.isdecimal() or int(size) < 64 or int(size) % 32:
        raise UserError(
            f"teacher {specification!r}: the input size must be a multiple of 32 from 64 on, as in {name}@128"
        )
    return name, int(size)


def network(specification: str, classes: int, initial_weights: str) -> tf_keras.Model:
    """A network with ImageNet's weights or random ones.

    Args:
        specification: a name in `ARCHITECTURES`, with `@size` if wanted.
        classes: number of logits.
        initial_weights: one of `INITIAL_WEIGHTS`; `auto` is `imagenet` where they can be fetched, otherwise `none`.

    Raises:
        UserError: the name is unknown, or `imagenet` was asked for and cannot be fetched.
    """
    name, input_size = parse_name(specification)
    architecture = ARCHITECTURES[name]
    if initial_weights != "none":
        found = _with_imagenet_weights(architecture, input_size, classes)
        if found is not None:
            return found
        if initial_weights == "imagenet":
            raise UserError(
                f"teacher {name}: its ImageNet weights cannot be fetched; go online, or --teachers.initial-weights none"
            )
        logger.warning("%s: ImageNet weights cannot be fetched, training from scratch", name)
    return _network(architecture, input_size, classes, pretrained=None)


def _network(architecture: Architecture, input_size: int, classes: int, pretrained: str | None) -> tf_keras.Model:
    family = importlib.import_module(f"keras_cv_attention_models.{architecture.family}")
    build_network: Callable[..., tf_keras.Model] = getattr(family, architecture.builder)
    return build_network(
        input_shape=(input_size, input_size, 3),
        num_classes=classes,
        pretrained=pretrained,
        classifier_activation=None,
        **architecture.options,
    )


def _with_imagenet_weights(architecture: Architecture, input_size: int, classes: int) -> tf_keras.Model | None:
    if architecture.load_imagenet is not None:
        network = _network(architecture, input_size, classes, pretrained=None)
        return network if architecture.load_imagenet(network) else None
    # kecam reports a failed download on stdout alone and returns the network with random weights.
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        network = _network(architecture, input_size, classes, pretrained="imagenet")
    return network if "Load pretrained from" in said.getvalue() else None
