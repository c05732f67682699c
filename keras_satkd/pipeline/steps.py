"""The full pipeline, from images to C arrays whose results were checked against TensorFlow Lite Micro."""

from pathlib import Path

import tf_keras

from keras_satkd.pipeline import run_sensor, stages_agree
from keras_satkd.pipeline.distil import distil_student, taught
from keras_satkd.pipeline.firmware import export_firmware
from keras_satkd.pipeline.inputs import Inputs, prepare
from keras_satkd.pipeline.quantize import quantize, to_int8
from keras_satkd.pipeline.score import score_models
from keras_satkd.pipeline.teach import teach
from keras_satkd.report.write import print_steps, print_table, report
from keras_satkd.run.artifacts import INT8_FILE
from keras_satkd.run.folder import Run
from keras_satkd.run.results import FirmwareResult
from keras_satkd.run.stages import FIRMWARE, INT8, REPORT, TEST
from keras_satkd.training import run_offloaded
from keras_satkd.training.offload import TrainingExported
from keras_satkd.training.teacher_logits import TeacherTargets
from keras_satkd.training.xla_program import check_jax


def distil(run: Run) -> None:
    """Data → teachers → distillation → QAT → int8 → firmware → test → report."""
    if REPORT not in run.results:
        inputs, student, targets = distilled_student(run, run.config.firmware.verification_images)
        quantized = quantize(run, inputs, student, targets)
        if not _remains(run):
            return
        to_int8(run, inputs, student, quantized)
        run.step(FIRMWARE, lambda: _export(run, inputs, student, quantized))
        run.step(TEST, lambda: score_models(run, inputs, student, quantized, targets.teachers))
        run.step(REPORT, lambda: report(run))
    else:
        run_sensor.of(run)  # a changed sensor is an error after the last step, too
    if run.is_chief:
        print_table(run)


def _remains(run: Run) -> bool:
    """Whether this process goes on after the trainings, as the chief does; it waits for the others' last step."""
    if run.meeting is not None:
        run.meeting.part()
    return run.is_chief


def _export(run: Run, inputs: Inputs, student: tf_keras.Model, quantized: tf_keras.Model | None) -> FirmwareResult:
    stages_agree.check(run, inputs, student, quantized)
    return export_firmware(run, inputs, quantized)


def teach_only(run: Run) -> None:
    """Data → teachers."""
    teach(run, prepare(run, fine_tunes_only=True))
    if not _remains(run):
        return
    for name, found in run.results.teachers().items():
        print(f"teacher {name}: validation accuracy {found.validation['accuracy']:.4f}, {found.seconds:.0f} s")


def quantize_only(run: Run) -> None:
    """Data → teachers → distillation → QAT → int8."""
    inputs, student, targets = distilled_student(run)
    quantized = quantize(run, inputs, student, targets)
    if not _remains(run):
        return
    to_int8(run, inputs, student, quantized)
    print(f"{run.path(INT8_FILE)}: {run.results[INT8].bytes} bytes")
    print_steps(run)


def lower_next(run: Run) -> None:
    """Data → teachers → distillation → QAT, up to the first missing training, which is written as a program."""
    check_jax()
    run.lowers = True
    try:
        inputs, student, targets = distilled_student(run)
        quantize(run, inputs, student, targets)
    except TrainingExported as exported:
        runner = Path(run_offloaded.__file__)
        print(f"{exported}: copy it and {runner} to a machine with JAX, and run `python {runner.name} FOLDER` there;")
        print(f"then copy {run_offloaded.TRAINED_FILE} back into the folder and continue the run")
    else:
        print(f"{run.workdir}: all trainings are finished")


def distilled_student(run: Run, least_images: int = 0) -> tuple[Inputs, tf_keras.Model, TeacherTargets]:
    """The inputs (`prepare` checks that there are enough images), the trained student, and the teacher logits."""
    inputs, targets = taught(run, prepare(run, least_images))
    student = distil_student(run, inputs.split, targets)
    return inputs, student, targets
