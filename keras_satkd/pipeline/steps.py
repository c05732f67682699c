"""The whole road, from images to C arrays that TensorFlow Lite Micro has executed and agreed with."""

from pathlib import Path

import numpy as np
import tf_keras

from firmware_export.__main__ import Arguments, progress_bars
from firmware_export.export import export
from firmware_export.files import write_with
from keras_satkd import run_lowered, students, teachers
from keras_satkd.data import Split
from keras_satkd.fine_tuning import teach
from keras_satkd.judge import judge
from keras_satkd.knowledge import Knowledge, gather, train
from keras_satkd.lineage import began_from
from keras_satkd.lowering import Lowered
from keras_satkd.prepare import Inputs, prepare
from keras_satkd.quantization import INT8_FILE, QUANTIZED_STUDENT_FILE, quantize, to_int8
from keras_satkd.report import print_steps, print_table, report
from keras_satkd.run import Run
from keras_satkd.training import precision

STUDENT_FILE = "student.keras"
VERIFICATION_FILE = "verification_images.npy"
VALIDATION_FILE = "validation_images.npz"
FIRMWARE_FOLDER = "firmware"


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
    run.lowers = True
    try:
        split, student, knowledge = distilled_student(run)
        quantize(run, split, student, knowledge)
    except Lowered as lowered:
        print(f"{lowered}: take it and {run_lowered.__file__} to a machine with JAX, `python run_lowered.py FOLDER`,")
        print(f"bring {run_lowered.TRAINED_FILE} back into it, and go on with the run")
    else:
        print(f"{run.workdir}: nothing is left to train")


def distilled_student(run: Run, least_images: int = 0) -> tuple[Split, tf_keras.Model, Knowledge]:
    """The images (`prepare` checks that there are enough), the student that learned, and what its teachers said."""
    inputs = prepare(run, least_images)
    knowledge = ask_teachers(run, inputs)
    student = distil_student(run, inputs.split, knowledge)
    return inputs.split, student, knowledge


def ask_teachers(run: Run, inputs: Inputs) -> Knowledge:
    """What the run's teachers, trained first where they are not, say of its images."""
    asked = run.config.distillation.weighting.rule != "none"
    return gather(run, inputs.split, teach(run, inputs) if asked else [], run.config.distillation.augmentation)


def distil_student(run: Run, split: Split, knowledge: Knowledge) -> tf_keras.Model:
    """The run's student in float, trained if it is not yet."""
    run.step("distillation", lambda: _distil(run, split, knowledge))
    return tf_keras.models.load_model(run.path(STUDENT_FILE), compile=False)


def _distil(run: Run, split: Split, knowledge: Knowledge) -> dict:
    config = run.config
    tf_keras.utils.set_random_seed(config.seed)
    architecture = (config.student, config.data.image_size, len(split.train.class_names))
    with precision(config.distillation.mixed_precision):
        student = students.build(*architecture, config.distillation.initial_weights)
    # Noted before the hours of training, in which somebody may replace the file.
    beginning = config.distillation.initial_weights
    origin = {"began_from": began_from(beginning)} if beginning is not None else {}
    noise = config.distillation.sensor_noise
    train(run, split, student, knowledge, config.distillation, "distillation", sensor_noise=noise)
    # In float32 from here on: quantization starts from these weights, and tfmot knows no bfloat16.
    finished = students.build(*architecture)
    finished.set_weights(student.get_weights())
    write_with(run.path(STUDENT_FILE), lambda path: finished.save(path))
    return {
        "file": STUDENT_FILE,
        "parameters": students.trainable_parameters(finished),
        "macs": students.macs(finished),
        "teachers": teachers.digests(knowledge.teachers),
        "calibration": dict(zip((teacher.name for teacher in knowledge.teachers), knowledge.calibration, strict=True)),
        **origin,
    }


def export_firmware(run: Run, split: Split, quantized: tf_keras.Model | None) -> dict:
    """Write `firmware/`, verified on images that trained nothing as far as there are enough of them."""
    config = run.config.firmware
    images = np.concatenate([split.validation.images, split.train.images])[: config.verification_images]
    write_with(run.path(VERIFICATION_FILE), lambda path: np.save(path, images))
    validation = split.validation.images, split.validation.labels
    write_with(run.path(VALIDATION_FILE), lambda path: np.savez(path, images=validation[0], labels=validation[1]))
    # The files quote this command; typed in the run's folder, it makes them again to the byte.
    again = Arguments(
        model=Path(INT8_FILE),
        out=Path(FIRMWARE_FOLDER),
        images=Path(VERIFICATION_FILE),
        validation=Path(VALIDATION_FILE),
        error_rate=config.error_rate,
        class_names=split.train.class_names,
        symbol=config.symbol,
        keras=Path(QUANTIZED_STUDENT_FILE) if quantized else None,
    )
    with progress_bars() as progress:
        done = export(
            run.path(INT8_FILE).read_bytes(),
            run.path(FIRMWARE_FOLDER),
            images=images,
            validation=validation,
            error_rate=config.error_rate,
            class_names=again.class_names,
            command=again.command,
            symbol=again.symbol,
            keras_model=quantized,
            expect_unit_input=True,
            progress=progress,
        )
    return {"folder": FIRMWARE_FOLDER, "flash_bytes": done.flash_bytes, "arena_bytes": done.arena_bytes_with_margin}
