"""A training that runs on another machine, which has an accelerator and JAX but no TensorFlow.

`export_training` writes one epoch (`Distiller.train_step` and `test_step`) as a program, with all of its inputs;
`run_offloaded.py` runs it; `import_result` loads the best weights. Images come in the same order as in `training.fit`.
Augmentation is equally random, but XLA draws different numbers from the same seeds.
"""

import json
import zipfile
import zlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from firmware_export.common import digests, limits
from firmware_export.common.errors import UserError
from firmware_export.common.files import write_bytes, write_json, write_with
from keras_satkd.config import MixingConfig, TrainingConfig
from keras_satkd.data import augment
from keras_satkd.data.splits import Split
from keras_satkd.distiller import Distiller
from keras_satkd.run import history
from keras_satkd.training import run_offloaded
from keras_satkd.training.batches import STORED, batch_maker, choices, known
from keras_satkd.training.fit import MONITORED, compile_for
from keras_satkd.training.view_logits import ViewLogits
from keras_satkd.training.xla_program import compile_program

EVERY_EPOCH = ("indices", "seeds")
"""Arguments of the program that differ in every epoch."""


class TrainingExported(Exception):
    """A training was written as a program and not run; the argument is its folder."""


def check_exportable(config: TrainingConfig, augmentation: str, *, is_in_loop: bool) -> None:
    """Refuse a training that cannot be written as a program.

    Args:
        config: settings of the training.
        augmentation: policy of the training images.
        is_in_loop: whether teachers run inside the training step.

    Raises:
        UserError: it cannot be written.
    """
    if is_in_loop:
        raise UserError("teachers in the loop cannot be exported: use --distillation.teacher-logits precomputed")
    if config.schedule == "plateau":
        raise UserError("schedule 'plateau' cannot be exported: use 'cosine' or 'constant'")
    if augmentation == augment.RANDAUGMENT:
        raise UserError(f"augmentation {augmentation!r} cannot be exported: use one of {', '.join(augment.REPEATABLE)}")


def export_training(
    distiller: Distiller,
    split: Split,
    logits: tuple[ViewLogits | None, ViewLogits | None],
    config: TrainingConfig,
    augmentation: str,
    seed: int,
    folder: Path,
    mixing: MixingConfig | None = None,
) -> None:
    """Write everything that `run_offloaded.py` needs to train as `training.fit` would.

    Args:
        distiller: not yet compiled.
        split: training and validation images.
        logits: teacher logits for these images; None without teachers.
        config: settings of the training.
        augmentation: any but `augment.RANDAUGMENT`.
        seed: seed of the order of images and their views.
        folder: output folder for the program, its arguments and its state.
        mixing: mixes training images with others.

    Raises:
        UserError: this training cannot be written as a program; nothing is written.
    """
    training, validation = logits
    check_exportable(config, augmentation, is_in_loop=bool(distiller.teacher_names) and training is None)
    _held({part: getattr(split, part).images for part in ("train", "validation")})
    arguments = {
        "pixels": split.train.images,
        "labels": split.train.labels.astype(np.int32),
        **_held(known(training)),
        **_every_epoch(len(split.train), config, seed),
        "validation_pixels": split.validation.images,
        "validation_labels": split.validation.labels.astype(np.int32),
    }
    if validation is not None:
        arguments["validation_logits"] = validation.of_first_view().astype(np.float32)
    compile_for(config, distiller, steps=arguments["indices"].shape[1])
    distiller.optimizer.build(distiller.student.trainable_variables)
    specifications = {
        name: tf.TensorSpec(array.shape[1:] if name in EVERY_EPOCH else array.shape, array.dtype)
        for name, array in arguments.items()
    }
    program = compile_program(_epoch(distiller, list(arguments), augmentation, mixing), specifications)
    for name, array in arguments.items():
        write_with(folder / f"{name}.npy", partial(np.save, arr=array))
    values = {str(position): variable.numpy() for position, variable in enumerate(program.state)}
    write_with(folder / run_offloaded.STATE_FILE, lambda path: np.savez_compressed(path, **values))
    write_bytes(folder / run_offloaded.PROGRAM_FILE, program.serialized)
    written = [folder / f"{name}.npy" for name in arguments]
    written += [folder / run_offloaded.STATE_FILE, folder / run_offloaded.PROGRAM_FILE]
    write_json(
        folder / run_offloaded.DESCRIPTION_FILE,
        {
            "arguments": list(arguments),
            "every_epoch": list(EVERY_EPOCH),
            "weights": _positions(distiller.student.weights, program.state),
            "epochs": config.epochs,
            "patience": config.patience,
            "monitored": MONITORED[config.select],
            digests.KEY: {path.name: digests.of(path) for path in written},
        },
    )


def _held(values: dict[str, Any]) -> dict[str, np.ndarray]:
    """Values that are arrays in memory, which a program takes.

    Raises:
        UserError: some are not.
    """
    if not all(isinstance(each, np.ndarray) for each in values.values()):
        raise UserError(
            f"images or teacher logits are larger than {limits.limit(limits.HELD) >> 20} MiB, and a program takes them "
            f"from memory: set {limits.HELD} to more if both machines have it, or train here"
        )
    return values


def import_result(network: tf_keras.Model, folder: Path, phase: str, workdir: Path, *, writes: bool = True) -> None:
    """Load the best weights from `run_offloaded.py` into `network`, and add its epochs to the run's metrics.

    Args:
        network: the network that was trained.
        folder: the folder that `export_training` wrote.
        phase: name of the training in the run.
        workdir: the run's folder.
        writes: whether the metrics are written.

    Raises:
        UserError: the file is damaged, or belongs to another network.
    """
    path = folder / run_offloaded.TRAINED_FILE
    try:
        with zipfile.ZipFile(path) as archive:
            if (name := archive.testzip()) is not None:
                raise ValueError(f"the CRC-32 of {name} differs")
        with np.load(path, allow_pickle=False) as trained:
            rows, hardware = json.loads(str(trained["rows"])), str(trained["hardware"])
            found = {name: trained[name] for name in trained.files if name.isdecimal()}
        # Weights that the training does not use are not in its program.
        weights = [found.pop(str(position), held) for position, held in enumerate(network.get_weights())]
        if found:
            raise ValueError(f"it has weights {', '.join(found)} of {len(weights)}")
        network.set_weights(weights)
    except (
        OSError,
        EOFError,
        ValueError,
        KeyError,
        NotImplementedError,
        RuntimeError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise UserError(
            f"{path} is not the result of this training ({error}): run {Path(run_offloaded.__file__).name} on {folder} "
            "again"
        ) from None
    if not writes:
        return
    others = [row for row in history.read(workdir / history.FILE) if row["phase"] != phase]
    epochs = [{"phase": phase, "hardware": hardware, **{key: str(row[key]) for key in row}} for row in rows]
    history.write(workdir / history.FILE, [*others, *epochs])


def _every_epoch(images: int, config: TrainingConfig, seed: int) -> dict[str, np.ndarray]:
    """int32 [epochs, steps, B] and int64 [epochs, steps, 2]: the batches that `fit` would use."""
    batches = (choices(images, config.batch_size, seed, epoch) for epoch in range(config.epochs))
    epochs = [list(epoch.as_numpy_iterator()) for epoch in batches]
    return {
        "indices": np.array([[indices for indices, _ in epoch] for epoch in epochs], np.int32),
        "seeds": np.array([[seeds for _, seeds in epoch] for epoch in epochs], np.int64),
    }


def _epoch(distiller: Distiller, names: Sequence[str], augmentation: str, mixing: MixingConfig | None) -> Any:
    def epoch(*arrays: tf.Tensor) -> dict[str, tf.Tensor]:
        given = dict(zip(names, arrays, strict=True))
        from_teachers = {name: given[name] for name in ("teacher_logits", *STORED) if name in given}
        classes = distiller.student.output_shape[-1]
        make = batch_maker(
            given["pixels"], given["labels"], augmentation, mixing=mixing, classes=classes, **from_teachers
        )
        distiller.reset_metrics()
        for step in tf.range(len(given["seeds"])):
            distiller.train_step(make(tf.cast(given["indices"][step], tf.int64), given["seeds"][step]))
        found = {metric.name: metric.result() for metric in distiller.metrics}
        distiller.reset_metrics()
        inputs = {"image": given["validation_pixels"]}
        if "validation_logits" in given:
            inputs["teacher_logits"] = given["validation_logits"]
        scored = distiller.test_step((inputs, given["validation_labels"]))
        return found | {f"val_{name}": value for name, value in scored.items()}

    return tf.function(epoch, jit_compile=True)


def _positions(weights: Sequence[tf.Variable], state: Sequence[tf.Variable]) -> dict[str, int]:
    """Position in `weights` → position in `state`, without weights that the program neither reads nor assigns.

    Variables are compared by their handles, because mixed precision wraps them.
    """
    positions = {id(variable.handle): position for position, variable in enumerate(state)}
    found = {str(position): positions.get(id(variable.handle)) for position, variable in enumerate(weights)}
    return {weight: position for weight, position in found.items() if position is not None}
