"""Networks that are wider than a student, and their narrowing: channels that belong together, and how they are removed.

Channels of several layers are one group if layers add them: removing one removes it everywhere. A channel whose batch
norms have scale and shift 0 is 0 in the whole network, so that the network without it computes the same.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tf_keras

from firmware_export.common.errors import UserError

_layers = tf_keras.layers
_SAME_CHANNELS = (
    _layers.ReLU,
    _layers.Activation,
    _layers.DepthwiseConv2D,
    _layers.BatchNormalization,
    _layers.MaxPooling2D,
    _layers.AveragePooling2D,
    _layers.GlobalAveragePooling2D,
    _layers.GlobalMaxPooling2D,
    _layers.ZeroPadding2D,
    _layers.Dropout,
)
_ZERO_AT_ZERO = ("linear", "relu", "relu6", "swish", "tanh", "gelu")
"""Activations that keep a channel of zeros."""


@dataclass(frozen=True)
class Group:
    """Channels that can only be removed together.

    Attributes:
        channels: their number.
        norms: names of the batch norms that scale them.
    """

    channels: int
    norms: tuple[str, ...]


def groups_of(network: tf_keras.Model) -> tuple[dict[str, Group], dict[str, tuple[str | None, str | None]]]:
    """The groups of channels of a network, and which its layers read and write.

    Args:
        network: functional or sequential, of convolutions with batch norms, additions and pooling, and a dense layer.

    Returns:
        Groups by name, which is that of their first convolution; and for each layer by name those of its input and its
        output, None for those that cannot change: bands and logits.

    Raises:
        UserError: it has another layer, or a convolution without a batch norm with scale and shift after it.
    """
    joined: dict[str, str] = {}

    def root(name: str | None) -> str | None:
        while name is not None and joined[name] != name:
            name = joined[name]
        return name

    ends: dict[str, tuple[str | None, str | None]] = {}
    for layer in network.layers:
        inputs = [root(ends[each.name][1]) for each in _before(layer) if each.name in ends]
        given = inputs[0] if inputs else None
        _check(layer, network)
        if isinstance(layer, _layers.Conv2D) and not isinstance(layer, _layers.DepthwiseConv2D):
            joined[layer.name] = layer.name
            ends[layer.name] = given, layer.name
        elif isinstance(layer, _layers.Add):
            found = [each for each in inputs if each is not None]
            for each in found:
                joined[each] = found[0]
            first = found[0] if found else None
            ends[layer.name] = first, first
        elif isinstance(layer, _layers.Dense):
            ends[layer.name] = given, None
        else:
            ends[layer.name] = given, given
    ends = {name: (root(given), root(made)) for name, (given, made) in ends.items()}
    norms = [layer for layer in network.layers if isinstance(layer, _layers.BatchNormalization)]
    found_groups = {}
    for name in dict.fromkeys(made for _, made in ends.values() if made is not None):
        of_group = tuple(layer.name for layer in norms if ends[layer.name][1] == name)
        found_groups[name] = Group(int(network.get_layer(name).filters), of_group)
    return found_groups, ends


def _before(layer: Any) -> list[Any]:
    nodes = layer.inbound_nodes
    found = nodes[0].inbound_layers if nodes else []
    return list(found) if isinstance(found, list | tuple) else [found]


def _after(layer: Any) -> list[Any]:
    return [node.outbound_layer for node in layer.outbound_nodes]


def _check(layer: Any, network: tf_keras.Model) -> None:
    if isinstance(layer, _layers.InputLayer | _layers.Add):
        return
    is_convolution = isinstance(layer, _layers.Conv2D)  # a DepthwiseConv2D is one too
    if is_convolution:
        after = _after(layer)
        is_normalized = len(after) == 1 and isinstance(after[0], _layers.BatchNormalization)
        if not (is_normalized and after[0].scale and after[0].center):
            raise _refusal(network, layer, "a convolution without a batch norm with scale and shift after it")
        if layer.groups != 1 and not isinstance(layer, _layers.DepthwiseConv2D):
            raise _refusal(network, layer, "a convolution in groups")
        if isinstance(layer, _layers.DepthwiseConv2D) and layer.depth_multiplier != 1:
            raise _refusal(network, layer, "a depthwise convolution that adds channels")
    elif isinstance(layer, _layers.Activation) and layer.activation.__name__ not in _ZERO_AT_ZERO:
        raise _refusal(network, layer, f"an activation {layer.activation.__name__!r}, which is not 0 at 0")
    elif isinstance(layer, _layers.Dense):
        if layer is not network.layers[-1]:
            raise _refusal(network, layer, "a dense layer before the last")
    elif not isinstance(layer, _SAME_CHANNELS):
        raise _refusal(network, layer, f"a {type(layer).__name__}")


def _refusal(network: tf_keras.Model, layer: Any, what: str) -> UserError:
    return UserError(
        f"student {network.name}: {layer.name!r} is {what}, and --distillation.capacity cannot change its width: use "
        "resnet8 or resnet16, or --distillation.capacity.widest 1"
    )


def widened(student: tf_keras.Model, factor: float) -> tf_keras.Model:
    """A network like the student, with random weights, of `round(factor · channels)` channels in each group.

    Raises:
        UserError: see `groups_of`.
    """
    groups, ends = groups_of(student)
    config = student.get_config()
    for each in config["layers"]:
        group = ends.get(each["config"]["name"], (None, None))[1]
        if each["class_name"] == "Conv2D" and group is not None:
            each["config"]["filters"] = round(factor * groups[group].channels)
    return type(student).from_config(config)


def importance(network: tf_keras.Model, group: Group) -> np.ndarray:
    """Sum of the absolute scales of a channel in all batch norms of its group, float32 [channels].

    Source: Liu et al., "Network Slimming" (ICCV 2017, arXiv 1708.06519).
    """
    found: np.ndarray = sum(np.abs(network.get_layer(name).gamma.numpy()) for name in group.norms)
    return found


def most_important(values: np.ndarray, number: int) -> np.ndarray:
    """Positions of the largest values, in their order, int [number]; of equal ones, the first."""
    return np.sort(np.argsort(-values, kind="stable")[:number])


def narrow(wide: tf_keras.Model, student: tf_keras.Model) -> None:
    """Give a student the weights of the most important channels of a wider network.

    If all other channels of `wide` have scale and shift 0, both compute the same.

    Args:
        wide: from `widened`, trained.
        student: the network that was widened, or one like it; its weights are replaced.
    """
    groups, ends = groups_of(wide)
    narrower, _ = groups_of(student)
    everything = slice(None)
    kept: dict[str | None, Any] = {
        name: most_important(importance(wide, group), narrower[name].channels) for name, group in groups.items()
    }
    kept[None] = everything
    for layer, target in zip(wide.layers, student.layers, strict=True):
        if layer.weights:
            given, made = (kept[each] for each in ends[layer.name])
            target.set_weights([_part(layer, weights, given, made) for weights in layer.get_weights()])


def _part(layer: Any, weights: np.ndarray, given: Any, made: Any) -> np.ndarray:
    if weights.ndim == 1:
        part: np.ndarray = weights[made]
    elif isinstance(layer, _layers.DepthwiseConv2D):
        part = weights[:, :, made]
    else:
        part = weights[..., given, :][..., made]
    return part


def channels_kept(widest: int, least: int, step: int, steps: int) -> int:
    """Channels after a number of equal removals: `widest` after none, `least` after all of them."""
    return widest - (widest - least) * step // steps
