import pytest
from damage import damage

from firmware_export.common.errors import UserError
from keras_satkd.camera import sensor as sensors
from keras_satkd.config import CameraConfig, Config
from keras_satkd.pipeline import run_sensor
from keras_satkd.run.folder import Run


def test_a_damaged_copy_of_the_sensor_is_written_again_from_the_same_sensor(tmp_path):
    mine = tmp_path / "mine.toml"
    mine.write_text("snr = 20")
    run = Run(tmp_path / "run", Config(camera=CameraConfig(sensor=str(mine))))
    run.claim()
    run_sensor.keep(run, sensors.load(str(mine)))
    kept = run.path("sensor.toml")
    whole = kept.read_bytes()
    for seed in range(10):
        damage(kept, seed)
        run_sensor.restore(kept, str(mine))
        assert kept.read_bytes() == whole
    damage(kept, 0)
    mine.write_text("snr = 30")
    with pytest.raises(UserError, match=r"sensor\.toml is damaged .*restore a copy of it, or the file of --sensor"):
        run_sensor.restore(kept, str(mine))


def test_a_run_without_a_sensor_keeps_none(tmp_path):
    run = Run(tmp_path / "run", Config())
    run.claim()
    run_sensor.keep(run, sensors.load("healthy"))
    assert run.path("sensor.toml").exists()
    assert run_sensor.of(run) is None
    run_sensor.keep(run, None)
    assert not run.path("sensor.toml").exists()
