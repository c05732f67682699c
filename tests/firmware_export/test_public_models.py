"""The outcome for each model of `../shared/models` in each engine is that of `docs/public_models/results.json`."""

import json

import public_models
import pytest

MODELS = json.loads(public_models.RESULTS.read_text(encoding="utf-8"))["models"]
LARGE = {"mcunetv2_large.tflite"}  # minutes, with few images too


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(MODELS) - LARGE))
def test_a_public_model(name):
    path = public_models.FOLDER / name
    if not path.exists():
        pytest.skip("the public models are not at ../shared/models")
    found = public_models.outcome(path, images=4)
    expected = MODELS[name]
    assert found["tflm"] == expected["tflm"]
    assert (found["rows"] == public_models.EXPORTED) >= (expected["rows"] == public_models.EXPORTED), found["rows"]
    assert found.get("changes", []) == expected.get("changes", [])


def test_most_are_exported():
    exported = {
        engine: sum(found[engine] == public_models.EXPORTED for found in MODELS.values()) for engine in ("tflm", "rows")
    }
    assert exported["tflm"] >= 14
    assert exported["rows"] >= 10
