"""Golden vectors for the row engine: inputs with TensorFlow Lite Micro's outputs, and a function that runs them."""

import textwrap

import numpy as np

from firmware_export.common.templating import render_template
from firmware_export.rows import engine
from firmware_export.rows.compile import RowsModel, provenance
from firmware_export.tflite.model import Model
from firmware_export.verify.golden_vectors import GoldenVectors


def render(
    model: Model, command: str, rows: RowsModel, golden: GoldenVectors, *, images_are_real: bool
) -> dict[str, str]:
    """The generated files, by name; they `#include` those of `compile_rows`.

    Args:
        model: the compiled model.
        command: the command that regenerates the files.
        rows: of the same model.
        golden: of the same model.
        images_are_real: whether the inputs are photographs; the header states it.
    """
    kind = "real images" if images_are_real else "GENERATED images (no real ones were given)"
    has_pixels = golden.inputs.dtype == np.uint8
    form = "pixels as the camera gives them" if has_pixels else "the model's input codes"
    text = f"{len(golden.inputs)} {kind}, {form}, and the outputs of TensorFlow Lite Micro's reference kernels."
    text += f" Note: {golden.note}." if golden.note else ""
    prefix = rows.report.prefix
    context = {
        **provenance(model, command),
        "prefix": prefix,
        "macros": prefix.upper(),
        "crc32": rows.report.constants_crc32,
        "origin": textwrap.fill(text, 115, subsequent_indent="   "),
        "golden_bytes": len(golden.content),
        "golden_sha256": golden.sha256,
        "input_type": "uint8_t" if has_pixels else "int8_t",
        "golden_inputs": list(map(_lines, golden.inputs)),
        "golden_outputs": list(map(_lines, golden.outputs)),
    }
    return {f"{prefix}_{name}": render_template(f"rows/satkd_{name}", context) for name in engine.GOLDEN_FILES}


def _lines(codes: np.ndarray) -> str:
    return textwrap.fill(
        ", ".join(map(str, codes.reshape(-1).tolist())), 118, initial_indent="        ", subsequent_indent="        "
    )
