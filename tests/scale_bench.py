"""`make bench-scale`: what data and teacher logits that stay on disk cost, and what they spare.

Ratios are measured in one run, each step in turn with the other. The results are in `docs/scale/results.json`, and in
the table of docs/many_machines.md.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import json
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import tensorflow as tf

from firmware_export.common import on_disk
from keras_satkd.data import augment
from keras_satkd.data.view_numbers import Drawn
from keras_satkd.distiller import Distiller
from keras_satkd.models import students, teachers
from keras_satkd.training.batches import training_batches
from keras_satkd.training.logits_store import LogitsStore, Recipe
from keras_satkd.training.view_logits import ViewLogits, together
from tests import memory_trial
from tests.bench import BATCH, TEACHERS, scenes, seconds_each, stepper

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "scale" / "results.json"
PAGE = ROOT / "docs" / "many_machines.md"
BEGIN, END = "<!-- measured -->", "<!-- /measured -->"

THOUSANDS = (10, 100, 1000)
TILE = 16
HELD = 1
"""MiB of images that a trial holds in memory: all its sets are larger."""
IMAGES, VIEWS, SHARDS, ROUNDS = 4096, 8, 16, 7

TILES, EPOCHS, ASKED_VIEWS, MACHINES = 10_000_000, 100, 50, (1, 8, 64)


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
    times = seconds_each(steps, ROUNDS)
    return {
        "step_with_store_over_memory": round(times["store"] / times["memory"], 3),
        "step_from_disk_over_memory": round(times["disk"] / times["memory"], 3),
        "student_images_per_second": round(BATCH / times["memory"]),
        "teacher_images_per_second": round(BATCH / _seconds_of_teacher(images.images[:BATCH])),
    }


def _store(folder: Path, name: str) -> LogitsStore:
    recipe = Recipe(name, "", IMAGES, "", 10, "satellite", 0, "", VIEWS, SHARDS)
    store, random = LogitsStore.create(folder / "store", recipe), np.random.default_rng(0)
    for shard in range(1, SHARDS + 1):
        store.compute(shard, lambda rows, view: random.normal(0, 3, (rows.stop - rows.start, 10)))
    return store


def _seconds_of_teacher(images: np.ndarray) -> float:
    logits_of = tf.function(teachers.build(TEACHERS[0], 10, "none").logits)
    taken = []
    for _ in range(4):
        began = time.perf_counter()
        logits_of(images).numpy()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[1:])


def lines(results: dict[str, Any]) -> list[str]:
    """The tables of the page."""
    found = ["| | 10 thousand tiles | 100 thousand | 1 million |", "|---|---|---|---|"]
    trials = results["memory"]
    for title, key in (
        ("largest memory, MiB", "peak_mib"),
        ("of it before any image, MiB", "start_mib"),
        ("seconds to the first batch", "seconds_to_first_batch"),
        ("the same, from the cache", "from_cache"),
    ):
        found.append(f"| {title} | " + " | ".join(f"{trial[key]:,.0f}" for trial in trials) + " |")
    found += ["", "| ratio | measured | aim |", "|---|---|---|"]
    speed = results["speed"]
    found.append(f"| step with logits from a store / in memory | {speed['step_with_store_over_memory']:.2f} | ≤ 1.05 |")
    found.append(f"| step with images from disk too / all in memory | {speed['step_from_disk_over_memory']:.2f} | |")
    if speed.get("two_processes_over_one") is not None:
        found.append(f"| images a second, two processes / one | {speed['two_processes_over_one']:.2f} | |")
    return [*found, "", *arithmetic(speed)]


def arithmetic(speed: dict[str, float]) -> list[str]:
    """What ten million tiles would take, by division of the measured speeds."""
    student, teacher = speed["student_images_per_second"], speed["teacher_images_per_second"]
    asked, trained = TILES * ASKED_VIEWS / teacher, TILES * EPOCHS / student
    found = [
        f"By arithmetic, not by measurement: ten million tiles of 64×64 pixels, a teacher ({TEACHERS[0]}) of {teacher} "
        f"images a second and a student of {student}, as on the measured machine; days. Machines that ask a teacher "
        "share nothing, so 64 of them take a 64th.",
        "",
        "| | " + " | ".join(f"{number} machine{'s' * (number > 1)}" for number in MACHINES) + " |",
        "|---|" + "---|" * len(MACHINES),
    ]
    for title, seconds in ((f"a teacher's logits, {ASKED_VIEWS} views", asked),):
        days = [seconds / 86400 / number for number in MACHINES]
        found.append(f"| {title} | " + " | ".join(f"{each:,.1f}" for each in days) + " |")
    found.append(f"| {EPOCHS} epochs of the student | {trained / 86400:,.1f} | one machine | one machine |")
    return found


def renew(results: dict[str, Any], page: Path = PAGE) -> None:
    """Write the tables into the page, between its markers."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text("\n".join([before + BEGIN, *lines(results), END]) + after, encoding="utf-8")


def main() -> None:
    """Measure, save, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--parts", nargs="+", choices=("memory", "speed"), default=("memory", "speed"))
    arguments = parser.parse_args()
    parts = {"memory": memory, "speed": ratios}
    with tempfile.TemporaryDirectory() as folder:
        found = {name: parts[name](Path(folder)) for name in arguments.parts}
    arguments.out.parent.mkdir(exist_ok=True)
    results = {**(json.loads(arguments.out.read_text()) if arguments.out.exists() else {}), **found}
    arguments.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if results.keys() < parts.keys():
        return
    renew(results)
    print("\n".join(lines(results)))


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    # The endless pipelines prefetch and would keep the interpreter from exiting.
    os._exit(0)
