"""Integrity checks and golden vectors: is the model in memory intact, and does it compute the same as on the host?"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from firmware_export.common.c_text import hex_lines, paragraph
from firmware_export.facts import ModelFacts
from firmware_export.tflm import model_data
from firmware_export.verify.golden_vectors import GoldenVectors

FILES = ("golden_vectors.cc", "golden_vectors.h", "integrity.cc", "integrity.h")
"""The files of `render`, sorted."""


_CODES_A_LINE = 12


def render(facts: ModelFacts, golden: GoldenVectors, rows_prefix: str | None = None) -> dict[str, str]:
    """The generated files, by name: `integrity.h/.cc` and `golden_vectors.h/.cc`, which need only `model_data.h`.

    With the row engine's files beside them they need those too, and contain no second copy of what is there.

    Args:
        facts: as for `model_data.render`; provides the namespace, the header and the model's digests.
        golden: the golden vectors of the same model.
        rows_prefix: of the row engine's files of the same model, if the folder has them.

    Returns:
        C++17 text for each of `FILES`.
    """
    return model_data.render_with(facts, FILES, {**_golden_context(facts, golden), "rows_prefix": rows_prefix})


def _golden_context(facts: ModelFacts, golden: GoldenVectors) -> dict[str, Any]:
    count, has_pixels = len(golden.inputs), golden.inputs.dtype == np.uint8
    inputs, outputs = golden.inputs.reshape(count, -1), golden.outputs.reshape(count, -1)
    return {
        "golden_paragraphs": [paragraph(text) for text in _paragraphs(facts, golden)],
        "golden_count": count,
        "golden_input_bytes": inputs.shape[1],
        "golden_output_bytes": outputs.shape[1],
        "golden_input_type": "uint8_t" if has_pixels else "int8_t",
        "has_pixels": has_pixels,
        "golden_sha256": golden.sha256,
        "golden_crc32": golden.crc32,
        "golden_inputs": [hex_lines(row.tobytes()) if has_pixels else _code_lines(row) for row in inputs],
        "golden_outputs": [_code_lines(row) for row in outputs],
    }


def _paragraphs(facts: ModelFacts, golden: GoldenVectors) -> list[str]:
    origin = "real images" if facts.images_are_real else "GENERATED images (no real ones were given)"
    kind = "as pixels from the camera" if golden.inputs.dtype == np.uint8 else "as the model's input codes"
    many = "The codes of all inputs follow one another in the model's order, and so do those of all outputs."
    return [
        f"{len(golden.inputs)} {origin}, {kind}, and the outputs of TensorFlow Lite Micro's reference kernels on the "
        "host. The largest outputs are at index " + ", ".join(map(str, golden.classes)) + ".",
        "If firmware computes other bytes, the model is damaged, other code writes to the arena, or the kernels "
        f"compute differently. The vectors take {len(golden.content)} bytes of flash, or none if nothing refers to "
        "them (link with -Wl,--gc-sections).",
        *([f"Note: {golden.note}."] if golden.note else []),
        *([] if facts.graph.has_one_end_each else [many]),
    ]


def _code_lines(codes: np.ndarray) -> Iterator[str]:
    for start in range(0, len(codes), _CODES_A_LINE):
        yield ", ".join(map(str, codes[start : start + _CODES_A_LINE]))
