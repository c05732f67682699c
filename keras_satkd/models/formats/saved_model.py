"""TensorFlow SavedModels: inspected before they are loaded, then called through their signature."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf

from firmware_export.common.errors import UserError
from firmware_export.common.stderr import captured_stderr
from firmware_export.tflite.keras_inspection import TRUST
from keras_satkd.models.formats.foreign import ForeignNetwork, digest, layout, one_line, only

FILE = "saved_model.pb"
"""In the folder of a SavedModel."""

SIGNATURES = ("serving_default", "serve")
"""Names of signatures that exporters give to inference, the first first."""

_STATEFUL = re.compile(
    r"AssignVariableOp|Assert|If|NoOp|PartitionedCall|Placeholder|ReadVariableOp|StatefulPartitionedCall|"
    r"StatelessIf|StatelessWhile|VarHandleOp|VarIsInitializedOp|While"
)
"""Operations with state that change nothing outside the model."""

_HARMLESS_TEXTS = re.compile(
    r"align|bad_indices_policy|config|config_proto|container|data_format|direction|dst_format|equation|"
    r"executor_type|fill_mode|interpolation|kernel_type|message|method|mode|padding|round_mode|shared_name|"
    r"src_format"
)
"""Attributes of operations that are texts but name neither a file, nor a host, nor a function of Python."""


def load(folder: Path, what: str, *, trust: bool = False) -> ForeignNetwork:
    """Load a SavedModel of TensorFlow 2, `tf_keras`, or Keras 3 (`model.export`).

    Args:
        folder: contains `FILE`.
        what: names the model in messages.
        trust: load the model even if it contains other operations than computations.

    Raises:
        UserError: the folder is damaged or of TensorFlow 1, the model contains such an operation, or it is not a
            network with one input and one output.
    """
    if not trust:
        check(folder, what)
    with captured_stderr():
        try:
            loaded = tf.saved_model.load(str(folder))
        except Exception as error:
            raise UserError(f"{what} does not load as a SavedModel ({one_line(error)}): save it again") from error
    signature = _signature(loaded, what)
    arguments = signature.structured_input_signature[1]
    name = only(what, "input", sorted(arguments))
    output = only(what, "output", sorted(signature.structured_outputs))
    given, made = arguments[name], signature.structured_outputs[output]
    if not given.dtype.is_floating:
        raise UserError(f"{what} takes {given.dtype.name} images: give a model with float images")
    if given.shape.rank is None or made.shape.rank is None:
        raise UserError(f"{what} does not state the shape of its {'output' if given.shape.rank else 'input'}")
    found = layout(what, given.shape.as_list())
    if found.batch is not None:
        raise UserError(f"{what} takes one image at a time: save it with a variable batch size")

    def run(images: tf.Tensor) -> tf.Tensor:
        return signature(**{name: tf.cast(found.arranged(images), given.dtype)})[output]

    run.loaded = loaded  # type: ignore[attr-defined]  # its variables live as long as it does
    sha256, size = digest([folder / FILE, *sorted((folder / "variables").glob("*"))])
    parameters = sum(int(variable.shape.num_elements()) for variable in signature.variables)
    return ForeignNetwork(run, found.input_shape, tuple(made.shape.as_list()), sha256, size, parameters)


def _signature(loaded: Any, what: str) -> Any:
    known = list(loaded.signatures)
    name = next((each for each in SIGNATURES if each in known), known[0] if len(known) == 1 else None)
    if name is None:
        listed = ", ".join(known) or "none"
        raise UserError(f"{what} has no signature {SIGNATURES[0]!r} (it has: {listed}): save it with one")
    return loaded.signatures[name]


def check(folder: Path, what: str) -> None:
    """Refuse a SavedModel that could read or write files, reach the network, or call Python when it is loaded or run.

    Only operations pass that compute: they are stateless, or listed here, and take neither a string nor a text that
    could name a file. What saves and restores the variables is not looked at, because TensorFlow calls it only where it
    is part of the saved objects.

    Raises:
        UserError: such an operation is there, or the file is damaged or of TensorFlow 1.
    """
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    saved = SavedModel()
    damaged = f"{folder / FILE} is truncated or damaged: save the model again"
    try:
        saved.ParseFromString((folder / FILE).read_bytes())
    except Exception:  # protobuf's exceptions differ between its versions
        raise UserError(damaged) from None
    if len(saved.meta_graphs) != 1:
        raise UserError(damaged)
    graph = saved.meta_graphs[0]
    if not graph.HasField("object_graph_def"):
        raise UserError(f"{what} is a SavedModel of TensorFlow 1: save it with TensorFlow 2")
    functions = {function.signature.name: function for function in graph.graph_def.library.function}
    pending, seen = list(graph.object_graph_def.concrete_functions), set()
    while pending:
        name = pending.pop()
        if name in seen or name not in functions:
            continue
        seen.add(name)
        for node in functions[name].node_def:
            if (problem := _problem(node, functions)) is not None:
                raise UserError(
                    f"{what}: operation {node.op} {problem}, which can read or write files or run code: save the model "
                    f"without it, or give {TRUST} if you trust its author"
                )
            pending += _called(node)


def _called(node: Any) -> Iterator[str]:
    if node.op:
        yield node.op  # a function can be called like an operation
    for value in node.attr.values():
        if value.HasField("func"):
            yield value.func.name
        yield from (each.name for each in value.list.func)


def _problem(node: Any, functions: Any) -> str | None:
    """What is unsafe about an operation; None if it only computes."""
    if node.op in functions:
        return None
    with contextlib.suppress(LookupError, tf.errors.NotFoundError):
        return _problem_of_kind(node)
    return "is unknown"


def _problem_of_kind(node: Any) -> str | None:
    from tensorflow.python.framework import op_def_registry

    kind = op_def_registry.get(node.op)
    if kind is None:
        raise LookupError(node.op)
    if kind.is_stateful and not _STATEFUL.fullmatch(node.op):
        return "is stateful"
    if _STATEFUL.fullmatch(node.op):
        return None
    for attribute in kind.attr:
        if attribute.type in ("string", "list(string)") and not _HARMLESS_TEXTS.fullmatch(attribute.name):
            return f"has the text {attribute.name!r}"
    is_text = any(value.type == tf.string.as_datatype_enum for value in node.attr.values() if value.HasField("type"))
    is_text |= any(tf.string.as_datatype_enum in value.list.type for value in node.attr.values())
    is_text |= any(end.type == tf.string.as_datatype_enum for end in (*kind.input_arg, *kind.output_arg))
    return "takes or makes a string" if is_text and node.op != "Const" else None
