"""Weights that a training began from, so that those who get its product can tell all of what made it."""

import hashlib
import json
from typing import Any

from firmware_export.common.files import read_text
from keras_satkd.models import pretrained
from keras_satkd.models.teachers import DESCRIPTION_FILE, WEIGHTS_FILE

FACTS = ("command", "seed", "split_sha256", "schedule", "epochs", "hardware", "hours", "began_from")
"""What is kept of the description beside them."""


def began_from(initial_weights: str) -> dict[str, Any]:
    """What is known of a trained network.

    Args:
        initial_weights: a readable `.keras` file, a folder that `keras_satkd.teach` made, or the name of a shipped one.

    Returns:
        `sha256` of its weights file and, if `ship` described it, `FACTS`, those of its own origin among them.
    """
    path = pretrained.path(initial_weights)
    is_teacher = path.is_dir()
    weights = path / WEIGHTS_FILE if is_teacher else path
    description = path / DESCRIPTION_FILE if is_teacher else path.with_suffix(".json")
    known = json.loads(read_text(description)) if description.is_file() else {}
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    return {"sha256": digest, **{fact: known[fact] for fact in FACTS if fact in known}}
