"""Flip bits in files that commands read, and count what is noticed: `python tests/flips.py FOLDER SECONDS`.

Prints a line of JSON: for each kind of file the numbers of files and of flips that were `found` (a line names the file,
or the file is made again), `harmless` (what is read is the same) or `missed`.
"""

import json
import logging
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import exporting
import model_surgery
import numpy as np
from damage import flip

from firmware_export.common import digests
from firmware_export.common.errors import UserError
from firmware_export.images.decode import Decoded
from firmware_export.images.image_set import ImageSet
from firmware_export.output.folder import read_whole

Reader = Callable[[], Any]
"""Reads the files of a folder as a command does."""

FOUND, HARMLESS, MISSED = "found", "harmless", "missed"


def exported_folder(folder: Path) -> Iterator[tuple[Path, Reader]]:
    """The files of an export, read as by `firmware_export.run`, `upsets` and `evidence`."""
    exporting.export(model_surgery.one_convolution(), folder, engine="both", has_evidence=True)
    report = read_whole(folder)
    for name in (*report["digests"], "export.json"):
        yield folder / name, lambda: read_whole(folder)


def run_folder(folder: Path) -> Iterator[tuple[Path, Reader]]:
    """The files of a finished run, read as by `redraw`, `ship` and the next `distill`."""
    import made_up_run

    from keras_satkd.run import history
    from keras_satkd.run.folder import Run
    from keras_satkd.run.stages import DATA

    run = made_up_run.finished(folder)
    digests.write_text(folder / "sensor.toml", (folder / "sensor.toml").read_text())

    def read() -> Any:
        opened = Run.open(folder)
        digests.check(folder / "sensor.toml")
        results = [opened.results[step] for step in opened.results.steps()]
        return opened.config, results, history.read(folder / "metrics.csv")

    names = {file for step in run.results.steps() if step is not DATA for file in step.files}
    for name in (*names, "config.json", "metrics.json", "metrics.csv", "sensor.toml"):
        if (folder / name).exists():
            yield folder / name, read


def image_cache(folder: Path) -> Iterator[tuple[Path, Reader]]:
    """Decoded images in the cache that runs share; a damaged entry is made again."""
    from keras_satkd.data.cache import cached

    images = np.arange(2 * 8 * 8 * 3, dtype=np.uint8).reshape(2, 8, 8, 3)
    made = Decoded(ImageSet(images, np.array([1, 0], np.int32), ("a/1.png", "b/2.png"), ("a", "b")), (), {"8x8": 2})

    def read() -> Any:
        found = cached({"source": "x"}, str(folder), lambda target: made)
        return found.image_set.images.tobytes(), found.image_set.labels.tobytes(), found.image_set.files

    read()
    for path in sorted(folder.rglob("*.np*")) + sorted(folder.rglob("*.json")):
        yield path, read


def shipped_models(folder: Path) -> Iterator[tuple[Path, Reader]]:
    """The models of the package, each beside its description."""
    from keras_satkd.models import pretrained

    shutil.copytree(pretrained.FOLDER, folder)
    for path in sorted([*folder.glob("*.keras"), *folder.glob("*.tflite")]):
        yield path, lambda path=path: digests.check_described(path)


KINDS = {
    "exported folder": exported_folder,
    "run folder": run_folder,
    "image cache": image_cache,
    "shipped models": shipped_models,
}


def outcome(path: Path, read: Reader, fraction: float, bit: int) -> str:
    """What comes of a flip; the folder is as before afterwards."""
    expected, content = read(), path.read_bytes()
    flip(path, fraction, bit)
    damaged = path.read_bytes()
    try:
        is_same = repr(read()) == repr(expected)
    except UserError as error:
        return FOUND if path.name in str(error) and "\n" not in str(error) else MISSED
    finally:
        was_made_again = path.read_bytes() != damaged
        path.write_bytes(content)
    return FOUND if was_made_again else HARMLESS if is_same else MISSED


def main() -> None:
    """Flip bits in the files of each kind in turn until the time is over."""
    root, seconds = Path(sys.argv[1]).resolve(), float(sys.argv[2])
    logging.disable()
    counts: dict[str, Counter[str]] = {}
    for kind, make in KINDS.items():
        generator, files = random.Random(0), list(make(root / kind.replace(" ", "_")))
        deadline, counts[kind] = time.monotonic() + seconds / len(KINDS), Counter(files=len(files))
        while time.monotonic() < deadline:
            for path, read in files:
                counts[kind][outcome(path, read, generator.random(), generator.randrange(8))] += 1
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
