"""Extract headings, links and code from Markdown, in order."""

import itertools
import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb"))


@dataclass(frozen=True)
class Fence:
    """A block of code; `language` is the first word after the backquotes."""

    language: str
    text: str


def text(path: Path) -> str:
    """The Markdown of a page, or of the Markdown cells of a notebook."""
    if path.suffix != ".ipynb":
        return path.read_text(encoding="utf-8")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def fences(markdown: str) -> list[Fence]:
    """Fenced code, from top to bottom."""
    return [
        Fence((token.info.split() or [""])[0], token.content) for token in _tokens(markdown) if token.type == "fence"
    ]


def links(markdown: str) -> list[str]:
    """Targets of links and pictures."""
    inline = _inline(markdown)
    return [str(token.attrs["href"]) for token in inline if token.type == "link_open"] + [
        str(token.attrs["src"]) for token in inline if token.type == "image"
    ]


def code_spans(markdown: str) -> list[str]:
    """The text of code spans; a line break in a span becomes a space."""
    return [token.content for token in _inline(markdown) if token.type == "code_inline"]


def anchors(markdown: str) -> set[str]:
    """Valid targets of `#…` links: the headings' anchors in GitHub and Sphinx."""
    found, times = set(), Counter()
    tokens = _tokens(markdown)
    for opening, heading in itertools.pairwise(tokens):
        if opening.type == "heading_open":
            written = "".join(child.content for child in heading.children or [])
            name = re.sub(r"[^\w\- ]", "", written.lower()).replace(" ", "-")
            found.add(f"{name}-{times[name]}" if times[name] else name)
            times[name] += 1
    return found


def _tokens(markdown: str) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(markdown)


def _inline(markdown: str) -> list[Token]:
    return [child for token in _tokens(markdown) for child in token.children or []]
