"""The whole road, from images to C arrays that TensorFlow Lite Micro has executed and agreed with."""

from pathlib import Path

import tf_keras

from keras_satkd.data.splits import Split
from keras_satkd.pipeline.distil import ask_teachers, distil_student
from keras_satkd.pipeline.firmware import export_firmware
from keras_satkd.pipeline.inputs import prepare
from keras_satkd.pipeline.quantize import quantize, to_int8
from keras_satkd.pipeline.score import judge
from keras_satkd.pipeline.teach import teach
from keras_satkd.report.write import print_steps, print_table, report
from keras_satkd.run.artifacts import INT8_FILE
from keras_satkd.run.folder import Run
from keras_satkd.training import run_offloaded
from keras_satkd.training.offload import TrainingExported
from keras_satkd.training.teacher_logits import Knowledge
from keras_satkd.training.xla_program import check_jax


def distil(run: Run) -> None:
    """Data → teachers → distil → QAT → int8 → firmware → test → report."""
    if "report" not in run.results:
        split, student, knowledge = distilled_student(run, run.config.firmware.verification_images)
        quantized = quantize(run, split, student, knowledge)
        to_int8(run, split, student, quantized)
        run.step("firmware", lambda: export_firmware(run, split, quantized))
        run.step("test", lambda: judge(run, split, student, quantized, knowledge.teachers))
        run.step("report", lambda: report(run))
    print_table(run)


def teach_only(run: Run) -> None:
    """Data → teachers."""
    teach(run, prepare(run))
    for name, results in run.results.items():
        if name.startswith("teacher "):
            print(f"{name}: validation accuracy {results['validation']['accuracy']:.4f}, {results['seconds']:.0f} s")


def quantize_only(run: Run) -> None:
    """Data → teachers → distil → QAT → int8."""
    split, student, knowledge = distilled_student(run)
    to_int8(run, split, student, quantize(run, split, student, knowledge))
    print(f"{run.path(INT8_FILE)}: {run.results['int8']['bytes']} bytes")
    print_steps(run)


def lower_next(run: Run) -> None:
    """Data → teachers → distil → QAT, as far as they are trained; the next training becomes a program."""
    check_jax()
    run.lowers = True
    try:
        split, student, knowledge = distilled_student(run)
        quantize(run, split, student, knowledge)
    except TrainingExported as exported:
        runner = Path(run_offloaded.__file__)
        print(f"{exported}: copy it and {runner} to a machine with JAX, and run `python {runner.name} FOLDER` there;")
        print(f"then copy {run_offloaded.TRAINED_FILE} back into the folder and continue the run")
    else:
        print(f"{run.workdir}: nothing is left to train")


def distilled_student(run: Run, least_images: int = 0) -> tuple[Split, tf_keras.Model, Knowledge]:
    """The images (`prepare` checks that there are enough), the student that learned, and what its teachers said."""
    inputs = prepare(run, least_images)
    knowledge = ask_teachers(run, inputs)
    student = distil_student(run, inputs.split, knowledge)
    return inputs.split, student, knowledge
