"""Compare each layer of a quantization-aware Keras model with its operators, on the inputs that the int8 model gives.

The two models round differently, and later layers spread and enlarge what differs: in a network of high gain to many
steps of the output. On equal inputs, a layer differs by a step where the two round differently, and by no more. A wrong
weight, bias or scale changes a layer's own outputs by many steps, whatever the network makes of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from firmware_export.tflite import interpreters
from firmware_export.tflite.graph import Graph, Operator, Tensor
from firmware_export.tflite.interpreters import TfliteInterpreter
from firmware_export.tflite.model import Model

LARGEST_DIFFERENCE = 1
"""Steps of a layer's output."""
LARGEST_SHARE = 0.1
"""Of a layer's outputs that differ; rounding alone made 1 in 20 differ in the layers seen."""


def first_departure(keras_model: Any, model: Model, codes: np.ndarray) -> str | None:
    """The first layer whose outputs differ by more than rounding, in words; None if every layer agrees.

    The converter names a tensor after the Keras layers that it came from. An operator without such a layer is compared
    together with the next one that has one.

    Args:
        keras_model: quantization-aware, float32 [batch, …] in [0, 1].
        model: the int8 model converted from it.
        codes: int8 [N, …]: images as input codes of the int8 model.
    """
    graph = model.graph
    layers = {}
    for operator in graph.operators:
        tensor = operator.outputs[0]
        layer = _layer_of(keras_model, tensor)
        if layer is not None and len(tensor.scales) == 1:
            layers[tensor.index] = layer
    if graph.outputs[0].index not in layers:
        return f"the output {graph.outputs[0].name!r} has the name of no Keras layer"
    found = _tensors(model, codes, [graph.inputs[0].index, *layers])
    for operator in graph.operators:
        tensor = operator.outputs[0]
        if tensor.index not in layers:
            continue
        layer = layers[tensor.index]
        sources = {source.index: source for source in _before(graph, layers, operator)}
        given = [
            real_input(graph, codes) if source == graph.inputs[0] else _real(found[index], source)
            for index, source in sources.items()
        ]
        outputs = [layers[index].output if index in layers else keras_model.inputs[0] for index in sources]
        values = _outputs(outputs, layer, given)
        if values is None:
            return f"{layer.name!r} ({operator.label}) has inputs that are the outputs of no operator"
        difference = np.abs(quantize(values, tensor).astype(int) - found[tensor.index].astype(int))
        if difference.max() > LARGEST_DIFFERENCE or np.count_nonzero(difference) > LARGEST_SHARE * difference.size:
            return f"the first layer that differs on equal inputs is {layer.name!r} ({operator.label})"
    return None


def quantize(values: np.ndarray, tensor: Tensor) -> np.ndarray:
    """Convert real values to the nearest int8 codes of a tensor, saturated."""
    return np.clip(np.round(values / tensor.scale) + tensor.zero_point, -128, 127).astype(np.int8)


def real_input(graph: Graph, codes: np.ndarray) -> np.ndarray:
    """The float32 values of input codes, as the Keras model gets them."""
    tensor = graph.inputs[0]
    if graph.has_unit_input:  # the code's own value would differ by the rounding of the scale
        values = interpreters.pixel_values(graph.input_range or "", 1)[0].astype(np.float32)
        return np.take(values, codes.view(np.uint8) ^ np.uint8(0x80))
    return _real(codes, tensor)


def _real(codes: np.ndarray, tensor: Tensor) -> np.ndarray:
    return ((codes.astype(np.float64) - tensor.zero_point) * tensor.scale).astype(np.float32)


def _tensors(model: Model, codes: np.ndarray, indices: Sequence[int]) -> dict[int, np.ndarray]:
    """The codes of tensors for all images, by the reference kernels."""
    reference = TfliteInterpreter(model, is_reference=True)
    found: dict[int, list[np.ndarray]] = {index: [] for index in indices}
    for image in codes:
        reference.invoke(image[None])
        for index, values in found.items():
            values.append(reference.tensor(index).copy())
    return {index: np.concatenate(values) for index, values in found.items()}


def _before(graph: Graph, layers: Mapping[int, Any], operator: Operator) -> list[Tensor]:
    """The nearest tensors with a Keras layer from which an operator computes, and the model's input; no constants."""
    found = []
    for tensor in filter(None, operator.inputs):
        if tensor.index in layers or tensor == graph.inputs[0]:
            found.append(tensor)
        else:
            writers = [writer for writer in graph.operators if tensor in writer.outputs]
            found += [source for writer in writers for source in _before(graph, layers, writer)]
    return found


def _outputs(sources: Sequence[Any], layer: Any, values: Sequence[np.ndarray]) -> np.ndarray | None:
    """A layer's outputs for given outputs of layers before it; None if it depends on others, too."""
    import tf_keras

    try:
        part = tf_keras.Model(list(sources), layer.output)
    except ValueError:
        return None
    return np.asarray(part(list(values) if len(values) > 1 else values[0], training=False))


def _layer_of(keras_model: Any, tensor: Tensor) -> Any | None:
    parts = {part for name in tensor.name.split(";") for part in name.split("/")}
    # A fused tensor has the names of several layers; its values are the output of the last one.
    named = [
        layer for layer in keras_model.layers if layer.name in parts and layer.output_shape[1:] == tensor.shape[1:]
    ]
    return named[-1] if named else None
