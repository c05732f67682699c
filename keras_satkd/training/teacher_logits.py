"""The teachers of a run and their logits for its training and validation images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from firmware_export.images.image_set import ImageSet
from keras_satkd.camera.training import Mixture
from keras_satkd.config import DistillationConfig, MixingConfig
from keras_satkd.data.cache import cache_folder
from keras_satkd.data.splits import Split
from keras_satkd.evaluation.calibration import fit_temperature
from keras_satkd.evaluation.input_checks import other_input
from keras_satkd.evaluation.metrics import predict
from keras_satkd.evaluation.teacher_checks import check_rows, check_teacher, tell
from keras_satkd.models.stored_logits import StoredLogits
from keras_satkd.models.teacher import AnyTeacher, Teacher
from keras_satkd.settings.data_config import DataConfig
from keras_satkd.training.view_logits import ViewLogits, compute_view_logits


@dataclass(frozen=True)
class TeacherTargets:
    """Teachers and their logits for a run's images.

    Attributes:
        teachers: T of them, or none.
        augmentation: policy of the training images.
        calibration: T temperatures, fitted on the validation images.
        validation: logits of the validation images without augmentation, as the camera gives them (one view); None
            without teachers.
        training: logits of the training views; None when the teachers run inside the training step, or there are none.
        camera: disturbs training and validation images; None where they stay as they are.
        mixing: mixes training images; None where they stay as they are.
        teachers_see: `disturbed` or `clean` views, as `CameraConfig.teachers_see`.
        accuracies: T of them, on the validation images.
    """

    teachers: tuple[AnyTeacher, ...]
    augmentation: str
    calibration: tuple[float, ...] = ()
    validation: ViewLogits | None = None
    training: ViewLogits | None = None
    camera: Mixture | None = None
    mixing: MixingConfig | None = None
    teachers_see: str = "disturbed"
    accuracies: tuple[float, ...] = ()

    @property
    def running(self) -> tuple[Teacher, ...]:
        """The teachers that run inside the training step."""
        given = self.teachers if self.training is None else ()
        return tuple(each for each in given if not isinstance(each, StoredLogits))

    @property
    def runs_on_clean_views(self) -> bool:
        """Whether teachers run inside the training step, on views that the camera does not disturb."""
        return bool(self.running) and self.camera is not None and self.teachers_see == "clean"


def compute_teacher_logits(
    teachers: Sequence[AnyTeacher],
    split: Split,
    config: DistillationConfig,
    augmentation: str,
    data: DataConfig,
    camera: Mixture | None = None,
    teachers_see: str = "disturbed",
    mixing: MixingConfig | None = None,
    *,
    store: Path | None = None,
    accepts_weak: bool = True,
) -> TeacherTargets:
    """Run the teachers once on training and validation images. Logits that are in the cache are read from it.

    Args:
        teachers: T of them, or none.
        split: the images.
        config: number of views, and whether logits are precomputed, averaged or computed in the training step.
        augmentation: policy of the training images.
        data: seed of the views, and the cache folder.
        camera: disturbs training and validation images.
        teachers_see: `disturbed` or `clean` views, as `CameraConfig.teachers_see`.
        mixing: mixes the training images before the camera sees them; not with averaged logits.
        store: folder of a `LogitsStore` with the logits of the training views; None: they are computed.
        accepts_weak: only warn of a teacher that fails `check_teacher` or `other_input` on the validation images, or
            `check_rows` on the training images.

    Raises:
        UserError: a teacher fails that check, and weak ones are not accepted; or the store lacks logits.
    """
    if mixing is not None and mixing.method == "none":
        mixing = None
    if not teachers:
        return TeacherTargets((), augmentation, camera=camera, mixing=mixing)
    seen_through = camera if teachers_see == "disturbed" else None
    folder = cache_folder(data.cache_dir) / "views"

    def run(images: ImageSet, **settings: Any) -> ViewLogits:
        found = images.images, images.files
        return compute_view_logits(list(teachers), found[0], files=found[1], seed=data.seed, folder=folder, **settings)

    validation = run(split.validation, policy="none", views=1, camera=seen_through)
    labels, class_names = split.validation.labels, split.validation.class_names
    said = validation.of_first_view()
    accuracies = tuple((said.argmax(axis=-1) == labels[:, np.newaxis]).mean(axis=0).tolist())
    calibration = tuple(fit_temperature(logits, labels) for logits in said.swapaxes(0, 1))
    for position, teacher in enumerate(teachers):
        logits, temperature = said[:, position], calibration[position]
        if isinstance(teacher, StoredLogits):
            rows = teacher.of(split.train.files)[:, 0]
            check_rows(teacher.name, rows, split.train.labels, class_names, accepts_weak=accepts_weak)
        elif teacher.is_foreign:
            problem = other_input(teacher, split.validation.images, labels, _logits_of)
            tell(teacher.name, problem, accepts_weak=accepts_weak)
        check_teacher(teacher.name, logits, labels, class_names, temperature, accepts_weak=accepts_weak)
    training = None
    if config.teacher_logits != "in-loop":
        settings = {"policy": augmentation, "views": config.views, "camera": seen_through, "mixing": mixing}
        training = run(split.train, **settings, store=store)
        if config.teacher_logits == "averaged":
            training = training.averaged()
    return TeacherTargets(
        tuple(teachers), augmentation, calibration, validation, training, camera, mixing, teachers_see, accuracies
    )


def _logits_of(teacher: Teacher, images: np.ndarray) -> np.ndarray:
    return predict(teacher.logits, images, f"check {teacher.name}")
