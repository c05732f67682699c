import dataclasses
import json

import html_page
import pytest

from firmware_export.upsets.campaign import Settings
from firmware_export.upsets.outcomes import ORDER
from firmware_export.upsets.rates import Mission
from firmware_export.upsets.report import COLORS, Report


@pytest.fixture
def settings(tmp_path):
    return Settings(samples=200, slow_samples=20, seed=1, jobs=2, work=tmp_path)


@pytest.fixture
def report(result, settings):
    return Report([result], settings, Mission(1e-7, 1000, 0.5, bound=0.01))


def test_json(report, result):
    written = json.loads(json.dumps(report.as_dict()))
    assert (written["seed"], written["samples"], written["slow_samples"]) == (1, 200, 20)
    assert written["mission"]["bound"] == 0.01
    usual, highest = written["folders"][0]["rates"]["row engine"]["wrong_a_year_during_images"]
    assert 0 <= usual < highest


def test_markdown(report, result):
    text = report.markdown()
    assert "| weights | " in text
    assert "Mission: 1e-07 upsets per bit and day" in text
    assert result.sha256 in text
    assert "\n\n\n" not in text


def test_without_a_mission(result, settings):
    report = Report([result], settings, None)
    assert "Without `--upsets-per-bit-day`" in report.markdown()
    assert report.as_dict()["folders"][0]["rates"] is None


def test_html(report, result):
    page = html_page.Page(report.html())
    assert {"script", "img", "link"} & {name for name, _ in page.elements} == set()
    assert len(page.all("dt")) == len(result.regions)
    for region in result.regions:
        assert region.name in page.words
    for name in map(str, ORDER):
        assert name in page.words
    assert len(COLORS) == len(ORDER)


def test_names_are_escaped(result, settings):
    report = Report([dataclasses.replace(result, name="<b>")], settings, None)
    assert "<b>" not in report.html()


def test_print(report, capsys):
    report.print()
    assert "row engine, bytes of RAM" in capsys.readouterr().out
