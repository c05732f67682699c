"""Damaged `.tflite` files; the same seed gives the same damage."""

import random
import struct
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

_INTEGERS = (-(2**31), -2, -1, 0, 1, 2, 3, 7, 16, 127, 128, 255, 256, 65535, 65536, 2**31 - 1)
_FLOATS = (0.0, -1.0, 1e-45, 1e-30, 1e-3, 0.5, 1.0, 255.0, 1e30, float("inf"), float("-inf"), float("nan"))
_NAMES = (b"", b"\xff\xfe", b'two\nlines "*/ ??/', b"x" * 5000)


def mutated(model: bytes, seed: int) -> bytes:
    """The model with a few changed bytes or schema fields."""
    generator = random.Random(seed)
    if generator.random() < 0.35:
        return _damage_bytes(bytearray(model), generator)
    while True:
        content = schema.ModelT.InitFromPackedBuf(model)
        builder = flatbuffers.Builder(len(model))
        try:
            for _ in range(generator.choice((1, 1, 1, 2, 3))):
                _change_field(content, generator)
            builder.Finish(content.Pack(builder), file_identifier=b"TFL3")
        except (struct.error, TypeError, AttributeError, ValueError, OverflowError):
            continue  # not representable in the schema: try again
        return bytes(builder.Output())


def _damage_bytes(content: bytearray, generator: random.Random) -> bytes:
    at = generator.randrange(len(content))
    match generator.randrange(6):
        case 0:
            for _ in range(generator.randint(1, 8)):
                content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
        case 1:
            content[at] = generator.randrange(256)
        case 2:  # a 32-bit word, such as an offset, length, index or size
            at = min(at, len(content) - 4) & ~3
            struct.pack_into("<i", content, at, generator.choice(_INTEGERS))
        case 3:
            del content[at:]
        case 4:
            content[at : at + generator.randint(1, 64)] = b""
        case _:
            end = at + generator.randint(1, 256)
            source = generator.randrange(len(content))
            content[at:end] = content[source : source + end - at]
    return bytes(content)


def _change_field(content: Any, generator: random.Random) -> None:
    fields: dict[tuple[str, str], list[Any]] = {}
    _collect(content, fields)
    kind = generator.choice(sorted(fields))
    owner = generator.choice(fields[kind])
    setattr(owner, kind[1], _changed(getattr(owner, kind[1]), generator))


def _collect(owner: Any, fields: dict[tuple[str, str], list[Any]]) -> None:
    for name, value in vars(owner).items():
        fields.setdefault((type(owner).__name__, name), []).append(owner)
        for part in value if isinstance(value, list) else (value,):
            if hasattr(part, "__dict__"):
                _collect(part, fields)


def _changed(value: Any, generator: random.Random) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return generator.choice((*_INTEGERS, value - 1, value + 1, 2 * value))
    if isinstance(value, float):
        return generator.choice(_FLOATS)
    if isinstance(value, bytes | str):
        return generator.choice(_NAMES)
    if isinstance(value, np.ndarray | list):
        return _changed_list(value, generator)
    return None if value is not None else generator.choice((0, b"", [], [0]))


def _changed_list(value: Any, generator: random.Random) -> Any:
    items = list(value)
    at = generator.randrange(len(items)) if items else 0
    match generator.randrange(8):
        case 0:
            return None
        case 1:
            return []
        case 2 if items:
            del items[at]
        case 3 if items:
            items.insert(at, items[at])
        case 4 if items:
            generator.shuffle(items)
        case _ if items and not hasattr(items[at], "__dict__"):
            items[at] = _changed(items[at].item() if isinstance(items[at], np.generic) else items[at], generator)
        case _:
            pass
    return np.array(items, value.dtype) if isinstance(value, np.ndarray) else items
