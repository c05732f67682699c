"""Where the initial weights of a training came from."""

import hashlib
import json
from typing import Any

from firmware_export.common.files import read_text
from keras_satkd.models import pretrained
from keras_satkd.models.teachers import DESCRIPTION_FILE, WEIGHTS_FILE

FACTS = ("command", "seed", "split_sha256", "schedule", "epochs", "hardware", "hours", "began_from")
"""What is kept of the description that lies beside the weights."""


def describe(initial_weights: str) -> dict[str, Any]:
    """The provenance of a trained network that another training continues.

    Args:
        initial_weights: a readable `.keras` file, a folder that `keras_satkd.teach` made, or the name of a shipped one.

    Returns:
        `sha256` of its weights file and, if `keras_satkd.ship` described it, `FACTS`, its own provenance among them.
    """
    path = pretrained.path(initial_weights)
    is_teacher = path.is_dir()
    weights = path / WEIGHTS_FILE if is_teacher else path
    description = path / DESCRIPTION_FILE if is_teacher else path.with_suffix(".json")
    known = json.loads(read_text(description)) if description.is_file() else {}
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    return {"sha256": digest, **{fact: known[fact] for fact in FACTS if fact in known}}
