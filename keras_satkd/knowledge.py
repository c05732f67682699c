"""What a run's teachers know of its images, and a student's training under it; distillation and QAT share this."""

from collections.abc import Sequence
from dataclasses import dataclass

import tf_keras

from keras_satkd import views
from keras_satkd.batches import evaluation_batches, training_batches
from keras_satkd.calibration import fit_temperature
from keras_satkd.config import TrainingConfig
from keras_satkd.data import Split
from keras_satkd.distiller import Distiller
from keras_satkd.run import Run
from keras_satkd.teachers import Teacher
from keras_satkd.training import fit
from keras_satkd.views import ViewLogits


@dataclass(frozen=True)
class Knowledge:
    """Teachers and what they said.

    Attributes:
        teachers: T of them.
        calibration: T temperatures, fitted on the validation images.
        validation: logits of the validation images as they are (one view).
        training: logits of the training views; None when the teachers run inside the training step.
    """

    teachers: tuple[Teacher, ...]
    calibration: tuple[float, ...]
    validation: ViewLogits
    training: ViewLogits | None


def gather(run: Run, split: Split, teachers: Sequence[Teacher]) -> Knowledge:
    """Ask the teachers once; what they said before is read from the run's folder."""
    config, seed = run.config.distillation, run.config.seed
    validation = views.compute(
        teachers, split.validation, policy="none", views=1, seed=seed, folder=run.path("views", "validation")
    )
    training = None
    if config.teacher_logits == "precomputed":
        training = views.compute(
            teachers,
            split.train,
            policy=config.augmentation,
            views=config.views,
            seed=seed,
            folder=run.path("views", "training"),
        )
    calibration = [
        fit_temperature(validation.logits[:, 0, teacher], split.validation.labels) for teacher in range(len(teachers))
    ]
    return Knowledge(tuple(teachers), tuple(calibration), validation, training)


def distiller(run: Run, student: tf_keras.Model, knowledge: Knowledge) -> Distiller:
    """The student with its teachers under the run's loss."""
    config = run.config.distillation
    in_loop = knowledge.training is None
    return Distiller(
        student,
        knowledge.teachers if in_loop else (),
        teacher_names=[teacher.name for teacher in knowledge.teachers],
        temperature=config.temperature,
        weighting=config.weighting,
        calibration=knowledge.calibration,
    )


def train(
    run: Run, split: Split, student: tf_keras.Model, knowledge: Knowledge, config: TrainingConfig, phase: str
) -> None:
    """Train `student` by `config` under the run's distillation loss; its best weights are left in it."""
    training = training_batches(
        split.train,
        batch_size=config.batch_size,
        augmentation=run.config.distillation.augmentation,
        seed=run.config.seed,
        view_logits=knowledge.training,
    )
    validation = evaluation_batches(split.validation, config.batch_size, knowledge.validation)
    fit(distiller(run, student, knowledge), training, validation, config, phase=phase, workdir=run.workdir)
