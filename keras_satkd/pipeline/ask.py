"""The teachers' logits for one shard of the training images, in a store (`training.logits_store`)."""

import logging
from pathlib import Path

from firmware_export.common.errors import UserError
from keras_satkd.camera import sensor as sensors
from keras_satkd.config import Config
from keras_satkd.data import reading, scaling
from keras_satkd.data.remote import with_record
from keras_satkd.data.sources import load
from keras_satkd.models import pretrained, teachers
from keras_satkd.models.stored_logits import StoredLogits
from keras_satkd.pipeline.distil import logits_folder
from keras_satkd.pipeline.inputs import trained_teacher
from keras_satkd.training.logits_store import DESCRIPTION
from keras_satkd.training.view_logits import ask_shard

logger = logging.getLogger(__name__)


def ask(config: Config, shard: int, shards: int) -> list[tuple[Path, bool]]:
    """Ask each trained teacher about the views of one shard, as `distil` would ask it about all.

    Args:
        config: as of the run that will read the store, `distillation.logits_store`.
        shard: counted from 1.
        shards: number of shards.

    Returns:
        The file of each teacher, and whether it was computed: it may have been there.

    Raises:
        UserError: the settings name no store, or logits that cannot be stored; a teacher is not trained; the store has
            another layout.
    """
    loss, camera = config.distillation, config.camera
    store = logits_folder(config)
    if store is None:
        raise UserError("give the store's folder, which all processes can write: --distillation.logits-store FOLDER")
    if loss.teacher_logits == "in-loop":
        raise UserError("--distillation.teacher-logits in-loop stores nothing: use precomputed or averaged")
    images = load(config.data)
    names = config.teachers.names or pretrained.teacher_names(images.class_names)
    teachers.check_names(names)
    for name in names:
        if not teachers.is_trained(name):
            raise UserError(f"teacher {name} is not trained: run keras_satkd.teach first, and give its folder")
    sensor = None if camera.sensor in (None, sensors.ANY) else sensors.load(str(camera.sensor))
    divided, _ = scaling.split_scaled(images, config.data)
    rgb = reading.rgb_of(images.channel_names, config.data)
    loaded = [trained_teacher(name, config, loss, images, rgb) for name in names]
    asked = [teacher for teacher in loaded if not isinstance(teacher, StoredLogits)]
    size = 2 * len(divided.train) * loss.views * len(images.class_names)
    logger.info(
        "%d images, %d views: %s MB for each of %d teachers; this is shard %d of %d",
        *(len(divided.train), loss.views, f"{size / 1e6:,.1f}", len(asked), shard, shards),
    )
    store.pull(lambda name: DESCRIPTION in name or f"-{shard:05}-of-{shards:05}." in name)
    found = []
    for teacher in asked:
        path, is_new = ask_shard(
            teacher,
            divided.train.images,
            policy=loss.augmentation,
            views=loss.views,
            seed=config.data.seed,
            store=store.folder,
            shard=shard,
            shards=shards,
            camera=sensors.mixture(camera, sensor) if camera.teachers_see == "disturbed" else None,
            mixing=None if loss.mixing.method == "none" else loss.mixing,
        )
        if is_new or not store.has(path):
            store.push([*with_record(path.with_name(DESCRIPTION)), *with_record(path)])
        found.append((path, is_new))
    return found
