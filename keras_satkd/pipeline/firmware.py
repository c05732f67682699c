"""The pipeline's export: verify the int8 student and write `firmware/`."""

from pathlib import Path

import numpy as np
import tf_keras

from firmware_export.board import targets
from firmware_export.cli import Arguments, progress_bars
from firmware_export.common.files import write_with
from firmware_export.export import export
from firmware_export.output.render import Settings
from firmware_export.verify.verify import Evidence
from keras_satkd.camera import sensor
from keras_satkd.pipeline.inputs import Inputs
from keras_satkd.run.artifacts import (
    FIRMWARE_FOLDER,
    INT8_FILE,
    QUANTIZED_STUDENT_FILE,
    SCALING_FILE,
    VALIDATION_FILE,
    VERIFICATION_FILE,
)
from keras_satkd.run.folder import Run
from keras_satkd.run.results import FirmwareResult


def export_firmware(run: Run, inputs: Inputs, quantized: tf_keras.Model | None) -> FirmwareResult:
    """Write `firmware/`, verified on validation images; if they are too few, training images are added.

    The abstention threshold and the drift monitor are chosen on the validation images as the run's sensor captures
    them.
    """
    config, split = run.config.firmware, inputs.split
    images = split.validation.images[: config.verification_images]
    images = np.concatenate([images, split.train.images[: config.verification_images - len(images)]])
    write_with(run.path(VERIFICATION_FILE), lambda path: np.save(path, images))
    held = split.validation.evenly("abstention and drift")
    validation = sensor.captured(inputs.camera, inputs.sensor, held.images), held.labels
    write_with(run.path(VALIDATION_FILE), lambda path: np.savez(path, images=validation[0], labels=validation[1]))
    # The files quote this command. In the run's folder, it reproduces them byte for byte.
    again = Arguments(
        model=Path(INT8_FILE),
        out=Path(FIRMWARE_FOLDER),
        images=Path(VERIFICATION_FILE),
        validation=Path(VALIDATION_FILE),
        error_rate=config.error_rate,
        false_alarm_rate=config.false_alarm_rate,
        drift_window=config.drift_window,
        class_names=split.train.class_names,
        symbol=config.symbol,
        scaling=None if inputs.scaling is None else Path(SCALING_FILE),
        keras=Path(QUANTIZED_STUDENT_FILE) if quantized else None,
        target=config.target,
        must_fit=config.target is None,  # the training is done: the reports say whether the model fits
    )
    with progress_bars() as progress:
        done = export(
            run.path(INT8_FILE).read_bytes(),
            run.path(FIRMWARE_FOLDER),
            Evidence(
                images=images,
                validation=validation,
                error_rate=config.error_rate,
                false_alarm_rate=config.false_alarm_rate,
                drift_window=config.drift_window,
                keras_model=quantized,
            ),
            Settings(
                command=again.command,
                class_names=again.class_names,
                symbol=again.symbol,
                scaling=inputs.scaling,
                target=None if config.target is None else targets.named(config.target),
                must_fit=again.must_fit,
            ),
            expect_unit_input=True,
            # Of a damaged export.json, the folder's files are not known as the run's.
            force=True,
            progress=progress,
        )
    return FirmwareResult(FIRMWARE_FOLDER, done.flash_bytes, done.arena_bytes_with_margin)
