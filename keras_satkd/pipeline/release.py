"""A run's models as files for others: scores and digest of the very file, and how it was made."""

import dataclasses
import hashlib
import json
import shutil
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import h5py

from firmware_export.common.errors import UserError
from firmware_export.common.files import write_json, write_with
from keras_satkd.config import command
from keras_satkd.data.sources import load
from keras_satkd.data.splits import Split, split
from keras_satkd.evaluation import classifier
from keras_satkd.evaluation.scoring import evaluate
from keras_satkd.models.teacher_zoo import parse_name
from keras_satkd.models.teachers import DESCRIPTION_FILE, WEIGHTS_FILE
from keras_satkd.run import history
from keras_satkd.run.artifacts import INT8_FILE, STUDENT_FILE
from keras_satkd.run.folder import Run


def ship(workdir: Path, out: Path, suffix: str) -> list[Path]:
    """Copy what the run in `workdir` made to `out`.

    Args:
        workdir: of `keras_satkd.distill` or `keras_satkd.teach`.
        out: folder; files of the same names are replaced.
        suffix: ends every name.

    Returns:
        What was written: `.keras`, `.tflite` and teachers' folders.

    Raises:
        UserError: `workdir` holds no run, or one that has finished neither a teacher nor a student.
    """
    run = Run.open(workdir)
    divided = split(load(run.config.data), run.config.data)
    taught = [step.removeprefix("teacher ") for step in run.results if step.startswith("teacher ")]
    written = [_ship_teacher(run, divided, name, out, suffix) for name in taught]
    if "int8" in run.results:
        for made, ending in ((STUDENT_FILE, ".keras"), (INT8_FILE, "_int8.tflite")):
            target = out / f"{run.config.student}_{suffix}{ending}"
            write_with(target, partial(shutil.copyfile, run.path(made)))
            phases = ["distillation", "quantization"] if made == INT8_FILE else ["distillation"]
            facts = _facts(run, "distillation", "parameters", "macs", "teachers", "calibration", "began_from")
            _describe(run, divided, target, target.with_suffix(".json"), phases, facts)
            written.append(target)
    if not written:
        raise UserError(f"--workdir {workdir} has finished neither a teacher nor a student: let it finish first")
    return written


def _ship_teacher(run: Run, divided: Split, specification: str, out: Path, suffix: str) -> Path:
    folder, made = out / f"{parse_name(specification)[0]}_{suffix}", run.path("teachers", specification)
    write_with(folder / WEIGHTS_FILE, lambda path: halve_precision(made / WEIGHTS_FILE, path))
    description = json.loads((made / DESCRIPTION_FILE).read_text())
    del description["scores"]
    # Needed to load the weights that are to be scored; the scores then follow.
    write_json(folder / DESCRIPTION_FILE, description)
    facts = description | _facts(run, f"teacher {specification}", "began_from")
    _describe(run, divided, folder, folder / DESCRIPTION_FILE, [f"teacher-{specification}"], facts)
    return folder


def _facts(run: Run, step: str, *names: str) -> dict[str, Any]:
    return {name: run.results[step][name] for name in names if name in run.results[step]}


def halve_precision(source: Path, target: Path) -> None:
    """Write a copy of a Keras `.weights.h5` whose numbers have 16 bits; `load_weights` takes it as it takes the other.

    Half precision keeps 11 bits of each weight, which moves a logit far less than one training epoch does.
    """
    with h5py.File(source) as wide, h5py.File(target, "w") as narrow:

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Dataset):
                values = item[()]
                narrow.create_dataset(name, data=values.astype("float16") if values.dtype == "float32" else values)
            else:
                narrow.require_group(name)
            narrow[name].attrs.update(item.attrs)

        narrow.attrs.update(wide.attrs)
        wide.visititems(copy)


def _describe(run: Run, divided: Split, model: Path, target: Path, phases: list[str], facts: dict[str, Any]) -> None:
    """Write the JSON beside `model`, whose scores are measured now, on the file that is shipped."""
    loaded = dataclasses.replace(classifier.load(str(model)), class_names=divided.train.class_names)
    weights = model / WEIGHTS_FILE if model.is_dir() else model
    epochs = history.of_phases(run.path(history.FILE), phases)
    settings = {
        phase: run.config.teachers if phase.startswith("teacher-") else getattr(run.config, phase) for phase in phases
    }
    program = "keras_satkd.teach" if phases[0].startswith("teacher-") else "keras_satkd.distill"
    write_json(
        target,
        facts
        | {
            "file": weights.name,
            "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
            "bytes": weights.stat().st_size,
            "class_names": divided.train.class_names,
            "command": command(run.config, program),
            "seed": run.config.seed,
            "split_sha256": divided.sha256,
            "schedule": {phase: dataclasses.asdict(config) for phase, config in settings.items()},
            "epochs": Counter(row["phase"] for row in epochs),
            "hardware": history.hardware(epochs, run.results["data"]["hardware"]),
            "hours": round(history.seconds(epochs) / 3600, 2),
            "images": {part: len(getattr(divided, part)) for part in ("train", "validation", "test")},
            "validation": evaluate(loaded, divided.validation.images, divided.validation.labels, corruptions=False),
            # What flies is the int8 model: what it withstands belongs to its description.
            "test": evaluate(loaded, divided.test.images, divided.test.labels, corruptions=model.suffix == ".tflite"),
        },
    )
