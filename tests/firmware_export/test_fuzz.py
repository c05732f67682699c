"""Damaged models, ours and public ones: each is exported verified or refused in one line; no crash, no hang."""

import collections
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import public_models
import pytest

SEEDS = 200
"""For more, see `fuzzing`."""
WORKERS = 2
PUBLIC = public_models.FOLDER
PUBLIC_SEEDS = 17
FUZZING = Path(__file__).parent.parent / "fuzzing.py"


@pytest.fixture(scope="module")
def models(quantized, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for kind in ("autoencoder", "ds_cnn", "mobilenet", "resnet"):
        (folder / f"{kind}.tflite").write_bytes(quantized(kind))
    return folder


def _outcomes(models, seeds=SEEDS):
    """A dictionary for each seed, see `fuzzing.main`."""
    ends = [seeds * worker // WORKERS for worker in range(WORKERS + 1)]
    # Without a PATH no compiler is found: four hundred times the same C++ around other numbers. And beside the script
    # lies another folder of the package's name, with its tests.
    no_compiler = {**os.environ, "PATH": "", "PYTHONPATH": str(FUZZING.parents[1])}
    workers = [
        subprocess.Popen(
            [sys.executable, str(FUZZING), str(models), str(first), str(end)], stdout=subprocess.PIPE, env=no_compiler
        )
        for first, end in itertools.pairwise(ends)
    ]
    printed = [worker.communicate()[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * WORKERS
    return [json.loads(line) for text in printed for line in text.splitlines()]


def _defects(outcomes, models):
    defects = [said for said in outcomes if said["outcome"] == "defect"]
    again = " ; ".join(f"python {FUZZING} {models} {said['seed']} {said['seed'] + 1}" for said in defects)
    return f"{defects}\nagain with: {again}" if defects else ""


@pytest.mark.slow
@pytest.mark.skipif(not PUBLIC.exists(), reason="the public models are not in ../shared/models")
def test_damaged_public_models_are_refused_in_one_line_or_exported_verified():
    outcomes = _outcomes(PUBLIC, PUBLIC_SEEDS)
    assert [said["seed"] for said in outcomes] == list(range(PUBLIC_SEEDS))
    assert not _defects(outcomes, PUBLIC)
    assert any(said["message"].startswith("both engines") for said in outcomes if said["outcome"] == "exported")


@pytest.mark.slow
def test_damaged_models_are_refused_in_one_line_or_exported_verified(models):
    outcomes = _outcomes(models)
    assert [said["seed"] for said in outcomes] == list(range(SEEDS))
    assert not _defects(outcomes, models)
    counts = collections.Counter(said["outcome"] for said in outcomes)
    # Neither may swallow the other; a probe that dies is rare, and what made TFLM crash is refused before it.
    assert counts["exported"] >= SEEDS * 0.3
    assert counts["refused"] >= SEEDS * 0.4
    assert counts["died"] <= SEEDS * 0.02
    reasons = {said["message"].split("(")[0] for said in outcomes if said["outcome"] == "refused"}
    assert len(reasons) >= 10
