"""The row engine's part of an export: its files, compared with TensorFlow Lite Micro before they are written."""

from firmware_export.common.errors import UserError
from firmware_export.facts import ModelFacts
from firmware_export.rows import difference, golden, verify
from firmware_export.rows.compile import CheckedRowsReport, RowsModel
from firmware_export.tflite import interpreters
from firmware_export.verify.verify import Verified


def files(rows: RowsModel, facts: ModelFacts, verified: Verified) -> tuple[dict[str, str], CheckedRowsReport]:
    """The row engine's files of an exported folder, and its entry in `export.json`.

    Args:
        rows: the compiled model.
        facts: about the same model.
        verified: the same model; the generated C runs its images on this host.

    Returns:
        Text by file name, and the report.

    Raises:
        UserError: the compiler rejects the generated C, or an output differs from TFLM's, which is a defect of the row
            engine; the message names the layer.
    """
    inputs = interpreters.firmware_input(verified.codes, facts.graph)
    try:
        compiled_with = verify.check_answers(rows, inputs, verified.outputs)
    except verify.DifferenceError as error:
        layer = difference.first_differing_layer(facts.model, verified.codes[error.images])
        raise UserError(
            f"{facts.model.name}: {error}, first in {layer}: use --engine tflm, and report this defect with the model"
        ) from error
    vectors = golden.render(facts.model, facts.command, rows, verified.golden, images_are_real=facts.images_are_real)
    return rows.files | vectors, CheckedRowsReport(**vars(rows.report), compiled_with=compiled_with)
