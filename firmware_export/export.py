"""One model, verified, as a folder that firmware builds from."""

from pathlib import Path

from firmware_export.output import folder
from firmware_export.output.render import Settings, check, render
from firmware_export.output.report import ExportReport
from firmware_export.verify.verify import Evidence, Progress, read, verify


def export(
    model: bytes,
    out_dir: Path,
    evidence: Evidence,
    settings: Settings,
    *,
    name: str = "model.tflite",
    expect_unit_input: bool = False,
    force: bool = False,
    progress: Progress | None = None,
) -> ExportReport:
    """Verify an int8 model and write the folder that firmware builds from.

    `model_data.cc/.h`, `model_ops.h`, `integrity.cc/.h`, `golden_vectors.cc/.h` and `classifier.cc/.h` for TensorFlow
    Lite Micro, `satkd_model.c/.h` and `satkd_golden.c/.h` for the row engine; `model.tflite` and `export.json`.

    Everything is rendered, executed, compared and compiled first; then all files appear, or none.

    Args:
        model: the bytes of an int8 `.tflite`.
        out_dir: made if missing; files that no export wrote are left alone.
        evidence: what the model is verified on and compared with.
        settings: which files are written, and what they say.
        name: what error messages call the model.
        expect_unit_input: refuse a model whose input is not `uint8 ^ 0x80`; otherwise the files carry a warning.
        force: overwrite files that no export has written.
        progress: called as the work goes on.

    Raises:
        UserError: the model cannot run on a microcontroller, its kernels or its Keras model disagree, the text does not
            compile, an argument does not fit, or the folder contains files that no export wrote. Nothing is written
            then.
        OSError: the folder cannot be written; what was there is put back.
    """
    tell = progress or (lambda stage, done, total: None)
    given = read(model, name, expect_unit_input=expect_unit_input)
    check(settings, given)
    folder.check(out_dir)
    verified = verify(given, evidence, tell)
    rendered = render(verified, settings, tell)
    if not force:
        folder.check_foreign(out_dir, rendered.contents)
    folder.publish(out_dir, rendered.contents)
    return rendered.report
