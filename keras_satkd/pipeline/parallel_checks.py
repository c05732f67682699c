"""Whether the trainings of a run can be divided among several devices, found out before anything is trained."""

from collections.abc import Mapping, Sequence

import tf_keras

from firmware_export.common.errors import UserError
from keras_satkd.config import Config, TrainingConfig
from keras_satkd.data.splits import Split
from keras_satkd.losses import as_loss
from keras_satkd.models import teachers
from keras_satkd.models.teacher import AnyTeacher
from keras_satkd.pipeline import methods
from keras_satkd.run.meeting import Meeting
from keras_satkd.training.parallel import Parallel, check_batch_norms
from keras_satkd.training.view_logits import pixels_sha256


def check(
    config: Config,
    parallel: Parallel | None,
    images: int,
    student: tf_keras.Model,
    missing: Sequence[str],
    *,
    is_taught: bool,
) -> None:
    """Check that every training of a run can be divided.

    Args:
        config: settings of the run.
        parallel: the devices; one, or None, can train everything.
        images: number of training images.
        student: before its training.
        missing: names of the teachers that must be fine-tuned.
        is_taught: whether the distillation loss of the run is used.

    Raises:
        UserError: a batch cannot be divided into equal parts, a loss compares the images of a batch, or a way of
            teaching trains on one device only.
    """
    replicas = 1 if parallel is None else parallel.replicas
    if replicas < 2:
        return
    trainings: list[tuple[str, TrainingConfig]] = [("teachers", config.teachers)] if missing else []
    trainings.append(("distillation", config.distillation))
    if config.quantization.epochs:
        trainings.append(("quantization", config.quantization))
    for group, training in trainings:
        _check_batch(group, training.batch_size, images, replicas)
    if is_taught and as_loss(config.distillation.loss)[0].compares_images:
        raise UserError(
            f"loss {config.distillation.loss.name!r} compares the images of a batch, which {replicas} devices divide: "
            "use another loss, or --strategy one"
        )
    rounds = ["--distillation.rounds"] if config.distillation.rounds > 1 else []
    if alone := [*methods.asked_for(config), *rounds]:
        raise UserError(f"{alone[0]} trains on one device, not on {replicas}: leave it out, or give --strategy one")
    check_batch_norms(student)


def _check_batch(group: str, batch_size: int, images: int, replicas: int) -> None:
    batch = min(batch_size, images)
    if batch % replicas:
        reason = "" if batch == batch_size else f", but there are {images} training images"
        raise UserError(
            f"--{group}.batch-size is {batch_size}{reason}: {replicas} devices need a multiple of {replicas}; give "
            f"{max(1, batch // replicas) * replicas}"
        )


def check_same_data(meeting: Meeting | None, divided: Split, trained: Mapping[str, AnyTeacher | None]) -> None:
    """Check that all processes that train together have the same images and trained teachers.

    Args:
        meeting: the processes; None if this is the only one.
        divided: the images.
        trained: the teachers by name; None for those that must be fine-tuned.

    Raises:
        UserError: they differ.
    """
    if meeting is not None:
        parts = {name: getattr(divided, name) for name in ("train", "validation", "test")}
        data = {name: pixels_sha256(part.images)[:16] for name, part in parts.items()} | {"split": divided.sha256[:16]}
        digests = teachers.digests([teacher for teacher in trained.values() if teacher is not None])
        meeting.agree({"data": data, "set of teachers": digests})
