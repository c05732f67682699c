"""Names of the classes and functions that the description of a Keras model may contain: they only compute."""

import functools
from collections.abc import Iterable, Iterator
from typing import Any

from firmware_export.common.stderr import captured_stderr

OPERATION_LAYERS = frozenset({"TFOpLambda", "SlicingOpLambda"})
"""Layers of `tf_keras` that call a TensorFlow operation, which their configuration names."""

_MODELS = {"Functional", "Model", "Sequential"}

# `Lambda` contains Python bytecode; the others open a file that their configuration names.
_UNSAFE_LAYERS = {"Lambda", "DenseFeatures", "IntegerLookup", "StringLookup", "TextVectorization"}

# These contain pickled or compiled functions, or load a SavedModel.
_UNSAFE_LAYERS_OF_KERAS_3 = {"FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper"}

_SERVICES = {"Input", "deserialize", "get", "serialize"}

# Values in a configuration that JSON cannot represent.
_VALUES = {"__bytes__", "__ellipsis__", "__numpy__", "__tensor__", "__tuple__", "TensorShape"}
_VALUES_OF_KERAS_3 = {"__bytes__", "__ellipsis__", "__keras_tensor__", "__numpy__", "__slice__", "__tensor__"}


@functools.cache
def legacy() -> frozenset[str]:
    """Names for a model of `tf_keras`, quantization-aware or not."""
    with captured_stderr():  # TensorFlow tells of GPUs that it does not find
        import tensorflow_model_optimization as tfmot
        import tf_keras

    names = _callables([*_spaces(tf_keras), tf_keras.mixed_precision])
    names -= {*_UNSAFE_LAYERS, *_SERVICES, "set_global_policy", "global_policy"}
    names |= {"SyncBatchNormalization", *_MODELS, *OPERATION_LAYERS, *_VALUES}
    return frozenset(names.union(*tfmot.quantization.keras.quantize_scope().custom_objects))


@functools.cache
def of_keras_3() -> frozenset[str]:
    """Names for a model of Keras 3."""
    with captured_stderr():
        import keras

    names = _callables([*_spaces(keras), keras.dtype_policies])
    # An operation of `keras.ops` between two layers is a class of that module.
    operations = {kind.__name__ for kind in _below(keras.Operation) if kind.__module__.startswith("keras.src.ops.")}
    names |= operations - {"Function"}
    names -= {*_UNSAFE_LAYERS, *_UNSAFE_LAYERS_OF_KERAS_3, *_SERVICES}
    return frozenset(names | _MODELS | _VALUES_OF_KERAS_3)


def _spaces(library: Any) -> list[Any]:
    found = [library.activations, library.constraints, library.initializers, library.losses, library.metrics]
    return [*found, library.layers, library.optimizers, library.regularizers]


def _callables(spaces: Iterable[Any]) -> set[str]:
    return {name for space in spaces for name in dir(space) if name[0] != "_" and callable(getattr(space, name))}


def _below(kind: type[Any]) -> Iterator[type[Any]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)
