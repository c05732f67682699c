"""Injections into the bytes of a `.tflite` that TensorFlow Lite Micro runs on this host.

TFLM reads weights and biases from these bytes for every image, so a bit may flip after the model was prepared; the rest
is also read while TFLM prepares the model, so there a bit flips before that, too. In the arena, a bit flips between two
images: TFLM's operators run in one call, in which nothing can flip a bit.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from firmware_export.common import child
from firmware_export.common.files import write_bytes
from firmware_export.tflite import reader
from firmware_export.tflite.interpreters import TflmInterpreter
from firmware_export.tflite.model import Model
from firmware_export.upsets import arena, workers
from firmware_export.upsets.folder import Exported
from firmware_export.upsets.outcomes import Found
from firmware_export.upsets.plan import Injection

WEIGHTS, BIASES, REST = "model: weights", "model: biases", "model: graph"
AT_START = f"{REST}, before preparation"
ARENA = "arena, between images"

Span = tuple[int, int, str, int]
"""First byte, end, layer in words, and bytes of an element."""


@dataclass(frozen=True)
class Spans:
    """The bytes of a model, and of the arena, by region."""

    regions: dict[str, tuple[Span, ...]]

    def bits(self, region: str) -> int:
        """The number of bits of a region."""
        return 8 * sum(end - start for start, end, _, _ in self.regions[region])


def spans(content: bytes, arena_bytes: int) -> Spans:
    """Where weights, biases and the rest are in a `.tflite`; and the arena, if it is not of 0 bytes."""
    model = reader.read(content)
    constants = sorted(_constants(model))
    regions: dict[str, list[Span]] = {WEIGHTS: [], BIASES: [], REST: []}
    last = 0
    for start, end, layer, element in constants:
        if start > last:
            regions[REST].append((last, start, "–", 1))
        regions[BIASES if element == 4 else WEIGHTS].append((start, end, layer, element))
        last = end
    if last < len(content):
        regions[REST].append((last, len(content), "–", 1))
    found = {name: tuple(each) for name, each in regions.items() if each}
    arena: dict[str, tuple[Span, ...]] = {ARENA: ((0, arena_bytes, "–", 1),)} if arena_bytes else {}
    return Spans(found | {AT_START: found[REST]} | arena)


def _constants(model: Model) -> Iterator[Span]:
    """The bytes of weights (int8) and biases (int32, the third input of an operator), each once."""
    places = _places(model.content)
    seen = set()
    for number, operator in enumerate(model.graph.operators, start=1):
        for position, tensor in enumerate(operator.inputs):
            if tensor is None or not tensor.is_constant or tensor.dtype != ("int32" if position == 2 else "int8"):
                continue
            buffer = model.tensor_buffers[tensor.index]
            if buffer not in seen and buffer in places:
                seen.add(buffer)
                shape = " x ".join(map(str, operator.outputs[0].shape[1:]))
                layer = f"{number}: {operator.name} to {shape}"
                yield (*places[buffer], layer, np.dtype(tensor.dtype).itemsize)


def _places(content: bytes) -> dict[int, tuple[int, int]]:
    """The first byte and the end of each buffer that is in the file."""
    from ai_edge_litert import schema_py_generated as schema

    whole = np.frombuffer(content, np.uint8)
    root: Any = schema.Model.GetRootAs(content, 0)
    found = {}
    for index in range(root.BuffersLength()):
        data = root.Buffers(index).DataAsNumpy()
        if isinstance(data, np.ndarray) and data.size:
            start = int(data.ctypes.data - whole.ctypes.data)
            found[index] = (start, start + data.size)
    return found


def draw(found: Spans, images: int, samples: int, seed: int) -> list[Injection]:
    """Draw injections into each region, as `plan.draw`: `IMAGE MOMENT BYTE BIT`.

    The moments are b: before preparation; a: after it; r: after it, in the arena.
    """
    drawn = []
    for position, region in enumerate(found.regions):
        random = np.random.default_rng([seed, 2000 + position])
        moment = {AT_START: "b", ARENA: "r"}.get(region, "a")
        for bit, image in zip(
            random.integers(found.bits(region), size=samples).tolist(),
            random.integers(images, size=samples).tolist(),
            strict=True,
        ):
            (start, _, layer, element), byte = _at(found.regions[region], bit // 8)
            place = 8 * (byte % element) + bit % 8
            line = f"{image} {moment} {start + byte} {bit % 8}"
            drawn.append(Injection(line, region, layer, f"{place} of {8 * element}"))
    return drawn


def _at(parts: Sequence[Span], byte: int) -> tuple[Span, int]:
    for part in parts:
        if byte < part[1] - part[0]:
            return part, byte
        byte -= part[1] - part[0]
    raise IndexError(byte)


def arena_bytes(exported: Exported) -> int:
    """The size of the arena into which bits can be flipped.

    Raises:
        UserError: it cannot be found on this host.
    """
    size = int(exported.report["arena_bytes"])
    model = reader.read(exported.model)
    arena.find(TflmInterpreter(model, size), model, size)
    return size


def inject(exported: Exported, drawn: Sequence[Injection], *, work: Path, jobs: int) -> list[Found]:
    """Run injections in processes that a damaged model may crash."""
    model, inputs = work / "model.tflite", work / "inputs"
    write_bytes(model, exported.model)
    write_bytes(inputs, exported.codes.tobytes())
    given = [str(model), str(inputs), str(exported.report["arena_bytes"])]
    worker = child.command("firmware_export.upsets.tflm_worker", *given)
    found = workers.run(
        {number: injection.line for number, injection in enumerate(drawn)},
        work,
        lambda planned, journal: [*worker, str(planned), str(journal)],
        jobs,
        f"{exported.name}, TFLM",
    )
    return [found[number] for number in range(len(drawn))]
