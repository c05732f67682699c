"""The pictures are what their script draws today: their figures are the shipped models' own."""

import re
import xml.etree.ElementTree as ElementTree

import pytest
from markdown_text import ROOT

FOLDER = ROOT / "docs" / "pictures"
FILES = ("overview.svg", "image.svg")


@pytest.fixture(scope="module")
def draw(docs_module):
    return docs_module("draw", "docs/pictures")


def without_scenes(text: str) -> str:
    """Photographs' bytes depend on the library that packs them."""
    return re.sub(r'href="data:[^"]*"', "", text)


def test_every_picture_is_known(draw):
    assert {path.name for path in FOLDER.glob("*.svg")} == set(draw.PICTURES) == set(FILES)


@pytest.mark.parametrize("file", FILES)
def test_it_is_up_to_date(draw, file):
    drawn = draw.PICTURES[file]().render()
    committed = (FOLDER / file).read_text()
    assert without_scenes(drawn) == without_scenes(committed), "python docs/pictures/draw.py"


@pytest.mark.parametrize("file", FILES)
def test_it_stands_on_its_own(file):
    root = ElementTree.parse(FOLDER / file).getroot()
    assert root.find("{*}title").text
    addresses = [value for element in root.iter() for name, value in element.items() if name.endswith("href")]
    assert all(value.startswith("data:image/png;base64,") for value in addresses)
    # A card of its own, so that it is legible on a dark page: the first shape covers the picture.
    card = root.find("{*}rect")
    assert card.get("fill") == "#ffffff"
    assert float(card.get("width")) == float(root.get("width")) - 1


def test_areas_are_in_proportion_to_bytes(draw):
    teacher, student = ({"bytes": size} for size in (9_000_000, 90_000))
    assert draw._side(teacher) ** 2 / draw._side(student) ** 2 == pytest.approx(100)


def test_every_step_names_modules_that_exist():
    """Names in bold in the picture of an image's path are modules, or a package."""
    packages = ("keras_satkd", "firmware_export")
    modules = {path.stem for package in packages for path in (ROOT / package).rglob("*.py")}
    root = ElementTree.parse(FOLDER / "image.svg").getroot()
    titles = [element.text for element in root.iterfind(".//{*}text") if element.get("font-weight")]
    named = {name for title in titles for name in title.split(", ")}
    assert len(named) >= 10
    assert named - modules - set(packages) == set()
