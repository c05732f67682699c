"""What the files beside a trained model say of it: class names, scaling of samples, abstention threshold."""

import hashlib
import json
from pathlib import Path
from typing import Any

from firmware_export.common.errors import UserError
from firmware_export.common.files import read_text
from firmware_export.images.scaling import Scaling, from_dict
from firmware_export.images.scaling import load as load_scaling
from firmware_export.output.folder import read_report
from keras_satkd.models.formats import files
from keras_satkd.run.artifacts import FIRMWARE_FOLDER, SCALING_FILE, TEACHER_DESCRIPTION_FILE
from keras_satkd.run.results import CLASS_NAMES
from keras_satkd.run.results_file import FILE as RESULTS_FILE


def is_teacher_folder(file: Path) -> bool:
    """Whether a model is a folder that is no SavedModel."""
    return file.is_dir() and not files.is_saved_model(file)


def scaling(file: Path) -> Scaling | None:
    """The scaling of the images that a model was trained on; None if it was trained on 8-bit pictures.

    It is `scaling` in a JSON file of the same name beside the model, or the `scaling.json` of the run whose folder
    contains it.

    Raises:
        UserError: one of these files is not readable.
    """
    beside = file / TEACHER_DESCRIPTION_FILE if is_teacher_folder(file) else file.with_suffix(".json")
    described = _json_beside(beside)
    if "scaling" in described:
        return from_dict(described["scaling"], str(beside))
    run = file.resolve().parents[1] if is_teacher_folder(file) else file.parent
    return load_scaling(run / SCALING_FILE) if (run / SCALING_FILE).is_file() else None


def abstention_threshold(file: Path) -> int | None:
    """The threshold that was chosen on validation images for an int8 model, in output codes; None if there is none.

    It is `least_margin` in a JSON file of the same name beside the model, or in the export of the run whose folder
    contains the model.

    Raises:
        UserError: one of these files is not readable.
    """
    described = _json_beside(file.with_suffix(".json"))
    if "least_margin" in described:
        margin = described["least_margin"]
        if not isinstance(margin, int) or not 0 <= margin <= 255:
            raise UserError(f"least_margin in {file.with_suffix('.json')} is {margin!r}: give an integer from 0 to 255")
        return margin
    exported = _export_beside(file.parent / FIRMWARE_FOLDER)
    is_of_this_model = exported.get("given_sha256") == hashlib.sha256(file.read_bytes()).hexdigest()
    # Without labelled validation images, an export states 0, but none was chosen.
    if not is_of_this_model or "error_rate" not in exported.get("unsure", {}):
        return None
    return int(exported["unsure"]["least_margin"])


def _export_beside(folder: Path) -> dict[str, Any]:
    try:
        return read_report(folder)
    except (FileNotFoundError, NotADirectoryError):
        return {}


def _json_beside(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty if the file does not exist or contains something else."""
    if not path.is_file():
        return {}
    try:
        values = json.loads(read_text(path))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is not readable JSON ({error}): repair or remove it") from None
    return values if isinstance(values, dict) else {}


def class_names(file: Path, classes: int) -> tuple[str, ...] | None:
    """The classes in the order of a model's logits; None if no file names them.

    They are `class_names` in a teacher folder's description or in a JSON file of the same name beside the model, or
    those of the run whose folder contains the model.

    Args:
        file: the model.
        classes: number of its logits.

    Raises:
        UserError: the file is not readable, or has no list of as many different names.
    """
    keys: tuple[str, ...]
    if is_teacher_folder(file):
        beside, keys = file / TEACHER_DESCRIPTION_FILE, ("class_names",)
    elif file.with_suffix(".json").is_file():
        beside, keys = file.with_suffix(".json"), ("class_names",)
    else:
        beside, keys = file.parent / RESULTS_FILE, CLASS_NAMES
    names: Any = _json_beside(beside)
    for key in keys:
        if not isinstance(names, dict) or key not in names:
            return None
        names = names[key]
    if not _is_list_of_names(names) or len(names) != classes:
        raise UserError(
            f"{keys[-1]} in {beside} is {names!r}: give a list of {classes} different names, or remove the file"
        )
    return tuple(names)


def _is_list_of_names(names: Any) -> bool:
    return isinstance(names, list) and all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
