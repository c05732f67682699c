"""The row engine's part of an export: its files, compared with TensorFlow Lite Micro before they are written."""

from dataclasses import asdict
from typing import Any

import numpy as np

from firmware_export.facts import ModelFacts
from firmware_export.rows import golden as golden_files
from firmware_export.rows import verify
from firmware_export.rows.compile import RowsModel
from firmware_export.verify.golden_vectors import GoldenVectors

ENGINES = ("tflm", "rows", "both")
"""What `--engine` knows: files for TensorFlow Lite Micro, for the row engine, or for both."""


def files(
    rows: RowsModel, facts: ModelFacts, golden: GoldenVectors, codes: np.ndarray, outputs: np.ndarray
) -> tuple[dict[str, str], dict[str, Any]]:
    """What goes into the folder, and what `export.json` says of it.

    Args:
        rows: the compiled model.
        facts: about the same model.
        golden: of the same model.
        codes: int8 [N, …], inputs on which the generated C is run on this host.
        outputs: int8 [N, …], TFLM's answers to them.

    Returns:
        Text by file name; and `compile.RowsReport` with `compiled_with`, None where no C compiler was found and
        nothing was run.

    Raises:
        UserError: the compiler refuses the text.
        RuntimeError: an answer differs: a defect of the row engine.
    """
    inputs = codes.view(np.uint8) ^ np.uint8(0x80) if facts.graph.has_unit_input else codes
    compiled_with = verify.check_answers(rows, inputs, outputs)
    vectors = golden_files.render(facts.model, facts.command, rows, golden, images_are_real=facts.images_are_real)
    return rows.files | vectors, {**asdict(rows.report), "compiled_with": compiled_with}
