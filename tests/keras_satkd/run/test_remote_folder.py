"""Runs whose folder is in a bucket of a real S3 server (moto's)."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tomli_w
from tests_support import tiny_network

from firmware_export.common.errors import UserError
from keras_satkd.config import Config
from keras_satkd.data.remote import Mirror
from keras_satkd.run import history
from keras_satkd.run.artifacts import CONFIG_FILE, LOCK_FILE
from keras_satkd.run.folder import Run
from keras_satkd.run.locks import InUse
from keras_satkd.run.remote_folder import RemoteFolder
from keras_satkd.run.results import DistillationResult, Int8Result
from keras_satkd.run.stages import DISTILLATION, INT8

URL = "s3://bucket/runs/one"
HOLD = """
import sys
from keras_satkd.run.remote_folder import RemoteFolder
held = RemoteFolder(sys.argv[1], sys.argv[2])
print(flush=True)
input()
"""


@pytest.fixture
def machine(tmp_path):
    """Makes the run of a machine; the copies of machines with other names are apart."""

    def make(name: str = "here", config: Config | None = None) -> Run:
        remote = RemoteFolder(URL, str(tmp_path / name))
        run = Run(remote.folder, config or Config())
        run.remote = remote
        return run

    return make


def there(bucket) -> set[str]:
    from pyarrow import fs

    found = bucket.get_file_info(fs.FileSelector("bucket/runs/one", recursive=True, allow_not_found=True))
    return {each.path.removeprefix("bucket/runs/one/") for each in found if each.is_file}


def distilled(run: Run) -> None:
    def work():
        run.path("student.keras").write_bytes(b"weights")
        return DistillationResult("student.keras", 98_522, 58_393_216)

    run.claim()
    run.step(DISTILLATION, work)


def test_another_machine_continues_a_run(bucket, machine):
    distilled(machine())
    assert {CONFIG_FILE, "metrics.json", "student.keras"} <= there(bucket)
    assert LOCK_FILE not in there(bucket)
    other = machine("there")
    other.claim()
    assert other.results[DISTILLATION].parameters == 98_522
    assert other.path("student.keras").read_bytes() == b"weights"
    other.step(INT8, lambda: Int8Result("student_int8.tflite", 5))
    again = machine()
    assert INT8 in again.results


def test_a_run_in_google_cloud_storage(google_bucket, tmp_path):
    url = URL.replace("s3://", "gs://")
    for name in ("here", "there", "here"):
        run = Run((remote := RemoteFolder(url, str(tmp_path / name))).folder, Config())
        run.remote = remote
        if not run.results:
            distilled(run)
    assert run.results[DISTILLATION].parameters == 98_522
    run.path("student.keras").unlink()
    remote.save()
    assert not RemoteFolder(url, str(tmp_path / "elsewhere")).folder.joinpath("student.keras").exists()


def test_an_epoch_that_the_network_kept_here_is_not_lost(bucket, machine, monkeypatch, caplog):
    run = machine()
    distilled(run)
    run.path(history.FILE).write_text("phase,epoch\ndistillation,1\n")
    with monkeypatch.context() as without_network:
        without_network.setattr(Mirror, "push", _fails)
        run.remote.save_epoch()
    assert "no network; this epoch is on this machine alone" in caplog.text
    again = machine()
    assert again.path(history.FILE).exists()
    again.remote.save()
    assert history.FILE in there(bucket)


def _fails(*_):
    raise UserError("no network")


def test_objects_are_written_in_order_and_the_new_configuration_last(bucket, machine, monkeypatch):
    run = machine()
    distilled(run)
    done = []
    monkeypatch.setattr(Mirror, "push", lambda self, paths: done.extend(("+", path.name) for path in paths))
    monkeypatch.setattr(Mirror, "remove", lambda self, names: done.extend(("-", name) for name in names))
    for time_ns, name in enumerate((CONFIG_FILE, "second", "first"), start=1):
        run.path(name).write_text("new")
        os.utime(run.path(name), ns=(0, 10**9 * (5 - time_ns)))
    run.path("student.keras").unlink()
    run.remote.save()
    assert done == [("+", "first"), ("+", "second"), ("-", "student.keras"), ("+", CONFIG_FILE)]


def test_a_bucket_without_a_run_is_refused_before_it_is_copied(bucket, machine, tmp_path):
    with bucket.open_output_stream("bucket/runs/one/tile.png") as target:
        target.write(b"x")
    with pytest.raises(UserError, match=f"--workdir {URL} contains files but no run: give a new or an empty folder"):
        machine()
    assert not list(tmp_path.rglob("tile.png"))


def test_a_cache_that_cannot_be_written(bucket, tmp_path):
    (tmp_path / "runs").touch()
    with pytest.raises(UserError, match=r"runs/s3 cannot be written \(Not a directory\): set --data.cache-dir"):
        RemoteFolder(URL, str(tmp_path))


def test_two_processes_of_one_machine(bucket, machine, tmp_path):
    command = [sys.executable, "-c", HOLD, URL, str(tmp_path / "here")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline()
        with pytest.raises(InUse, match=f"--workdir {URL} is in use by another process of this machine"):
            machine()
        other.kill()


SETTINGS = {
    "student": "tiny.keras",
    "data": {"source": "synthetic", "synthetic_images": 80, "image_size": 16},
    "teachers": {"names": ["tiny.keras"], "accept_weak": True},
    "distillation": {"epochs": 3, "batch_size": 16, "mixed_precision": "off", "views": 2},
    "quantization": {"epochs": 0, "calibration_images": 16},
}


@pytest.mark.slow
def test_a_training_is_killed_and_continued_on_another_machine(bucket, tmp_path):
    (tmp_path / "my.toml").write_text(tomli_w.dumps(SETTINGS))
    tiny_network(10, 16).save(tmp_path / "tiny.keras")

    def start(workdir, cache):
        words = [sys.executable, "-m", "keras_satkd.quantize", "--config", "my.toml", "--workdir", workdir]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "XDG_CACHE_HOME": str(cache)}
        return subprocess.Popen(words, cwd=tmp_path, env=environment, stderr=subprocess.PIPE)

    killed = start(URL, tmp_path / "a")
    while history.FILE not in there(bucket) and killed.poll() is None:
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    shutil.rmtree(tmp_path / "a")
    for workdir, cache in ((URL, tmp_path / "b"), ("one", tmp_path / "c")):
        process = start(workdir, cache)
        said = process.communicate()[1].decode()
        assert process.returncode == 0, said
    mirror = Mirror.of(URL, str(tmp_path / "d"))
    mirror.pull()
    rows = [history.read(folder / history.FILE) for folder in (tmp_path / "one", mirror.folder)]
    assert [row["val_loss"] for row in rows[0]] == [row["val_loss"] for row in rows[1]]
    first, second = (json.loads((folder / "metrics.json").read_text()) for folder in (tmp_path / "one", mirror.folder))
    assert second["int8"]["sha256"] == first["int8"]["sha256"]
    assert (mirror.folder / "student.keras").exists()
