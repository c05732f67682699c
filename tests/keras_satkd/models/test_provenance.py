import hashlib
import json

from tests_support import tiny_network

from keras_satkd.models import pretrained, provenance


def test_a_shipped_student_tells_how_it_was_made():
    told = provenance.describe("resnet8_eurosat.keras")
    described = json.loads((pretrained.FOLDER / "resnet8_eurosat.json").read_text())
    assert told["sha256"] == described["sha256"]
    assert told["hours"] == described["hours"]
    assert told["command"] == described["command"]
    assert "test" not in told


def test_a_shipped_teacher_tells_what_it_began_from_in_turn():
    told = provenance.describe("efficientvit_m2_eurosat")
    described = json.loads((pretrained.FOLDER / "efficientvit_m2_eurosat" / "teacher.json").read_text())
    assert told["sha256"] == described["sha256"]
    assert told["began_from"] == described["began_from"]


def test_weights_without_a_description(tmp_path):
    tiny_network().save(tmp_path / "student.keras")
    digest = hashlib.sha256((tmp_path / "student.keras").read_bytes()).hexdigest()
    assert provenance.describe(str(tmp_path / "student.keras")) == {"sha256": digest}
