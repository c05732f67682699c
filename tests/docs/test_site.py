"""The pages build without a warning, hold every command, and fetch nothing."""

import re
import subprocess
import sys

import pytest
from markdown_text import ROOT

PRIVATE = {
    "firmware_export.memory.arena_trials",
    "firmware_export.upsets.tflm_worker",
    "firmware_export.verify.sandbox",
    "keras_satkd.training.run_offloaded",
}
"""Modules with a `main` that other modules of ours call, and one that runs where the package is not installed."""


def runnable_modules() -> set[str]:
    """What `python -m` runs, as the source says."""
    found = set()
    for package in ("keras_satkd", "firmware_export"):
        for path in (ROOT / package).rglob("*.py"):
            if '\nif __name__ == "__main__":' in path.read_text():
                parts = path.relative_to(ROOT).with_suffix("").parts
                found.add(".".join(part for part in parts if part != "__main__"))
    return found


def test_every_command_is_in_the_reference(docs_command_line):
    assert set(docs_command_line.COMMANDS) == runnable_modules() - PRIVATE


def test_scripts_of_the_package_are_in_the_reference(docs_command_line):
    scripts = docs_command_line.scripts()
    assert set(scripts) <= set(docs_command_line.COMMANDS)
    assert scripts["firmware_export"] == "satkd-export"
    for command, name in scripts.items():
        assert f"`{name}` is the same." in docs_command_line.section(command)


def test_a_section_is_usage_description_options(docs_command_line):
    text = docs_command_line.section("firmware_export.run")
    assert text.startswith("## firmware_export.run\n\n```text\nusage: python -m firmware_export.run")
    assert "--timeout FLOAT" in text
    assert text.count("```") == 4
    assert "\n\nCross-compile an exported folder" in text


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built pages, in a folder."""
    folder = tmp_path_factory.mktemp("site")
    strict = ["-W", "--keep-going", "-n", "-q", "-E", "-d", str(folder / "doctrees")]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *strict, "docs", str(folder / "html")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return folder / "html"


@pytest.mark.slow
class TestBuilt:
    def test_every_page_is_there(self, site):
        pages = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
        assert {page for page in pages if not (site / page).exists()} == set()

    def test_the_reference_holds_every_command(self, site, docs_command_line):
        text = (site / "cli.html").read_text()
        for command in docs_command_line.COMMANDS:
            assert f"usage: python -m {command} " in text
        assert "--distillation.temperature" in text

    def test_every_page_is_in_the_navigation(self, site):
        index = (site / "index.html").read_text()
        for page in (ROOT / "docs").glob("*.md"):
            assert page.stem == "index" or f'<a class="reference internal" href="{page.stem}.html">' in index

    def test_nothing_is_fetched_from_other_hosts(self, site):
        fetched = r"<(?:script|img|link|iframe|source)\b[^>]*\b(?:src|href)=[\"'](?:https?:)?//[^>]*>"
        for page in site.rglob("*.html"):
            assert not re.findall(fetched, page.read_text()), page.name
        for style in site.rglob("*.css"):
            assert not re.findall(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", style.read_text()), style.name

    def test_pictures_came_along(self, site):
        assert {"overview.svg", "image.svg", "rings.svg"} <= {path.name for path in (site / "_images").iterdir()}


@pytest.mark.slow
def test_a_broken_link_stops_the_build(tmp_path):
    """That warnings are errors: the same call on a page with a link to nowhere."""
    (tmp_path / "conf.py").write_text('extensions = ["myst_parser"]\nmyst_heading_anchors = 4\n')
    (tmp_path / "index.md").write_text("# Title\n\n[nowhere](nowhere.md)\n")
    words = ["-W", "--keep-going", "-n", "-q", str(tmp_path), str(tmp_path / "html")]
    done = subprocess.run([sys.executable, "-m", "sphinx", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "nowhere.md" in done.stderr
