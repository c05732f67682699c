"""The sensor of a run, and its copy in the run's folder."""

import logging
from pathlib import Path

from firmware_export.common import digests
from firmware_export.common.errors import UserError
from keras_satkd import config_io
from keras_satkd.camera import sensor as sensors
from keras_satkd.camera.sensor import Sensor
from keras_satkd.run.artifacts import SENSOR_FILE
from keras_satkd.run.folder import Run, describe_changes
from keras_satkd.run.stages import Stage

logger = logging.getLogger(__name__)


def of(run: Run) -> Sensor | None:
    """The run's sensor: the one in its folder if the run has begun training, otherwise the given one.

    Returns:
        None without a camera and with `any`.

    Raises:
        UserError: the given sensor does not exist, has a mistake, or has changed since the run began training.
    """
    name = run.config.camera.sensor
    if name is None or name == sensors.ANY:
        return None
    kept_file = run.path(SENSOR_FILE)
    if not (kept_file.exists() and run.has_begun(Stage.TEACHERS)):
        return sensors.load(name)
    restore(kept_file, name)
    kept = sensors.load(str(kept_file))
    if name.endswith(".toml") and not Path(name).exists():
        logger.warning("--sensor %s does not exist: the run's copy %s is used", name, kept_file)
        return kept
    before, now = (config_io.flatten(each.model_dump()) for each in (kept, sensors.load(name)))
    changes = {key: (before.get(key), now.get(key)) for key in before | now if before.get(key) != now.get(key)}
    if changes:
        raise UserError(
            f"--workdir {run.workdir} was made with {describe_changes(changes)} in --sensor {name}: restore them "
            f"(the run's copy is {kept_file}), or give another folder"
        )
    return kept


def restore(kept_file: Path, name: str) -> None:
    """Write a damaged copy of the sensor again if the given sensor still is the same; otherwise refuse it.

    Args:
        kept_file: the run's copy.
        name: of the given sensor.

    Raises:
        UserError: the copy is damaged, and the given sensor is another one.
    """
    if digests.is_whole(kept_file):
        return
    if not name.endswith(".toml") or Path(name).exists():
        text = sensors.load(name).to_toml()
        if digests.is_recorded(kept_file, text.encode()):
            logger.warning("%s is damaged: it is written again from --sensor %s", kept_file, name)
            digests.write_text(kept_file, text)
    digests.check(kept_file, f"restore a copy of it, or the file of --sensor {name} with which the run was started")


def keep(run: Run, sensor: Sensor | None) -> None:
    """Write the run's copy of its sensor; without a sensor, remove it."""
    if sensor is None:
        digests.remove(run.path(SENSOR_FILE))
    else:
        digests.write_text(run.path(SENSOR_FILE), sensor.to_toml())
