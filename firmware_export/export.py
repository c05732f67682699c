"""Verify a model and write the folder that firmware builds from."""

from collections.abc import Callable
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
    input_range: str | None = None,
    force: bool = False,
    progress: Progress | None = None,
    before_writing: Callable[[], None] = lambda: None,
) -> ExportReport:
    """Verify an int8 model and write the folder that firmware builds from.

    The folder contains `model_data.cc/.h`, `model_ops.h`, `integrity.cc/.h`, `golden_vectors.cc/.h` and
    `classifier.cc/.h` for TensorFlow Lite Micro, `satkd_model.c/.h` and `satkd_golden.c/.h` for the row engine,
    `model.tflite` and `export.json`.

    Everything is rendered, executed, compared and compiled first. Then either all files are written, or none.

    Args:
        model: the bytes of an int8 `.tflite`.
        out_dir: created if missing; files that no export wrote stay as they are.
        evidence: what the model is verified on and compared with.
        settings: which files are written, and the names in them.
        name: the model's name in error messages.
        expect_unit_input: refuse a model whose input is not `uint8 ^ 0x80`; otherwise the files carry a warning.
        input_range: the values that the model expects of pixels, one of `input_range.INPUT_RANGES`; None: found from
            the input's scale and zero point.
        force: overwrite files that no export has written.
        progress: called repeatedly with the progress of each stage.
        before_writing: called once, when all is checked and the folder is about to be written.

    Raises:
        UserError: the model cannot run on a microcontroller, its kernels or its Keras model disagree, the text does not
            compile, an argument is invalid, or the folder contains files that no export wrote. Nothing is written.
        OSError: the folder cannot be written; its former content is restored.
    """
    show = progress or (lambda stage, done, total: None)
    given = read(
        model,
        name,
        expect_unit_input=expect_unit_input,
        input_range=input_range,
        needs_rows=settings.engine.has_rows,
    )
    check(settings, given)
    folder.check(out_dir)
    verified = verify(given, evidence, show)
    rendered = render(verified, settings, show)
    if not force:
        folder.check_foreign(out_dir, rendered.contents)
    before_writing()
    folder.publish(out_dir, rendered.contents)
    return rendered.report
