"""The evidence pack of a small model: every value against its file, and what is missing."""

import hashlib
import json
import re
import shutil

import exporting
import numpy as np
import pytest

from firmware_export.board import emulator
from firmware_export.bounds import measure
from firmware_export.common.errors import UserError
from firmware_export.evidence import pack, statements
from firmware_export.evidence.references import REFERENCES
from firmware_export.output.folder import sealed

CAMPAIGN = {
    "confidence": 0.95,
    "folders": [
        {"sha256": "another", "images": 9, "regions": []},
        {
            "sha256": "of this model",
            "images": 4,
            "left_out": ["the arena: no access"],
            "regions": [
                {
                    "engine": "row engine",
                    "region": "weights",
                    "injections": 7,
                    "outcomes": {"masked": 5, "wrong class": 2},
                }
            ],
        },
    ],
}


@pytest.fixture(scope="module")
def exported(one_convolution, tmp_path_factory):
    folder = tmp_path_factory.mktemp("evidence") / "firmware"
    exporting.export(one_convolution, folder, engine="both", has_evidence=True)
    return folder


@pytest.fixture
def folder(exported, tmp_path):
    return shutil.copytree(exported, tmp_path / "firmware")


def _pack(folder):
    return json.loads((folder / "evidence/evidence.json").read_text()), (folder / "evidence/evidence.md").read_text()


def _topic(content, name):
    (found,) = [topic for topic in content["topics"] if topic["name"] == name]
    return found


def _check_values(folder):
    """Every value of the pack is that of the file that it names, and the text shows it."""
    content, text = _pack(folder)
    for topic in content["topics"]:
        for fact in topic["facts"]:
            file = next(path for path in (folder / fact["file"], folder / "upsets" / fact["file"]) if path.exists())
            found = statements.look_up(json.loads(file.read_text()), fact["path"], fact["reduction"])
            assert fact["value"] == found, fact
            assert f"| {fact['label']} | {pack._text(found)} |" in text
    return content


def test_every_value_equals_the_fact_it_comes_from(folder):
    content = _check_values(folder)
    assert sum(len(topic["facts"]) for topic in content["topics"]) > 30


def test_every_topic_is_there_with_its_references(folder):
    content, text = _pack(folder)
    assert [topic["name"] for topic in content["topics"]] == list(REFERENCES)
    assert all(topic["references"] for topic in content["topics"])
    assert re.findall(r"^## \d+\. (.*)", text, re.MULTILINE) == [
        *(name.capitalize() for name in REFERENCES),
        "Known limits",
        "Files",
    ]


def test_no_certification_is_claimed(folder):
    content, text = _pack(folder)
    assert content["no_claim"] == pack.NO_CLAIM
    assert pack.NO_CLAIM in text
    assert "no certification" in pack.NO_CLAIM


def test_every_file_has_its_digest(folder):
    content, text = _pack(folder)
    names = set(json.loads((folder / "export.json").read_text())["files"]) - set(pack.FILES)
    assert set(content["files"]) == names
    for name, digest in content["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
        assert f"| `{name}` | `{digest}` |" in text


def test_a_missing_proof_is_said_as_missing(folder):
    content, text = _pack(folder)
    missing = {name: [each["label"] for each in _topic(content, name)["missing"]] for name in REFERENCES}
    assert "stack of the functions" in missing["stack"]
    assert "instructions of the functions" in missing["timing"]
    assert missing["parity"] == ["comparison on real images", "comparison with the trained model"]
    assert "accuracy and abstention on labelled images" in missing["performance"]
    assert missing["upsets"] == ["upset campaign"]
    assert "- upset campaign: not run: python -m firmware_export.upsets DIR" in text
    assert _topic(content, "stack")["facts"] == _topic(content, "upsets")["facts"] == []


def test_what_was_given_is_no_longer_missing(one_convolution, tmp_path):
    images = np.random.default_rng(8).integers(0, 256, (256, 4, 4, 3), np.uint8)
    options = {"images": images, "validation": (images, np.zeros(len(images), int)), "engine": "tflm"}
    exporting.export(one_convolution, tmp_path / "firmware", has_evidence=True, **options)
    content = _check_values(tmp_path / "firmware")
    missing = [each["label"] for topic in content["topics"] for each in topic["missing"]]
    assert "comparison on real images" not in missing
    assert "accuracy and abstention on labelled images" not in missing
    (stack,) = _topic(content, "stack")["missing"]
    assert stack["remedy"].startswith("not measured for TensorFlow Lite Micro")


@pytest.mark.slow
@pytest.mark.skipif(not all(map(shutil.which, measure._TOOLS)), reason=emulator.INSTALL)
def test_measured_bounds_are_facts(one_convolution, tmp_path):
    exporting.export(one_convolution, tmp_path / "firmware", engine="rows", has_evidence=True, measures_bounds=True)
    content = _check_values(tmp_path / "firmware")
    report = json.loads((tmp_path / "firmware/export.json").read_text())["bounds"]
    values = {fact["label"]: fact["value"] for fact in _topic(content, "timing")["facts"]}
    assert values["most instructions, push_row"] == report["instructions"]["push_row"]["most"] > 0
    assert "stack of the functions" not in [each["label"] for each in _topic(content, "stack")["missing"]]
    header = (tmp_path / "firmware/satkd_bounds.h").read_text()
    assert f"SATKD_LONGEST_PUSH_INSTRUCTIONS_CORTEX_M4 {values['most instructions, push_row']} " in header
    text = (tmp_path / "firmware/fitting_report.md").read_text()
    assert (
        f"| `satkd_push_row` | {report['stack_bytes']['push_row']:,} | {values['most instructions, push_row']:,} |"
        in text
    )


@pytest.mark.parametrize("place", ["upsets.json", "upsets/upsets.json"])
def test_a_campaign_is_read(folder, place):
    sha256 = json.loads((folder / "export.json").read_text())["sha256"]
    campaign = json.dumps(CAMPAIGN).replace('"of this model"', f'"{sha256}"')
    (folder / place).parent.mkdir(exist_ok=True)
    (folder / place).write_text(campaign)
    pack.write(folder)
    content = _check_values(folder)
    values = {fact["label"]: fact["value"] for fact in _topic(content, "upsets")["facts"]}
    assert values["row engine, weights: wrong class"] == 2
    assert "upsets.json" in content["files"]
    assert {"label": "flips in other memory", "remedy": "the arena: no access"} in _topic(content, "upsets")["missing"]


def test_a_campaign_of_another_model_is_not_used(folder):
    (folder / "upsets.json").write_text(json.dumps({"folders": [{"sha256": "another"}]}))
    pack.write(folder)
    (missing,) = _topic(_pack(folder)[0], "upsets")["missing"]
    assert missing["remedy"].startswith("upsets.json is of another model")


def test_the_version_of_tflm_is_stated_where_outputs_depend_on_it(folder):
    """Its text may contain what has a meaning in Markdown."""
    path = folder / "export.json"
    path.write_text(sealed(json.loads(path.read_text()) | {"dense_scale": {"statement": "a|b [c](d)\n<e>"}}))
    pack.write(folder)
    content, text = _pack(folder)
    label = "version of TensorFlow Lite Micro whose outputs these are"
    (fact,) = [fact for fact in _topic(content, "parity")["facts"] if fact["label"] == label]
    assert fact["value"] == "a|b [c](d)\n<e>"
    assert f"| {label} | a\\|b \\[c\\](d) &lt;e> |" in text


def test_writing_again_changes_nothing(folder):
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert pack.write(folder) == tuple(folder / name for name in pack.FILES)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_the_next_export_removes_a_pack_that_was_added(one_convolution, tmp_path):
    exporting.export(one_convolution, tmp_path / "firmware")
    pack.write(tmp_path / "firmware")
    assert (tmp_path / "firmware/evidence").is_dir()
    exporting.export(one_convolution, tmp_path / "firmware")
    assert not (tmp_path / "firmware/evidence").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "has no export.json: give a folder that"),
        ("[]", "no report of an export"),
        ("{}", "has no valid symbol"),
        ('{"symbol": "g_model"}', "lists no readable files"),
        ('{"symbol": "g_model", "files": ["export.json"]}', "is of another version"),
        ('{"symbol": "g_model", "files": ["gone.c"]}', "gone.c not found"),
    ],
)
def test_what_is_no_exported_folder_is_refused(tmp_path, content, message):
    if content is not None:
        (tmp_path / "export.json").write_text(content)
    with pytest.raises(UserError, match=message):
        pack.write(tmp_path)
    assert not (tmp_path / "evidence").exists()
