"""What teachers know of a run's images, and a network's training under it.

Distillation, QAT and the fine-tuning of the teachers themselves all go through here; without teachers it is plain
supervised training.
"""

from collections.abc import Callable

import tensorflow as tf
import tf_keras

from keras_satkd.config import TrainingConfig
from keras_satkd.data.splits import Split
from keras_satkd.distiller import Distiller
from keras_satkd.models import students
from keras_satkd.run.folder import Run
from keras_satkd.training.batches import evaluation_batches, training_batches
from keras_satkd.training.fit import fit
from keras_satkd.training.offload import TrainingExported, export_training, import_result
from keras_satkd.training.run_offloaded import TRAINED_FILE
from keras_satkd.training.teacher_logits import Knowledge


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
        import_result(network, folder, phase, run.workdir)
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
        logits = knowledge.training, knowledge.validation
        export_training(distiller, split, logits, config, knowledge.augmentation, run.config.seed, folder)
        raise TrainingExported(folder)
    training = training_batches(
        split.train,
        batch_size=config.batch_size,
        augmentation=knowledge.augmentation,
        seed=run.config.seed,
        view_logits=knowledge.training,
    )
    validation = evaluation_batches(split.validation, config.batch_size, knowledge.validation)
    fit(distiller, training, validation, config, phase=phase, workdir=run.workdir)
