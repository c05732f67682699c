"""Two pairs of files beside the model: is it still intact, and does it still compute what it did on the host?"""

import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from firmware_export import model_data, oracle
from firmware_export.errors import UserError
from firmware_export.graph import Graph
from firmware_export.model_data import ModelFacts

FILES = ("golden_vectors.cc", "golden_vectors.h", "integrity.cc", "integrity.h")
"""What `render` makes, sorted."""

GOLDEN_VECTORS = 4
"""How many inputs go along unless told otherwise: an input each is all the flash that they cost."""

_CODES_A_LINE = 12


@dataclass(frozen=True, eq=False)
class GoldenVectors:
    """Inputs, and the answers that TensorFlow Lite Micro gave to them on the host."""

    inputs: np.ndarray
    """uint8 [N, …input shape without the batch], pixels as the camera gives them; or int8, the model's codes, where its
    input is not `pixel ^ 0x80` and a part's own rounding would come in between."""
    outputs: np.ndarray
    """int8 [N, …output shape without the batch]."""

    @property
    def content(self) -> bytes:
        """All inputs, then all outputs; what the digests are of."""
        return self.inputs.tobytes() + self.outputs.tobytes()

    @property
    def sha256(self) -> str:
        """Of `content`, in lower-case hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def crc32(self) -> int:
        """zlib's CRC-32 of `content`."""
        return zlib.crc32(self.content)

    @property
    def classes(self) -> tuple[int, ...]:
        """The index of each answer's largest output, from 0; the first of equals."""
        return tuple(int(index) for index in _classes(self.outputs))

    @property
    def summary(self) -> dict[str, Any]:
        """What a report says of them: count, bytes, sha256, classes."""
        return {
            "count": len(self.inputs),
            "bytes": len(self.content),
            "sha256": self.sha256,
            "classes": self.classes,
        }


def golden_vectors(
    model: bytes,
    graph: Graph,
    images: np.ndarray,
    *,
    count: int = GOLDEN_VECTORS,
    outputs: np.ndarray | None = None,
) -> GoldenVectors:
    """Choose images of as many predicted classes as there are, and note what TFLM answers.

    Args:
        model: the bytes of an int8 `.tflite` with batch 1.
        graph: the same model, read.
        images: uint8 [N, …input shape without the batch], pixels 0…255; or int8, the model's codes.
        count: how many to choose, from 1 to N.
        outputs: int8 [N, …output shape without the batch], the known answers to `images`, by which to choose; TFLM
            (`oracle.run`) is asked about every image if left out, and about the chosen ones in any case.

    Returns:
        `count` vectors: the first image of each predicted class in the order of `images`, then the second of each, …

    Raises:
        UserError: there are fewer than `count` images, `count` is below 1, or TFLM refuses the model.
    """
    if not 1 <= count <= len(images):
        raise UserError(f"{count} golden vectors of {len(images)} images: ask for 1 to {len(images)}, or give more")
    codes = oracle.quantize_input(images, graph)
    chosen = _choose(_classes(oracle.run(model, codes) if outputs is None else outputs), count)
    codes = codes[chosen]
    inputs = codes.view(np.uint8) ^ np.uint8(0x80) if graph.has_unit_input else codes
    return GoldenVectors(inputs=inputs, outputs=oracle.run(model, codes))


def render(facts: ModelFacts, golden: GoldenVectors) -> dict[str, str]:
    """The generated files, by name: `integrity.h/.cc` and `golden_vectors.h/.cc`, which need `model_data.h` only.

    Args:
        facts: as for `model_data.render`; the namespace, the header and the model's digests come from it.
        golden: of the same model.

    Returns:
        C++17 text for each of `FILES`.
    """
    return model_data.render_with(facts, FILES, _golden_context(facts, golden))


def _classes(outputs: np.ndarray) -> np.ndarray:
    return outputs.reshape(len(outputs), -1).argmax(axis=1)


def _choose(classes: np.ndarray, count: int) -> np.ndarray:
    """Indices, sorted by how many images of the same class came before, then by place."""
    earlier = [np.count_nonzero(classes[:index] == wanted) for index, wanted in enumerate(classes)]
    return np.argsort(earlier, kind="stable")[:count]


def _golden_context(facts: ModelFacts, golden: GoldenVectors) -> dict[str, Any]:
    count, has_pixels = len(golden.inputs), golden.inputs.dtype == np.uint8
    inputs, outputs = golden.inputs.reshape(count, -1), golden.outputs.reshape(count, -1)
    return {
        "golden_paragraphs": [model_data.paragraph(text) for text in _paragraphs(facts, golden)],
        "golden_count": count,
        "golden_input_bytes": inputs.shape[1],
        "golden_output_bytes": outputs.shape[1],
        "golden_input_type": "uint8_t" if has_pixels else "int8_t",
        "has_pixels": has_pixels,
        "golden_sha256": golden.sha256,
        "golden_crc32": golden.crc32,
        "golden_inputs": [model_data.hex_lines(row.tobytes()) if has_pixels else _code_lines(row) for row in inputs],
        "golden_outputs": [_code_lines(row) for row in outputs],
    }


def _paragraphs(facts: ModelFacts, golden: GoldenVectors) -> list[str]:
    origin = "real images" if facts.images_are_real else "GENERATED images (no real ones were given)"
    kind = "pixels as the camera gives them" if golden.inputs.dtype == np.uint8 else "the model's input codes"
    return [
        f"{len(golden.inputs)} {origin}, {kind}, and the answers of TensorFlow Lite Micro's reference kernels on the "
        "host, with the largest at index " + ", ".join(map(str, golden.classes)) + ".",
        "Firmware that gives other bytes has a damaged model, an arena that something else writes, or kernels that "
        f"compute otherwise. Takes {len(golden.content)} bytes of flash, and none where nothing refers to it (link "
        "with -Wl,--gc-sections).",
    ]


def _code_lines(codes: np.ndarray) -> Iterator[str]:
    for start in range(0, len(codes), _CODES_A_LINE):
        yield ", ".join(map(str, codes[start : start + _CODES_A_LINE]))
