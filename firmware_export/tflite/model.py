"""A parsed `.tflite` file: its bytes, graph, operator options, constants and metadata.

Only this module unpacks and packs the flatbuffer.
"""

import hashlib
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np

from firmware_export.tflite.graph import Graph, Operator, Tensor

Options = Mapping[str, Any]
"""An operator's options by the schema's names, such as strideH."""


@dataclass(frozen=True)
class Buffer:
    """Data that tensors or metadata refer to by its index."""

    data: bytes
    """Empty if the file has none."""
    is_external: bool
    """Whether the data is outside the flatbuffer."""


@dataclass(frozen=True)
class Metadata:
    """One entry of the file's metadata."""

    name: bytes | None
    buffer: int
    """An index into the model's buffers, not yet checked."""


@dataclass(frozen=True, eq=False)
class Origin:
    """The file that a normalized copy was made from."""

    model: "Model"
    """As parsed from the file."""
    changes: tuple[str, ...]
    """Every change of the copy, one sentence each."""
    runs_unchanged: bool
    """Whether TensorFlow Lite Micro runs the file itself, with the same operators and tensors."""


@dataclass(frozen=True, eq=False)
class Model:
    """A `.tflite` file. For a file that may be damaged, use `reader.read`."""

    content: bytes = field(repr=False)
    """The file."""
    graph: Graph
    options: tuple[Options, ...] = field(repr=False)
    """For each operator, in the order of the graph; empty if it has none."""
    tensor_buffers: tuple[int, ...] = field(repr=False)
    """The index of each tensor's buffer, in the order of the graph."""
    buffers: tuple[Buffer, ...] = field(repr=False)
    metadata: tuple[Metadata, ...]
    origin: Origin | None = None
    """None unless this is a normalized copy (`normalize.normalized`)."""

    @property
    def given(self) -> "Model":
        """The model as in the file that was read."""
        return self if self.origin is None else self.origin.model

    @property
    def shipped(self) -> "Model":
        """The model to export: the file's own if TensorFlow Lite Micro runs it unchanged, otherwise this copy."""
        return self if self.origin is None or not self.origin.runs_unchanged else self.origin.model

    @property
    def changes(self) -> tuple[str, ...]:
        """What distinguishes `shipped` from the file, one sentence for each change."""
        return () if self.origin is None or self.origin.runs_unchanged else self.origin.changes

    @property
    def name(self) -> str:
        """The model's name in error messages."""
        return self.graph.name

    @property
    def size(self) -> int:
        """Size of the file in bytes."""
        return len(self.content)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the file, in lower-case hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def crc32(self) -> int:
        """zlib's CRC-32 of the file."""
        return zlib.crc32(self.content)

    def buffer(self, tensor: Tensor) -> Buffer:
        """A tensor's buffer."""
        return self.buffers[self.tensor_buffers[tensor.index]]

    def constant(self, tensor: Tensor) -> np.ndarray:
        """A constant's values, read-only, in its shape.

        Args:
            tensor: a constant of a data type that NumPy supports.
        """
        dtype = np.dtype(tensor.dtype).newbyteorder("<")
        return np.frombuffer(self.buffer(tensor).data, dtype).reshape(tensor.shape)

    def edited(self, edit: Callable[[Any], None]) -> "Model":
        """A changed copy of this model.

        Args:
            edit: changes the flatbuffer's object form (`ModelT` of the schema) in place.
        """
        unpacked = _unpack(self.content)
        edit(unpacked)
        made = parse(_pack(unpacked, len(self.content)), self.name)
        return made.with_range(self.graph.stated_range)

    def with_range(self, name: str | None) -> "Model":
        """The same model with the input range that the user stated, or None."""
        if name == self.graph.stated_range:
            return self
        origin = None if self.origin is None else replace(self.origin, model=self.origin.model.with_range(name))
        return replace(self, graph=replace(self.graph, stated_range=name), origin=origin)


def parse(content: bytes, name: str) -> Model:
    """Parse a file that is known to be a complete flatbuffer.

    Args:
        content: the file.
        name: the model's name in error messages.

    Raises:
        AttributeError, LookupError, TypeError, ValueError: the file is inconsistent.
    """
    unpacked = _unpack(content)
    main = unpacked.subgraphs[0]
    return Model(
        content=content,
        graph=_graph(unpacked, name),
        options=tuple(_options(operator.builtinOptions) for operator in _listed(main.operators)),
        tensor_buffers=tuple(int(tensor.buffer) for tensor in main.tensors),
        buffers=tuple(Buffer(_bytes(buffer.data), buffer.offset > 1) for buffer in unpacked.buffers),
        metadata=tuple(Metadata(entry.name, int(entry.buffer)) for entry in _listed(unpacked.metadata)),
    )


def enum_name(enum: str, value: int) -> str:
    """The schema's name of an enumeration's value; the value itself if it has no name, as in a damaged file.

    >>> enum_name("Padding", 0), enum_name("Padding", 99)
    ('SAME', '99')
    """
    return _names(enum).get(value, str(value))


def _unpack(content: bytes) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromPackedBuf(content)


def _pack(unpacked: Any, size: int) -> bytes:
    import flatbuffers

    builder = flatbuffers.Builder(size)
    builder.Finish(unpacked.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _names(enum: str) -> dict[int, str]:
    from ai_edge_litert import schema_py_generated as schema

    names = vars(getattr(schema, enum))
    return {code: name for name, code in names.items() if isinstance(code, int) and not name.startswith("_")}


def _graph(unpacked: Any, name: str) -> Graph:
    main = unpacked.subgraphs[0]
    builtin_names, dtype_names = _names("BuiltinOperator"), _names("TensorType")
    written = {index for operator in _listed(main.operators) for index in map(int, _listed(operator.outputs))}
    tensors = tuple(
        _tensor(index, tensor, dtype_names, unpacked.buffers, index in written)
        for index, tensor in enumerate(main.tensors)
    )
    names = [_operator_name(code, builtin_names) for code in unpacked.operatorCodes]
    operators = tuple(
        Operator(
            index,
            names[operator.opcodeIndex],
            tuple(None if i < 0 else tensors[i] for i in map(int, _listed(operator.inputs))),
            _given(tensors, operator.outputs, f"operator {index} ({names[operator.opcodeIndex]})"),
        )
        for index, operator in enumerate(_listed(main.operators))
    )
    inputs, outputs = (_given(tensors, ends, "the model") for ends in (main.inputs, main.outputs))
    return Graph(name, inputs, outputs, tensors, operators, len(unpacked.subgraphs))


def _given(tensors: tuple[Tensor, ...], indices: Any, owner: str) -> tuple[Tensor, ...]:
    found = [int(index) for index in _listed(indices)]
    if min(found, default=0) < 0:  # −1 means an absent tensor, which is allowed only for an operator's input
        raise IndexError(f"{owner} lacks an input or an output")
    return tuple(tensors[index] for index in found)


def _tensor(index: int, tensor: Any, dtype_names: dict[int, str], buffers: list[Any], is_written: bool) -> Tensor:
    data = buffers[tensor.buffer].data
    quantization = tensor.quantization
    shape = tuple(map(int, _listed(tensor.shape)))
    return Tensor(
        index=index,
        name=(tensor.name or b"").decode(errors="replace"),
        shape=shape,
        shape_signature=tuple(map(int, _listed(tensor.shapeSignature))) or shape,
        dtype=dtype_names[tensor.type].lower(),
        scales=tuple(map(float, _listed(quantization.scale))) if quantization else (),
        zero_points=tuple(map(int, _listed(quantization.zeroPoint))) if quantization else (),
        is_constant=not is_written and data is not None and len(data) > 0,
        quantized_dimension=int(quantization.quantizedDimension) if quantization else 0,
        is_variable=bool(tensor.isVariable),
    )


def _operator_name(code: Any, builtin_names: dict[int, str]) -> str:
    if code.customCode:
        return "CUSTOM:" + " ".join(code.customCode.decode(errors="replace").split())
    # Codes below 127 are written to both fields, larger ones only to the newer field.
    return builtin_names[max(code.builtinCode, code.deprecatedBuiltinCode)]


def _options(unpacked: Any) -> Options:
    return MappingProxyType({} if unpacked is None else dict(vars(unpacked)))


def _bytes(data: Any) -> bytes:
    return b"" if data is None else bytes(data)


def _listed(vector: Any) -> list[Any]:
    return [] if vector is None else list(vector)
