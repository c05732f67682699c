"""`make bench-scale`: what data and teacher logits that stay on disk cost, and what they spare.

Ratios are measured in one run, each step in turn with the other. The results are in `docs/scale/results.json`, and in
the table of docs/many_machines.md.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import tensorflow as tf
import tomli_w

from firmware_export.common import on_disk
from keras_satkd.data import augment
from keras_satkd.data.view_numbers import Drawn
from keras_satkd.distiller import Distiller
from keras_satkd.models import students, teachers
from keras_satkd.run import history
from keras_satkd.training.batches import training_batches
from keras_satkd.training.logits_store import LogitsStore, Recipe
from keras_satkd.training.view_logits import ViewLogits, together
from tests import memory_trial
from tests.bench import BATCH, scenes, stepper
from tests.scale_tables import TEACHER, TILE, lines, renew
from tests.tests_support import free_port

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "scale" / "results.json"

THOUSANDS = (10, 100, 1000)
HELD = 1
"""MiB of images that a trial holds in memory: all its sets are larger."""
IMAGES, VIEWS, SHARDS = 4096, 8, 16
ROUNDS, IN_A_ROW = 3, 3
TRAINING = {
    "data": {"source": "synthetic", "synthetic_images": 4000},
    "distillation": {"epochs": 4, "weighting": {"rule": "none"}},
    "quantization": {"epochs": 0},
}
BATCHES = (64, 512)


def memory(folder: Path) -> list[dict[str, float]]:
    """Trials of sets of several sizes, the first time and from the cache."""
    found = []
    for thousands in THOUSANDS:
        images = folder / f"{thousands}.npz"
        memory_trial.make_tiles(images, 1000 * thousands, TILE)
        first, again = (memory_trial.in_new_process(images, TILE, folder / "cache", HELD) for _ in range(2))
        images.unlink()
        found.append(
            {
                "thousand_tiles": thousands,
                "start_mib": first["start"],
                "peak_mib": max(first["evaluated"], again["evaluated"]),
                "seconds_to_first_batch": first["seconds_to_first_batch"],
                "from_cache": again["seconds_to_first_batch"],
            }
        )
        print(found[-1], file=sys.stderr)
    return found


def ratios(folder: Path) -> dict[str, float]:
    """A step with logits from a store, and with images from disk too, over one with all of them in memory."""
    images = scenes(IMAGES)
    stores = [_store(folder, name) for name in ("one", "two")]
    held = np.stack([store.read(VIEWS) for store in stores], axis=2)
    drawn = Drawn(IMAGES, VIEWS, augment.DRAWS, augment.view_seed(0))
    read = together(held.shape, [store.by_view(VIEWS) for store in stores])
    np.save(folder / "images.npy", images.images)
    far = replace(images, images=cast(np.ndarray, on_disk.Rows.open(folder / "images.npy")))
    inputs = {
        "memory": (images, ViewLogits(augment.view_draws(IMAGES, VIEWS, 0), held)),
        "store": (images, ViewLogits(drawn, read)),
        "disk": (far, ViewLogits(drawn, read)),
    }
    steps = {}
    for name, (each, logits) in inputs.items():
        settings = {"batch_size": BATCH, "augmentation": "satellite", "seed": 0, "view_logits": logits}
        distiller = Distiller(students.build("resnet8", 64, 10), teacher_names=["one", "two"])
        steps[name] = stepper(distiller, iter(training_batches(each, **settings).repeat()))
    times = processor_seconds(steps)
    return {
        "step_with_store_over_memory": round(times["store"] / times["memory"], 3),
        "step_from_disk_over_memory": round(times["disk"] / times["memory"], 3),
        "student_images_per_core_second": round(BATCH / times["memory"]),
        "teacher_images_per_core_second": round(BATCH / _seconds_of_teacher(images.images[:BATCH])),
    }


def processes(folder: Path) -> dict[str, float]:
    """Images a second of ResNet8's training in two processes, each with half of the cores, over one with all of them.

    Processes exchange the sums of every batch norm and the gradients in each step, so the size of the batches matters.
    """
    cores = sorted(os.sched_getaffinity(0))
    halves = [cores[: len(cores) // 2], cores[len(cores) // 2 :]]
    found = {}
    for batch in BATCHES:
        one, two = (_seconds_an_epoch(folder / f"{len(parts)}-of-{batch}", parts, batch) for parts in ([cores], halves))
        found[str(batch)] = round(one / two, 2)
    return found


def _seconds_an_epoch(workdir: Path, cores: list[list[int]], batch: int) -> float:
    """The fastest epoch of a training in as many processes as there are lists of cores."""
    workdir.mkdir()
    settings = {**TRAINING, "distillation": {**TRAINING["distillation"], "batch_size": batch}}
    (workdir / "bench.toml").write_text(tomli_w.dumps(settings))
    workers = [f"127.0.0.1:{free_port()}" for _ in cores]
    started = []
    for index, few in enumerate(cores):
        task = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
        environment = {**os.environ, "XDG_CACHE_HOME": str(workdir / "cache"), "PYTHONPATH": str(ROOT)}
        if len(cores) > 1:
            environment["TF_CONFIG"] = json.dumps(task)
        words = ["taskset", "-c", ",".join(map(str, few)), sys.executable, "-m", "keras_satkd.quantize"]
        words += ["--config", "bench.toml", "--workdir", "run"]
        started.append(subprocess.Popen(words, cwd=workdir, env=environment))
    if any([process.wait() for process in started]):  # all of them are waited for
        sys.exit(f"a process of {len(cores)} failed")
    rows = history.read(workdir / "run" / history.FILE)
    return min(float(row["seconds"]) for row in rows)


def processor_seconds(steps: dict[str, Callable[[], None]]) -> dict[str, float]:
    """Median processor time of each step, with what its batches take, measured in turn; the first round is not counted.

    Wall time would measure what else this machine does. Several steps in a row, because batches are made ahead.
    """
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(ROUNDS + 1):
        for name, step in steps.items():
            began = time.process_time()
            for _ in range(IN_A_ROW):
                step()
            taken[name].append((time.process_time() - began) / IN_A_ROW)
    return {name: statistics.median(times[1:]) for name, times in taken.items()}


def _store(folder: Path, name: str) -> LogitsStore:
    recipe = Recipe(name, "", IMAGES, "", 10, "satellite", 0, "", VIEWS, SHARDS)
    store, random = LogitsStore.create(folder / "store", recipe), np.random.default_rng(0)
    for shard in range(1, SHARDS + 1):
        store.compute(shard, lambda rows, view: random.normal(0, 3, (rows.stop - rows.start, 10)))
    return store


def _seconds_of_teacher(images: np.ndarray) -> float:
    logits_of = tf.function(teachers.build(TEACHER, 10, "none").logits)
    taken = []
    for _ in range(4):
        began = time.process_time()
        logits_of(images).numpy()
        taken.append(time.process_time() - began)
    return statistics.median(taken[1:])


PARTS = {"memory": memory, "speed": ratios, "processes": processes}


def main() -> None:
    """Measure, save, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--parts", nargs="+", choices=tuple(PARTS), default=tuple(PARTS))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = {name: PARTS[name](Path(folder)) for name in arguments.parts}
    arguments.out.parent.mkdir(exist_ok=True)
    results = {**(json.loads(arguments.out.read_text()) if arguments.out.exists() else {}), **found}
    arguments.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if results.keys() < PARTS.keys():
        return
    renew(results)
    print("\n".join(lines(results)))


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    # The endless pipelines prefetch and would keep the interpreter from exiting.
    os._exit(0)
