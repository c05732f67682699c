"""Links lead somewhere: files and headings are looked for, other hosts' addresses are only read."""

import re
from urllib.parse import unquote, urlsplit

import pytest
from markdown_text import NOTEBOOKS, PAGES, ROOT, anchors, code_spans, links, text

WRITTEN = [*PAGES, *NOTEBOOKS]


def problem(page, target):
    """What is wrong with a link, or None."""
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:
        is_address = parts.scheme == "https" and re.fullmatch(r"[\w-]+(\.[\w-]+)+", parts.netloc)
        return None if is_address and not re.search(r"\s", target) else "no https address"
    file = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if not file.is_relative_to(ROOT) or not file.exists():
        return "no such file"
    if parts.fragment and parts.fragment not in anchors(text(file)):
        return "no such heading"
    return None


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_links(page):
    found = {target: problem(page, target) for target in links(text(page))}
    assert not {target: said for target, said in found.items() if said}


def test_broken_links_are_found(tmp_path):
    page = ROOT / "README.md"
    for target, said in {
        "docs/nowhere.md": "no such file",
        "../../elsewhere": "no such file",
        "docs/method.md#nothing": "no such heading",
        "#nothing": "no such heading",
        "http://example.org": "no https address",
        "https://example": "no https address",
    }.items():
        assert problem(page, target) == said
    assert problem(page, "docs/row_engine.md#measured") is None


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_of_ours_that_are_named_exist(page):
    spans = " ".join(code_spans(text(page)))
    named = re.findall(
        r"\b((?:keras_satkd|firmware_export|docs|tests)/[\w./-]*\.(?:py|md|html|svg|json|toml|sh|h|cc|c))\b", spans
    )
    missing = [name for name in named if not (ROOT / name).exists()]
    assert not missing
