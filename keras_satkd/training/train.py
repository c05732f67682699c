"""Training of a network on labels and teacher logits.

Distillation, quantization-aware training and the fine-tuning of teachers use it. Without teachers it is plain
supervised training.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import tensorflow as tf
import tf_keras

from firmware_export.common.errors import UserError
from keras_satkd.config import DistillationConfig, QuantizationConfig, TrainingConfig
from keras_satkd.data.splits import Split
from keras_satkd.losses import balanced_weights
from keras_satkd.models import students
from keras_satkd.run.folder import LOWERED
from keras_satkd.settings.setting_types import ClassWeights
from keras_satkd.teacher_schedules import factors
from keras_satkd.training.batches import evaluation_batches, training_batches
from keras_satkd.training.fit import fit
from keras_satkd.training.method import PLAIN, Method
from keras_satkd.training.offload import TrainingExported, export_training, import_result
from keras_satkd.training.parts import Parts
from keras_satkd.training.place import Place
from keras_satkd.training.run_offloaded import TRAINED_FILE
from keras_satkd.training.teacher_logits import TeacherTargets


def train(
    network: tf_keras.Model,
    split: Split,
    targets: TeacherTargets,
    config: TrainingConfig,
    place: Place,
    *,
    loss: DistillationConfig,
    seed: int,
    phase: str,
    normalize: Callable[[tf.Tensor], tf.Tensor] = students.normalize,
    sensor_noise: float = 0.0,
    class_weights: ClassWeights = "none",
    method: Method = PLAIN,
) -> None:
    """Train `network` with the distillation loss, then load its best weights.

    Args:
        network: images → logits; made in `place.parallel.scope()`.
        split: training images, and validation images that select the best epoch.
        targets: the teacher logits for these images.
        config: optimizer, schedule, average of the weights, patience.
        place: where the training runs.
        loss: the loss, its temperature, the weighting and the schedule of the teachers. In QAT, the teachers of the
            last epoch of distillation are heard.
        seed: seed of the order of the images.
        phase: name of this training in the run.
        normalize: images in 0..255 → the network's input.
        sensor_noise: as in `Distiller`.
        class_weights: `balanced`: weights of the ground-truth loss by the number of training images in each class.
        method: what a way of teaching changes; only the plain one can be written as a program.

    Raises:
        TrainingExported: the training was written as a program.
        UserError: the training failed, or cannot be written as a program.
    """
    workdir, parallel = place.workdir, place.parallel
    folder = workdir / LOWERED / phase
    if (folder / TRAINED_FILE).exists():
        import_result(network, folder, phase, workdir, writes=parallel.is_chief)
        return
    with parallel.scope():
        distiller = method.distiller(
            network,
            teachers=targets.running,
            teacher_names=[teacher.name for teacher in targets.teachers],
            temperature=loss.temperature,
            loss=loss.loss,
            weighting=loss.weighting,
            teacher_factors=_teacher_factors(loss, config, targets.accuracies),
            calibration=targets.calibration,
            normalize=normalize,
            sensor_noise=sensor_noise,
            average=config.average,
            class_weights=_class_weights(split, class_weights),
        )
    if place.lowers:
        if targets.camera is not None:
            raise UserError("--camera.sensor cannot be lowered: JPEG is no part of an XLA program; train here")
        if config.average:
            raise UserError(f"average {config.average:g} cannot be lowered: leave it at 0, or train here")
        logits = targets.training, targets.validation
        export_training(distiller, split, logits, config, targets.augmentation, seed, folder, targets.mixing)
        raise TrainingExported(folder)

    def training(parts: Parts | None) -> tf.data.Dataset:
        if method.batches is not None:
            return method.batches(distiller.epoch)
        return training_batches(
            split.train,
            batch_size=config.batch_size,
            augmentation=targets.augmentation,
            seed=seed,
            view_logits=targets.training,
            camera=targets.camera,
            mixing=targets.mixing,
            keeps_clean=targets.runs_on_clean_views,
            epoch=distiller.epoch,
            parts=parts,
        )

    validation = partial(evaluation_batches, split.validation, config.batch_size, targets.validation, targets.camera)
    fit(
        distiller,
        parallel.batches(training),
        parallel.batches(lambda parts: validation(parts=parts)),
        config,
        phase=phase,
        workdir=workdir,
        method=method,
        steps=None if parallel.strategy is None else _steps(split, config),
        is_chief=parallel.is_chief,
        remote=place.remote,
    )


def _steps(split: Split, config: TrainingConfig) -> tuple[int, int]:
    """Batches of training and of validation in an epoch."""
    images = len(split.train)
    return images // min(images, config.batch_size), -(-len(split.validation) // config.batch_size)


def _class_weights(split: Split, kind: ClassWeights) -> tuple[float, ...]:
    return () if kind == "none" else balanced_weights(split.train.labels, len(split.train.class_names))


def _teacher_factors(
    loss: DistillationConfig, config: TrainingConfig, accuracies: tuple[float, ...]
) -> np.ndarray | None:
    if not accuracies:
        return None
    if isinstance(config, QuantizationConfig):
        found = factors(loss.teacher_schedule, loss.epochs, accuracies)
        return None if found is None else found[-1:]
    return factors(loss.teacher_schedule, config.epochs, accuracies)
