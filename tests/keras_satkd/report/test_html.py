"""The page of a run that nobody trained."""

import json
import re

import made_up_run
import pytest
from html_page import Page

from keras_satkd.evaluation import predictions
from keras_satkd.report import parts, summary
from keras_satkd.report.write import report
from keras_satkd.run.folder import Run
from keras_satkd.run.stages import DATA


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    run = made_up_run.finished(tmp_path_factory.mktemp("made") / "run")
    report(run)
    return run


@pytest.fixture(scope="module")
def page(run) -> Page:
    return Page(run.path("report.html").read_text())


def test_every_part_is_there(page):
    identifiers = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    for link in page.all("a"):
        assert link["href"].removeprefix("#") in identifiers
    # Four phases, weights, cases, confusion, reliability of three, four corruptions, the camera, risk against
    # coverage on validation and on test images, guidance.
    assert len(page.all("svg")) == 4 + 2 + 1 + 3 + 4 + 1 + 2 + 1
    captions = len(page.all("caption"))
    assert captions == len(page.all("table")) == 9


def test_every_picture_is_told_in_words(page):
    assert len(page.titles) == len(page.all("svg"))
    assert all(len(title) > 40 for title in page.titles)
    pictures = page.all("img")
    assert all(picture["alt"] for picture in pictures)
    assert any("taken for" in picture["alt"] for picture in pictures)


def test_identifiers_are_unique_and_found(page):
    identifiers = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(set(identifiers)) == len(identifiers)
    used = {attributes["xlink:href"] for tag, attributes in page.elements if tag == "use"}
    assert used
    assert used <= {f"#{name}" for name in identifiers}


def test_nothing_is_fetched_and_nothing_runs(page, run):
    for tag, attributes in page.elements:
        assert tag not in {"script", "link", "iframe", "object", "embed"}
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in {"src", "href", "xlink:href", "srcset", "action"}:
                assert value.startswith(("data:image/", "#")), value
    text = run.path("report.html").read_text()
    assert re.findall(r"url\((?!#)", text) == []
    assert "@import" not in text
    [policy] = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
    assert policy.startswith("default-src 'none'")


def test_the_numbers_are_the_runs(page, run):
    for words in (
        run.results[DATA].split_sha256,
        "python -m keras_satkd.distill --data.source EuroSAT_RGB.zip --camera.sensor poor "
        "--distillation.weighting.rule paper-sample",
        "90.50 %",
        "215,840 B",
        "In TensorFlow Lite Micro it fits Microchip SAMV71Q21RT, ",
        "Asked for: Microchip SAMV71Q21RT: fits in TensorFlow Lite Micro.",
        "Microchip SAMV71Q21RT (asked for)",
        summary.firmware(run)["unsure"]["reason"],
        summary.firmware(run)["drift"]["reason"],
        "keras_satkd 0.1.0",
    ):
        assert words in page.words
    tables = (summary.scores, summary.costs, summary.corruptions, summary.camera, summary.risk, summary.drift)
    for table in (*tables, parts.table, summary.steps):
        for row in table(run).rows:
            assert all(cell in page.words for cell in row)


def test_examples_are_of_their_class(page, run):
    found = predictions.load(run.path(predictions.FILE))
    predicted, _ = found.of("int8")
    told = [picture["alt"] for picture in page.all("img")]
    assert len(told) == len(found.examples)
    for position, file in zip(found.examples, found.files, strict=True):
        [alt] = [alt for alt in told if alt.startswith(f"{file}: ")]
        true, taken = (run.results[DATA].classes[each[position]] for each in (found.labels, predicted))
        assert (f"{true}, correct" if true == taken else f"{true}, taken for {taken}") in alt


def test_names_are_text_never_markup(tmp_path):
    names = ("<script>alert(1)</script>", "a & b", 'quoted "c"')
    run = made_up_run.finished(tmp_path / "run", class_names=names)
    report(run)
    page = Page(run.path("report.html").read_text())
    assert not page.all("script")
    assert all(name in page.words for name in names)


def test_one_teacher_has_no_weights_to_show_and_none_is_no_error(tmp_path):
    for teachers, said in ((("only",), "There was one teacher"), ((), "on the labels alone, without a teacher")):
        run = made_up_run.finished(tmp_path / str(len(teachers)), teachers=teachers)
        report(run)
        page = Page(run.path("report.html").read_text())
        assert said in page.words
        assert len(page.all("svg")) == 15 + len(teachers)  # guidance by a teacher, if there is one


def test_an_export_without_validation_images_has_no_curve(tmp_path):
    run = made_up_run.finished(tmp_path / "run")
    exported = summary.firmware(run)
    exported["unsure"] = {"least_margin": 0, "reason": "Every image is answered."}
    run.path("firmware", "export.json").write_text(json.dumps(exported))
    report(run)
    page = Page(run.path("report.html").read_text())
    assert "Every image is answered." in page.words
    assert not [title for title in page.titles if title.startswith("Errors against coverage")]
