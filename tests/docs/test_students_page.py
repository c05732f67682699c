"""The page of students against what `docs/students/renew.py` measured, and against the networks."""

import json
import re

from markdown_text import ROOT, text

from firmware_export.common.tables import with_measured
from keras_satkd.models import mixer, student_registry, students

FOLDER = "students"
PAGE = text(ROOT / "docs" / "students.md")


def test_the_page_has_what_was_measured(renew):
    found = json.loads(renew.RESULTS.read_text())
    assert list(found) == list(student_registry.OURS)
    assert with_measured(PAGE, renew.table(found)) == PAGE


def test_what_was_measured_are_these_networks(renew):
    for name, cost in json.loads(renew.RESULTS.read_text()).items():
        student = students.build(name, renew.SIZE, renew.CLASSES)
        assert (students.trainable_parameters(student), students.macs(student)) == (cost["parameters"], cost["macs"])


def test_the_mixer_is_within_resnet8(renew):
    found = json.loads(renew.RESULTS.read_text())
    ours, theirs = found["mixer"], found["resnet8"]
    assert all(ours[key] <= theirs[key] for key in ("parameters", "macs"))
    assert all(ours["ram"][core] <= theirs["ram"][core] for core in theirs["ram"])
    assert all(ours["instructions"][core] <= theirs["instructions"][core] for core in theirs["instructions"])


def test_the_widths_are_those_of_the_code():
    [widths] = re.findall(r"three stages of (\d+), (\d+), and (\d+) channels", PAGE)
    assert tuple(map(int, widths)) == mixer.SHAPES["mixer"].channels
