"""The page, the model card and the terminal's table of a run that nobody trained."""

import html.parser
import json
import re
import sys

import made_up_run
import numpy as np
import pytest

from firmware_export.common.errors import UserError
from keras_satkd import redraw
from keras_satkd.evaluation import predictions
from keras_satkd.report import summary
from keras_satkd.report.write import print_table, report
from keras_satkd.run.folder import Run
from keras_satkd.run.stages import DATA

VOID = {"br", "img", "meta", "wbr"}


class Page(html.parser.HTMLParser):
    """A page's elements: an end without its beginning, or the other way round, is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.titles: list[str] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, {name: value or "" for name, value in attributes}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, {name: value or "" for name, value in attributes}))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open[-2:] == ["svg", "title"]:
            self.titles.append(data)
        if "style" not in self._open:
            self.words += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


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
    # Four phases, weights, cases, confusion, reliability of three, four corruptions, risk against coverage.
    assert len(page.all("svg")) == 4 + 2 + 1 + 3 + 4 + 1
    captions = len(page.all("caption"))
    assert captions == len(page.all("table")) == 5


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
        "python -m keras_satkd.distill --data.source EuroSAT_RGB.zip --distillation.weighting.rule paper-sample",
        "90.50 %",
        "215,840 B",
        "It fits\nMicrochip SAMV71Q21RT, ST STM32H743xI, ST STM32L4R5xI.",
        summary.firmware(run)["unsure"]["reason"],
        "keras_satkd 0.1.0",
    ):
        assert words in page.words
    for table in (summary.scores, summary.costs, summary.corruptions, summary.parts, summary.steps):
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
    for teachers, said in ((("only",), "There was one teacher"), ((), "from the labels alone, without a teacher")):
        run = made_up_run.finished(tmp_path / str(len(teachers)), teachers=teachers)
        report(run)
        page = Page(run.path("report.html").read_text())
        assert said in page.words
        assert len(page.all("svg")) == 13


def test_an_export_without_validation_images_has_no_curve(tmp_path):
    run = made_up_run.finished(tmp_path / "run")
    exported = summary.firmware(run)
    exported["unsure"] = {"least_margin": 0, "reason": "Every image is answered."}
    run.path("firmware", "export.json").write_text(json.dumps(exported))
    report(run)
    page = Page(run.path("report.html").read_text())
    assert "Every image is answered." in page.words
    assert not [title for title in page.titles if title.startswith("Errors against coverage")]


def test_the_model_card(run):
    card = run.path("model_card.md").read_text()
    for words in ("# resnet8 on EuroSAT_RGB.zip", "`" + "5" * 64 + "`", "90.50", "--data.source EuroSAT_RGB.zip"):
        assert words in card
    tables = re.findall(r"(?:^\|.*\n)+", card, re.MULTILINE)
    assert len(tables) == 4
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_the_terminals_table(run, capsys):
    print_table(run)
    said = capsys.readouterr().out
    for words in ("int8, exported", "90.50", "98,522", "report.html"):
        assert words in said


def test_redrawn_it_is_the_same(run, monkeypatch, capsys):
    before = run.path("report.html").read_bytes()
    run.path("report.html").unlink()
    monkeypatch.setattr(sys, "argv", ["redraw", "--workdir", str(run.workdir)])
    with pytest.raises(SystemExit) as stop:
        redraw.main()
    assert stop.value.code == 0
    assert run.path("report.html").read_bytes() == before


@pytest.mark.parametrize("length", [0, 2, 5000])
def test_a_run_whose_answers_are_damaged(tmp_path, length):
    run = made_up_run.finished(tmp_path / "run")
    run.path(predictions.FILE).write_bytes(run.path(predictions.FILE).read_bytes()[:length])
    with pytest.raises(UserError, match=r"test_answers\.npz cannot be read"):
        report(run)
    with pytest.raises(UserError, match="holds no run"):
        Run.open(tmp_path)


def test_classes_with_the_most_errors_are_shown_where_there_are_many(monkeypatch, image_set):
    monkeypatch.setattr(predictions, "MOST_CLASSES", 2)
    test = image_set(30)
    logits = np.eye(3, dtype=np.float32)[test.labels] * 5
    logits[test.labels == 1] = [9, 0, 0]
    mistaken = np.flatnonzero(test.labels == 2)[4]
    logits[mistaken] = [0, 9, 0]
    found = predictions.collect({"int8": logits}, test, "int8")
    assert set(test.labels[found.examples]) == {1, 2}
    assert mistaken in found.examples
    assert len(found.examples) == predictions.WRONG + predictions.CORRECT + 1
