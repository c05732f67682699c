"""The origin of a training's initial weights."""

import hashlib
import json
from typing import Any

from firmware_export.common.files import read_text
from keras_satkd.models import pretrained
from keras_satkd.models.teachers import DESCRIPTION_FILE, WEIGHTS_FILE

FACTS = ("command", "seed", "split_sha256", "schedule", "epochs", "hardware", "hours", "began_from")
"""Keys that are copied from the description beside the weights."""


def describe(initial_weights: str) -> dict[str, Any]:
    """The provenance of a trained network whose training is continued.

    Args:
        initial_weights: a readable `.keras` file, a folder that `keras_satkd.teach` wrote, or a shipped model's name.

    Returns:
        `sha256` of its weights file and, if `keras_satkd.ship` described it, `FACTS`, including its own provenance.
    """
    path = pretrained.path(initial_weights)
    is_teacher = path.is_dir()
    weights = path / WEIGHTS_FILE if is_teacher else path
    description = path / DESCRIPTION_FILE if is_teacher else path.with_suffix(".json")
    known = json.loads(read_text(description)) if description.is_file() else {}
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    return {"sha256": digest, **{fact: known[fact] for fact in FACTS if fact in known}}
