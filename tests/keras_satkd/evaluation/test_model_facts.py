import hashlib
import json

import pytest

from firmware_export.common.errors import UserError
from firmware_export.common.files import write_json
from firmware_export.images.image_set import Bands
from firmware_export.images.scaling import Scaling
from keras_satkd.evaluation import model_facts

SCALING = Scaling(Bands(("B08", "B02"), (3, 0), 4), "uint16", (0, 0), (4095, 4095), "given")


@pytest.fixture
def model(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.tflite").write_bytes(b"a model")
    return tmp_path / "run" / "mine.tflite"


def test_class_names_beside_the_model(model):
    beside = model.with_suffix(".json")
    beside.write_text(json.dumps({"class_names": ["Forest", "Lake", "Straße"]}), encoding="utf-8")
    assert model_facts.class_names(model, 3) == ("Forest", "Lake", "Straße")
    beside.write_text(beside.read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert model_facts.class_names(model, 3) == ("Forest", "Lake", "Straße")
    beside.write_text(json.dumps({"accuracy": 1}))
    assert model_facts.class_names(model, 3) is None


def test_class_names_beside_a_saved_model(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "saved_model.pb").touch()
    (tmp_path / "mine.json").write_text(json.dumps({"class_names": ["a", "b"]}))
    assert model_facts.class_names(tmp_path / "mine", 2) == ("a", "b")


def test_class_names_of_the_run_that_the_model_lies_in(model):
    (model.parent / "metrics.json").write_text(json.dumps({"data": {"classes": ["a", "b", "c"]}}))
    assert model_facts.class_names(model, 3) == ("a", "b", "c")


@pytest.mark.parametrize("names", [["a", "b"], ["a", "b", "b"], "abc", ["a", "b", 3], {"a": 1, "b": 2, "c": 3}])
def test_class_names_that_do_not_fit(model, names):
    model.with_suffix(".json").write_text(json.dumps({"class_names": names}))
    with pytest.raises(UserError, match=r"mine\.json.*a list of 3 different names"):
        model_facts.class_names(model, 3)


def test_damaged_class_names(model):
    model.with_suffix(".json").write_text("{")
    with pytest.raises(UserError, match=r"mine\.json is not readable JSON"):
        model_facts.class_names(model, 3)


def test_the_scaling_of_the_run_or_of_the_models_description(model):
    teacher = model.parent / "teachers" / "mine"
    teacher.mkdir(parents=True)
    assert model_facts.scaling(model) is None
    assert model_facts.scaling(teacher) is None
    write_json(model.parent / "scaling.json", SCALING.to_dict())
    assert model_facts.scaling(model) == SCALING
    assert model_facts.scaling(teacher) == SCALING
    (model.parent / "scaling.json").unlink()
    for described in (model.with_suffix(".json"), teacher / "teacher.json"):
        write_json(described, {"scaling": SCALING.to_dict()})
    assert model_facts.scaling(model) == SCALING
    assert model_facts.scaling(teacher) == SCALING


@pytest.mark.parametrize(
    ("unsure", "threshold"),
    [
        ({"least_margin": 9, "error_rate": 0.02}, 9),
        ({"least_margin": 0, "error_rate": 0.02}, 0),
        ({"least_margin": 0}, None),
    ],
)
def test_the_threshold_of_the_run_that_the_model_lies_in(model, unsure, threshold):
    export = {"given_sha256": hashlib.sha256(model.read_bytes()).hexdigest(), "unsure": unsure}
    write_json(model.parent / "firmware" / "export.json", export)
    assert model_facts.abstention_threshold(model) == threshold
    write_json(model.parent / "firmware" / "export.json", export | {"given_sha256": "0" * 64})
    assert model_facts.abstention_threshold(model) is None


def test_the_threshold_in_the_models_description(model):
    model.with_suffix(".json").write_text(json.dumps({"least_margin": 12}))
    assert model_facts.abstention_threshold(model) == 12
    for wrong in (-1, 256, "12", 1.5):
        model.with_suffix(".json").write_text(json.dumps({"least_margin": wrong}))
        with pytest.raises(UserError, match=r"least_margin in .*mine\.json is .*: give an integer from 0 to 255"):
            model_facts.abstention_threshold(model)
