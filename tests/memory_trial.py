"""A training in a process of its own, and its largest memory: `python tests/memory_trial.py images.npz 8 CACHE`.

It reads made-up tiles with everything that a run does with its images before and while it trains, for a few steps, and
prints a line of JSON: the largest memory of each stage in MiB (`VmHWM`), and seconds to the first batch.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import itertools
import json
import re
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np

from firmware_export.common import on_disk
from firmware_export.common.stderr import captured_stderr

with captured_stderr():
    from keras_satkd.data import duplicates, scaling
    from keras_satkd.distiller import Distiller
    from keras_satkd.evaluation.metrics import predict
    from keras_satkd.models import students
    from keras_satkd.settings.data_config import DataConfig
    from keras_satkd.training.batches import evaluation_batches, training_batches
    from keras_satkd.training.view_logits import pixels_sha256

BATCH, STEPS = 32, 4


def make_tiles(path: Path, number: int, size: int) -> None:
    """Write `number` random tiles of ten classes as an uncompressed `.npz`, in pieces."""
    random = np.random.default_rng(0)
    images = path.with_name("images.npy")
    with on_disk.Writer(images, (size, size, 3), np.uint8) as writer:
        for start in range(0, number, 1000):
            writer.extend(random.integers(0, 256, (min(1000, number - start), size, size, 3), np.uint8))
    labels = path.with_name("labels.npy")
    np.save(labels, np.arange(number) % 10)
    with zipfile.ZipFile(path, "w", allowZip64=True) as archive:
        for each in (images, labels):
            archive.write(each, each.name)
            each.unlink()


def largest() -> int:
    """The largest memory of this process so far, in MiB. `ru_maxrss` would count that of its parent, too."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) >> 10


def trial(images: str, size: int, cache: str) -> dict[str, float]:
    """Memory in MiB after each stage, and seconds to the first batch."""
    began = time.perf_counter()
    found = {"start": largest()}
    settings = DataConfig(images, image_size=size, cache_dir=cache)
    divided, _ = scaling.load_split(settings)
    found["read"] = largest()
    duplicates.find(divided.train, [divided.validation, divided.test])
    pixels_sha256(divided.train.images)
    found["checked"] = largest()
    batches = training_batches(divided.train, batch_size=BATCH, augmentation="satellite", seed=0)
    iterator = iter(batches.repeat())
    next(iterator)
    found["seconds_to_first_batch"] = round(time.perf_counter() - began, 2)
    student = students.build("resnet8", size, 10)
    distiller = Distiller(student)
    distiller.compile(optimizer="adam")
    distiller.fit(batches.take(STEPS), verbose=0)
    for _ in itertools.islice(iterator, 50):
        pass
    found["trained"] = largest()
    for _ in evaluation_batches(divided.validation, 1000):
        pass
    predict(lambda part: part.mean(axis=(1, 2)), divided.test.images, "test")
    found["evaluated"] = largest()
    return found


def in_new_process(images: Path, size: int, cache: Path, held: int) -> dict[str, float]:
    """The trial in a process of its own that holds at most `held` MiB of images."""
    command = [sys.executable, __file__, images, str(size), cache]
    environment = os.environ | {"SATKD_MAX_HELD_MIB": str(held), "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    print(json.dumps(trial(sys.argv[1], int(sys.argv[2]), sys.argv[3])))
    sys.stdout.flush()
    # The endless pipelines prefetch and would keep the interpreter from exiting.
    os._exit(0)
