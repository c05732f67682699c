"""Rounds of self-distillation: each student teaches the next, which begins anew.

With `S_k` the student of round k, and `s` the share `weighting.distillation_share`, the loss of round k + 1 is

    L = (1 − s) · CE(y, S_{k+1}) + s · D(S_k, S_{k+1})

where D is the run's distillation loss. Round 1 is the run's ordinary distillation, or labels alone.

Source: Furlanello et al., "Born-Again Neural Networks" (ICML 2018, arXiv 1805.04770).
"""

from dataclasses import replace

import tf_keras

from firmware_export.tflite.convert import load_keras
from keras_satkd.config import DistillationConfig, WeightingConfig
from keras_satkd.data.splits import Split
from keras_satkd.models import students
from keras_satkd.models.teacher import Teacher
from keras_satkd.run.folder import Run
from keras_satkd.run.stages import earlier_round
from keras_satkd.training.teacher_logits import TeacherTargets, compute_teacher_logits


def earlier_students(run: Run) -> dict[str, tf_keras.Model]:
    """The students of the finished rounds before the last, by the names of their steps."""
    steps = [earlier_round(number) for number in range(1, run.config.distillation.rounds)]
    return {step.name: load_keras(run.path(step.files[0])) for step in steps}


def later(settings: DistillationConfig) -> DistillationConfig:
    """The settings of the rounds after the first: one teacher, always heard."""
    weighting = WeightingConfig(rule="static", distillation_share=settings.weighting.distillation_share)
    return replace(settings, weighting=weighting, teacher_schedule="all")


def taught(run: Run, split: Split, targets: TeacherTargets, number: int) -> tuple[DistillationConfig, TeacherTargets]:
    """The settings and the teachers of a round.

    Args:
        run: has finished the rounds before.
        split: its images.
        targets: the logits of the run's teachers.
        number: of the round, from 1.

    Raises:
        UserError: the student of the round before is near chance, and weak teachers are not accepted.
    """
    config = run.config
    if number == 1:
        return config.distillation, targets
    step = earlier_round(number - 1)
    network = load_keras(run.path(step.files[0]))
    teacher = Teacher(step.name, network, config.data.image_size, students.INPUT_RANGE)
    settings = later(config.distillation)
    found = compute_teacher_logits(
        [teacher],
        split,
        settings,
        settings.augmentation,
        config.data,
        targets.camera,
        config.camera.teachers_see,
        settings.mixing,
        accepts_weak=config.teachers.accept_weak,
    )
    return settings, found
