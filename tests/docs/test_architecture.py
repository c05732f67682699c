"""The tables of `docs/architecture.md` against the tree: every folder and module, and nothing else."""

import re
from pathlib import Path

import pytest
from markdown_text import ROOT, code_spans, text

PAGE = text(ROOT / "docs" / "architecture.md")
PACKAGES = ("keras_satkd", "firmware_export")


def folders(package: str) -> set[Path]:
    """Folders of modules, and folders of other files beside modules (templates, presets, weights)."""
    found = [path for path in [ROOT / package, *(ROOT / package).rglob("*")] if path.is_dir()]
    return {path for path in found if has_modules(path) or (path.name != "__pycache__" and has_modules(path.parent))}


def has_modules(folder: Path) -> bool:
    return (folder / "__init__.py").exists()


def table(package: str) -> dict[str, tuple[str, str]]:
    """Cells of each row of a package's table, by folder: what it does, and its modules."""
    section = PAGE.partition(f"## Folders of `{package}`")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([\w/]+)/` \| (.*?) \|(.*?)\|$", section, re.MULTILINE)
    assert len(rows) == len({name for name, *_ in rows})
    return {name: (purpose, modules) for name, purpose, modules in rows}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_folder_is_there_and_no_other(package):
    assert set(table(package)) == {path.relative_to(ROOT).as_posix() for path in folders(package)}


@pytest.mark.parametrize(
    "folder", sorted(path.relative_to(ROOT).as_posix() for package in PACKAGES for path in folders(package))
)
def test_every_module_is_named_and_no_other(folder):
    purpose, named = table(folder.partition("/")[0])[folder]
    assert purpose
    assert sorted(code_spans(named)) == sorted({path.stem for path in (ROOT / folder).glob("*.py")} - {"__init__"})


def test_folders_of_templates_are_named():
    purpose, _ = table("firmware_export")["firmware_export/templates"]
    found = {f"{path.name}/" for path in (ROOT / "firmware_export" / "templates").iterdir() if path.is_dir()}
    assert set(code_spans(purpose)) == found


def test_where_a_stranger_looks_exists():
    """`test_links` finds files by their ending; here also folders, and the function that is named."""
    section = PAGE.partition("## Where do I find")[2].partition("\n## ")[0]
    paths = [span for span in code_spans(section) if "/" in span]
    assert len(paths) >= 10
    assert [path for path in paths if not (ROOT / path).exists()] == []
    assert "\ndef paper(" in (ROOT / "keras_satkd" / "weighting.py").read_text()


def test_steps_name_modules_that_exist():
    section = PAGE.partition("## From image to microcontroller")[2].partition("\n## ")[0]
    modules = {path.stem for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    named = [span for span in code_spans(section) if re.fullmatch(r"[a-z_]+", span)]
    assert len(named) > 10
    assert set(named) - modules - set(PACKAGES) == set()
