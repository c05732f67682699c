"""The page about more than one machine: its commands run at once, as processes, on made-up images."""

import json
import os
import subprocess
import sys
import tempfile
import time

import numpy as np
import prepared_process
import pytest
import tomli_w
from documented_commands import commands
from markdown_text import ROOT, fences, text
from tests_support import by_color, draw_colors, free_port, tiny_network

from firmware_export.tflite.convert import load_keras
from keras_satkd import config_io
from keras_satkd.pipeline.steps import quantize_only
from keras_satkd.run import history
from keras_satkd.run.artifacts import MEETING_FOLDER, STUDENT_FILE
from keras_satkd.run.folder import Run

PAGE = ROOT / "docs" / "many_machines.md"
SIZE = 64
LIMIT = 900
"""Seconds for a process on a busy machine."""
STARTS = 4
"""Ray gives its own processes 30 seconds to start, which a busy machine may exceed."""


def environment_of(folder):
    """For a process in a folder: it finds our packages and the folder's modules, and keeps its cache there."""
    return {**os.environ, "PYTHONPATH": f"{ROOT}:{folder}", "XDG_CACHE_HOME": str(folder / "cache")}


@pytest.mark.slow
def test_the_page(tmp_path):
    draw_colors(tmp_path / "my_images", ("Fire", "Forest", "Water"), 110, SIZE)
    by_color().save(tmp_path / "my_teacher.keras")
    by_color(SIZE).save(tmp_path / "student.keras")
    quick = {
        "student": "student.keras",
        "distillation": {"epochs": 1, "batch_size": 32, "views": 2},
        "quantization": {"epochs": 0},
    }
    (tmp_path / "quick.toml").write_text(tomli_w.dumps(quick))
    environment = environment_of(tmp_path)

    def start(command):
        return prepared_process.start([*command.words, "--config", "quick.toml"], tmp_path, environment)

    first, second, train = commands(PAGE)[:3]
    refused = start(train).wait()
    assert refused.returncode == 2
    assert "store has no logits of teacher my_teacher in it" in refused.stderr.splitlines()[-1]
    both = [start(first), start(second)]
    for done in [process.wait() for process in both]:
        assert done.returncode == 0, done.stderr
        assert done.stdout.endswith("-of-00002.npy: computed\n")
    done = start(train).wait()
    assert done.returncode == 0, done.stderr
    [store] = tmp_path.glob("store/*/store.json")
    assert json.loads(store.read_text())["shards"] == 2
    assert (tmp_path / "runs" / "quick" / "report.html").exists()


TINY_STUDENT = """
import tf_keras

def build(size, classes, channels):
    layers = tf_keras.layers
    image = layers.Input((size, size, channels))
    features = layers.BatchNormalization(momentum=0.8)(layers.Conv2D(4, 3, 4, use_bias=False)(image))
    features = layers.GlobalAveragePooling2D()(layers.ReLU()(features))
    return tf_keras.Model(image, layers.Dense(classes)(features))
"""

TINY = {
    "student": "tiny_student:build",
    "worker_timeout": 10.0,
    "data": {"source": "synthetic", "synthetic_images": 80, "image_size": 16},
    "teachers": {"names": ["tiny.keras"], "accept_weak": True},
    "distillation": {"epochs": 2, "batch_size": 16, "mixed_precision": "off", "views": 2},
    "quantization": {"epochs": 1, "batch_size": 16, "calibration_images": 16},
}


@pytest.mark.slow
def test_one_training_in_two_processes_of_which_one_is_killed(tmp_path, monkeypatch):
    (tmp_path / "tiny_student.py").write_text(TINY_STUDENT)
    (tmp_path / "my.toml").write_text(tomli_w.dumps(TINY))
    tiny_network(10, 16).save(tmp_path / "tiny.keras")
    block = next(fence.text for fence in fences(text(PAGE)) if "TF_CONFIG" in fence.text)
    for documented, here in (
        ("host0:2222", f"127.0.0.1:{free_port()}"),
        ("host1:2222", f"127.0.0.1:{free_port()}"),
        ("/shared/run", str(tmp_path / "run")),
        ("python -m keras_satkd.distill", f"exec {sys.executable} -m keras_satkd.quantize"),
    ):
        assert documented in block
        block = block.replace(documented, here)

    def start(index):
        words = ["bash", "-c", block.replace('"index": 0', f'"index": {index}')]
        environment = environment_of(tmp_path)
        return subprocess.Popen(words, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    chief, worker = start(0), start(1)
    metrics = tmp_path / "run" / history.FILE
    while not metrics.exists() and chief.poll() is None:
        time.sleep(0.05)
    worker.kill()
    worker.communicate()
    said = chief.communicate(timeout=LIMIT)[1].decode()
    assert chief.returncode == 2, said
    assert "error: worker 1 (127.0.0.1:" in said.splitlines()[-1]
    assert said.splitlines()[-1].endswith(": repeat the command of every process to resume")
    again = [start(0), start(1)]
    try:
        for process in again:
            said = process.communicate(timeout=LIMIT)[1].decode()
            assert process.returncode == 0, said
    finally:
        for process in again:
            process.kill()
            process.communicate()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    one = Run(tmp_path / "one", config_io.load("my.toml"))
    quantize_only(one)
    rows = [history.read(folder / history.FILE) for folder in (tmp_path / "one", tmp_path / "run")]
    assert [(row["phase"], row["epoch"]) for row in rows[0]] == [(row["phase"], row["epoch"]) for row in rows[1]]
    for first, second in zip(*rows, strict=True):
        for name in ("learning_rate", "loss", "accuracy", "val_loss", "val_accuracy"):
            assert float(second[name]) == pytest.approx(float(first[name]), abs=1e-3), name
    students = [load_keras(folder / STUDENT_FILE).get_weights() for folder in (tmp_path / "one", tmp_path / "run")]
    for first, second in zip(*students, strict=True):
        np.testing.assert_allclose(second, first, atol=1e-3)
    written = {path.name for path in (tmp_path / "run").rglob("*worker*")}
    assert written == {MEETING_FOLDER}


@pytest.mark.slow
def test_ray_starts_the_shards_and_a_study(tmp_path):
    (tmp_path / "tiny_student.py").write_text(TINY_STUDENT)
    tiny_network(10, 16).save(tmp_path / "tiny.keras")
    settings = {
        **TINY,
        "teachers": {"names": [str(tmp_path / "tiny.keras")], "accept_weak": True},
        "distillation": {**TINY["distillation"], "epochs": 1},
        "quantization": {"epochs": 0, "calibration_images": 16},
    }
    (tmp_path / "my.toml").write_text(tomli_w.dumps(settings))
    script = next(fence.text for fence in fences(text(PAGE)) if "import ray" in fence.text)
    (tmp_path / "rows.toml").write_text('["taught"]\n["alone"]\ndistillation.weighting.rule = "none"\n')
    few = f'"--students", "tiny_student:build", "--rows-from", "{tmp_path / "rows.toml"}"'
    for documented, here in (
        ("num_cpus=4", "num_cpus=1"),
        ("ray.init()", "ray.init(num_cpus=2, include_dashboard=False)"),
        ("}/64", "}/2"),
        ("range(1, 65)", "range(1, 3)"),
        ("range(8)", "range(2)"),
        ('"/shared/study"', f'"/shared/study", {few}'),
        ("/shared", str(tmp_path)),
    ):
        assert documented in script
        script = script.replace(documented, here)
    (tmp_path / "script.py").write_text(script)
    # Ray keeps a token in the home folder, and sockets in a folder whose name must be short.
    with tempfile.TemporaryDirectory() as short:
        of_ray = {"HOME": str(tmp_path), "RAY_TMPDIR": short, "RAY_USAGE_STATS_ENABLED": "0"}
        environment = environment_of(tmp_path) | of_ray
        for _ in range(STARTS):
            done = subprocess.run(
                [sys.executable, "script.py"],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                timeout=LIMIT,
            )
            if "timed out during startup" not in done.stderr:
                break
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("store/*/logits-*-of-00002.npy"))) == 2
    results = json.loads((tmp_path / "study" / "results.json").read_text())
    assert {result["row"] for result in results["results"]} == {"taught", "alone"}
