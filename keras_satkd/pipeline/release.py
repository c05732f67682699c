"""Release of a run's models: each file with its scores, its digest and a description of how it was made."""

import dataclasses
import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import h5py

from firmware_export.common import digests, staging
from firmware_export.common.errors import UserError
from firmware_export.common.files import write_json, write_with
from firmware_export.images.scaling import Scaling
from keras_satkd.camera import sensor as sensors
from keras_satkd.config import TrainingConfig
from keras_satkd.config_io import command
from keras_satkd.data import scaling
from keras_satkd.data.reading import rgb_of
from keras_satkd.data.splits import Split
from keras_satkd.evaluation import classifier, model_facts, risk
from keras_satkd.evaluation.scoring import evaluate
from keras_satkd.models.teacher_zoo import parse_name
from keras_satkd.models.teachers import DESCRIPTION_FILE, WEIGHTS_FILE
from keras_satkd.run import history
from keras_satkd.run.artifacts import INT8_FILE, SENSOR_FILE, STUDENT_FILE, TEACHERS_FOLDER
from keras_satkd.run.folder import Run
from keras_satkd.run.stages import DATA, DISTILLATION, INT8, Found, Step, teacher

_STAGE = ".ship-"


def ship(workdir: Path, out: Path, suffix: str) -> list[Path]:
    """Copy the models of the run in `workdir` to `out`.

    Args:
        workdir: run folder of `keras_satkd.distill` or `keras_satkd.teach`.
        out: output folder; files with the same names are replaced, once all are complete.
        suffix: end of every name.

    Returns:
        Paths of the written models: `.keras`, `.tflite` and teacher folders.

    Raises:
        UserError: `workdir` contains no run, or its run has finished neither a teacher nor a student.
    """
    run = Run.open(workdir)
    if INT8 not in run.results and not run.results.teachers():
        raise UserError(f"--workdir {workdir} has finished neither a teacher nor a student: finish the run first")
    out.mkdir(parents=True, exist_ok=True)
    staging.remove_abandoned(out, _STAGE)
    with staging.folder(out, _STAGE) as stage:
        written = _staged(run, stage, suffix)
        for path in sorted(stage.rglob("*")):
            if path.is_file():
                target = out / path.relative_to(stage)
                target.parent.mkdir(exist_ok=True)
                path.replace(target)
    return [out / path.relative_to(stage) for path in written]


def _staged(run: Run, out: Path, suffix: str) -> list[Path]:
    divided, scaled = scaling.load_split(run.config.data)
    written = [_ship_teacher(run, divided, scaled, name, out, suffix) for name in run.results.teachers()]
    schedules: dict[str, TrainingConfig] = {
        "distillation": run.config.distillation,
        "quantization": run.config.quantization,
    }
    if INT8 in run.results:
        for made, ending in ((STUDENT_FILE, ".keras"), (INT8_FILE, "_int8.tflite")):
            target = out / f"{run.config.student_name}_{suffix}{ending}"
            write_with(target, partial(shutil.copyfile, run.path(made)))
            phases = ["distillation", "quantization"] if made == INT8_FILE else ["distillation"]
            facts = _facts(run, DISTILLATION, "parameters", "macs", "teachers", "calibration", "began_from")
            settings = {phase: schedules[phase] for phase in phases}
            facts |= _scaling(scaled)
            _describe(run, divided, target, target.with_suffix(".json"), settings, "keras_satkd.distill", facts)
            written.append(target)
    return written


def _ship_teacher(run: Run, divided: Split, scaled: Scaling, specification: str, out: Path, suffix: str) -> Path:
    folder, made = out / f"{parse_name(specification)[0]}_{suffix}", run.path(TEACHERS_FOLDER, specification)
    write_with(folder / WEIGHTS_FILE, lambda path: halve_precision(made / WEIGHTS_FILE, path))
    description = json.loads((made / DESCRIPTION_FILE).read_text())
    del description["scores"]
    description.pop(digests.KEY, None)
    description |= _scaling(scaled)
    # Scoring the weights needs this description to load them; the scores are added afterward.
    write_json(folder / DESCRIPTION_FILE, description)
    step = teacher(specification)
    assert step.phase is not None
    settings, facts = {step.phase: run.config.teachers}, description | _facts(run, step, "began_from")
    _describe(run, divided, folder, folder / DESCRIPTION_FILE, settings, "keras_satkd.teach", facts)
    return folder


def _scaling(scaled: Scaling) -> dict[str, Any]:
    return {} if scaling.is_plain(scaled) else {"scaling": scaled.to_dict()}


def _facts(run: Run, step: Step[Found], *names: str) -> dict[str, Any]:
    found = run.results[step].to_json()
    return {name: found[name] for name in names if name in found}


def halve_precision(source: Path, target: Path) -> None:
    """Write a float16 copy of a Keras `.weights.h5` file; `load_weights` accepts both.

    Half precision keeps 11 bits of each weight. This changes a logit far less than one training epoch does.
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


def _describe(
    run: Run,
    divided: Split,
    model: Path,
    target: Path,
    settings: Mapping[str, TrainingConfig],
    program: str,
    facts: dict[str, Any],
) -> None:
    """Write the JSON file for `model`: its scores, measured on the released file, and how it was made.

    Args:
        run: the run that made it.
        divided: the run's images.
        model: the released file or folder.
        target: the JSON file.
        settings: settings of each phase of its training, by the name of the phase in `metrics.csv`.
        program: module of the command that makes it again.
        facts: additional keys.
    """
    weights = model / WEIGHTS_FILE if model.is_dir() else model
    epochs = history.of_phases(run.path(history.FILE), list(settings))
    validation, test = divided.validation, divided.test
    rgb = rgb_of(test.channel_names, run.config.data)
    loaded = classifier.load(str(model)).for_bands(test.channel_names, rgb)
    loaded = dataclasses.replace(loaded, class_names=divided.train.class_names)
    kept = run.path(SENSOR_FILE)
    digests.check(kept)
    sensor = sensors.load(str(kept)) if kept.exists() else None
    if sensor is not None:
        facts = facts | {"sensor": sensor.model_dump(mode="json", exclude_none=True)}
    # The int8 model is the one for flight, so its description includes its scores under disturbances.
    if model.suffix == ".tflite":
        threshold = model_facts.abstention_threshold(run.path(INT8_FILE))
        facts = facts | ({} if threshold is None else {"least_margin": threshold})
        loaded = dataclasses.replace(loaded, threshold=threshold)
        scores = evaluate(loaded, test.images, test.labels, corruptions=True, sensor=sensor)
        if sensor is not None:
            scores["risk"] = risk.without_points(scores["risk"])
    else:
        scores = evaluate(loaded, test.images, test.labels)
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
            "schedule": {phase: _without_folders(dataclasses.asdict(config)) for phase, config in settings.items()},
            "epochs": Counter(row["phase"] for row in epochs),
            "hardware": history.hardware(epochs, run.results[DATA].hardware),
            "hours": round(history.seconds(epochs) / 3600, 2),
            "images": {
                "train": len(divided.train),
                "validation": len(validation),
                "test": len(test),
            },
            "validation": evaluate(loaded, validation.images, validation.labels),
            "test": scores,
        },
    )


def _without_folders(value: Any) -> Any:
    """Settings whose paths are shortened to their last component, as in the command."""
    if isinstance(value, dict):
        return {name: _without_folders(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_folders(each) for each in value]
    return Path(value).name if isinstance(value, str) else value
