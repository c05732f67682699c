"""What teachers know of a run's images, and a network's training under it.

Distillation, QAT and the fine-tuning of the teachers themselves all go through here; without teachers it is plain
supervised training.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import tensorflow as tf
import tf_keras

from keras_satkd import students, views
from keras_satkd.batches import evaluation_batches, training_batches
from keras_satkd.calibration import fit_temperature
from keras_satkd.config import TrainingConfig
from keras_satkd.data import Split
from keras_satkd.decoded_cache import cache_folder
from keras_satkd.distiller import Distiller
from keras_satkd.lowering import Lowered, lower, take_back
from keras_satkd.run import Run
from keras_satkd.run_lowered import TRAINED_FILE
from keras_satkd.teachers import Teacher
from keras_satkd.training import fit
from keras_satkd.views import ViewLogits


@dataclass(frozen=True)
class Knowledge:
    """Teachers and what they said.

    Attributes:
        teachers: T of them, or none.
        augmentation: policy of the training images.
        calibration: T temperatures, fitted on the validation images.
        validation: logits of the validation images as they are (one view); None without teachers.
        training: logits of the training views; None when the teachers run inside the training step, or there are none.
    """

    teachers: tuple[Teacher, ...]
    augmentation: str
    calibration: tuple[float, ...] = ()
    validation: ViewLogits | None = None
    training: ViewLogits | None = None


def gather(run: Run, split: Split, teachers: Sequence[Teacher], augmentation: str) -> Knowledge:
    """Ask the teachers once; what they said before, in whatever run, is read from the cache."""
    if not teachers:
        return Knowledge((), augmentation)
    config, seed = run.config.distillation, run.config.data.seed
    folder = cache_folder(run.config.data.cache_dir) / "views"
    validation = views.compute(teachers, split.validation.images, policy="none", views=1, seed=seed, folder=folder)
    training = None
    if config.teacher_logits != "in-loop":
        training = views.compute(
            teachers, split.train.images, policy=augmentation, views=config.views, seed=seed, folder=folder
        )
        if config.teacher_logits == "averaged":
            training = training.averaged()
    calibration = tuple(
        fit_temperature(validation.logits[:, 0, teacher], split.validation.labels) for teacher in range(len(teachers))
    )
    return Knowledge(tuple(teachers), augmentation, calibration, validation, training)


def train(
    run: Run,
    split: Split,
    network: tf_keras.Model,
    knowledge: Knowledge,
    config: TrainingConfig,
    phase: str,
    normalize: Callable[[tf.Tensor], tf.Tensor] = students.normalize,
    sensor_noise: float = 0.0,
) -> None:
    """Train `network` by `config` under the run's distillation loss; its best weights are left in it.

    Args:
        run: its folder, seed and loss.
        split: training images, and validation images that choose the best epoch.
        network: images → logits.
        knowledge: what the teachers say of these images.
        config: optimizer, schedule, patience.
        phase: name of this training in the run.
        normalize: images in 0..255 → the network's input.
        sensor_noise: as `Distiller` takes it.
    """
    folder = run.path("lowered", phase)
    if (folder / TRAINED_FILE).exists():
        take_back(network, folder, phase, run.workdir)
        return
    distiller = Distiller(
        network,
        knowledge.teachers if knowledge.training is None else (),
        teacher_names=[teacher.name for teacher in knowledge.teachers],
        temperature=run.config.distillation.temperature,
        weighting=run.config.distillation.weighting,
        calibration=knowledge.calibration,
        normalize=normalize,
        sensor_noise=sensor_noise,
    )
    if run.lowers:
        said = knowledge.training, knowledge.validation
        lower(distiller, split, said, config, knowledge.augmentation, run.config.seed, folder)
        raise Lowered(folder)
    training = training_batches(
        split.train,
        batch_size=config.batch_size,
        augmentation=knowledge.augmentation,
        seed=run.config.seed,
        view_logits=knowledge.training,
    )
    validation = evaluation_batches(split.validation, config.batch_size, knowledge.validation)
    fit(distiller, training, validation, config, phase=phase, workdir=run.workdir)
