"""The ways of teaching that a run's settings ask for, as what they change in its trainings."""

from collections.abc import Callable
from functools import partial

import tf_keras

from firmware_export.common.errors import UserError
from firmware_export.images.image_set import ImageSet
from keras_satkd import pgd
from keras_satkd.config import Config, DistillationConfig
from keras_satkd.losses import as_loss
from keras_satkd.method.concurrent import Concurrent
from keras_satkd.method.shrinking import Shrink, Shrinking, first_narrow_epoch
from keras_satkd.models import width
from keras_satkd.models.student_registry import file_of
from keras_satkd.settings.method_config import AdversarialConfig, CapacityConfig
from keras_satkd.training.method import PLAIN, Method
from keras_satkd.weighting import rule_type


def attack(settings: AdversarialConfig) -> pgd.Attack:
    """The attack on training images."""
    return pgd.attack_of(settings.epsilon, settings.steps, settings.step_size)


def of_student(settings: DistillationConfig, build: Callable[[], tf_keras.Model]) -> tuple[tf_keras.Model, Method]:
    """The network to train and how.

    Args:
        settings: of distillation.
        build: makes a student; each call draws other weights.
    """
    student, adversarial, capacity = build(), settings.adversarial, settings.capacity
    if adversarial.epsilon:
        given = {"attack": attack(adversarial), "natural": build(), "mutual_share": adversarial.mutual_share}
        return student, Method(partial(Concurrent, **given))
    if capacity.widest > 1:
        groups, _ = width.groups_of(student)
        distiller = partial(Shrinking, least={name: group.channels for name, group in groups.items()})
        first = first_narrow_epoch(settings.epochs, capacity)
        callbacks = [Shrink(settings.epochs, capacity)]
        return width.widened(student, capacity.widest), Method(distiller, None, callbacks, first)
    return student, PLAIN


def of_quantization(settings: DistillationConfig) -> Method:
    """What QAT takes over: the attack."""
    adversarial = settings.adversarial
    return Method(partial(Concurrent, attack=attack(adversarial))) if adversarial.epsilon else PLAIN


def asked_for(config: Config) -> list[str]:
    """The options of the ways of teaching that a run's settings ask for, as on the command line."""
    distillation = config.distillation
    asked = {
        "--distillation.adversarial.epsilon": distillation.adversarial.epsilon > 0,
        "--distillation.capacity.widest": distillation.capacity.widest > 1,
        "--teachers.fixmatch.weight": config.teachers.fixmatch.weight > 0,
    }
    return [name for name, is_asked in asked.items() if is_asked]


def check(config: Config, student: tf_keras.Model, *, lowers: bool) -> None:
    """Check the ways of teaching of a student, before anything is trained.

    Args:
        config: settings of the run.
        student: untrained.
        lowers: whether the trainings are written as programs.

    Raises:
        UserError: they cannot be combined, with each other or with other settings.
    """
    settings = config.distillation
    names = asked_for(config)
    if lowers and names:
        raise UserError(f"{names[0]} cannot be lowered: leave it out, or train here")
    if len(names) > 1 and names[1] == "--distillation.capacity.widest":
        raise UserError(f"{names[0]} and {names[1]} cannot be combined: leave one of them out")
    if settings.adversarial.epsilon:
        _check_adversarial(settings)
    if settings.capacity.widest > 1:
        _check_capacity(config, settings.capacity, student)


def _check_adversarial(settings: DistillationConfig) -> None:
    attack(settings.adversarial)
    loss, _ = as_loss(settings.loss)
    is_taught = rule_type(settings.weighting.rule).uses_teachers or settings.rounds > 1
    if is_taught and loss.needs != "logits":
        raise UserError(
            f"loss {settings.loss.name!r} needs {loss.needs}, and --distillation.adversarial.epsilon shows only logits "
            "of adversarial images: use a loss of logits (kl, zscore, dkd, dist)"
        )


def _check_capacity(config: Config, settings: CapacityConfig, student: tf_keras.Model) -> None:
    distillation = config.distillation
    if first_narrow_epoch(distillation.epochs, settings) >= distillation.epochs:
        raise UserError(
            f"--distillation.capacity.until {settings.until:g} leaves none of {distillation.epochs} epochs to the "
            "narrow student: give more epochs, or a smaller fraction"
        )
    if distillation.initial_weights is not None or file_of(config.student) is not None:
        raise UserError(
            "--distillation.capacity.widest begins with a wider network, for which there are no weights: leave out "
            "--distillation.initial-weights, and give a student by name"
        )
    width.groups_of(student)


def check_fixmatch(config: Config, unlabelled: ImageSet | None) -> None:
    """Check the fine-tuning of teachers on unlabelled images.

    Args:
        config: settings of the run.
        unlabelled: its unlabelled images; None without any.

    Raises:
        UserError: there are none, or other teachers are to teach too.
    """
    weight = config.teachers.fixmatch.weight
    if weight and unlabelled is None:
        raise UserError(
            f"--teachers.fixmatch.weight {weight:g} learns from unlabelled images, and there are none: give "
            "--data.unlabelled or --data.labels-per-class"
        )
    if weight and config.teachers.taught_by:
        raise UserError("--teachers.fixmatch.weight and --teachers.taught-by cannot be combined: leave one of them out")
