"""How Sphinx builds these pages: `make docs`. They fetch nothing from other hosts, and open from a folder too."""

import sys
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

project = "keras_satkd"
extensions = ["myst_parser"]
myst_heading_anchors = 4
exclude_patterns = ["engine", "pictures"]
html_theme = "furo"
html_title = "keras_satkd"
html_show_copyright = False
html_copy_source = False
nitpicky = True

_PAGES = (
    *("results", "distillation_study", "method", "your_data", "teachers", "gpu", "speed"),
    *("build_systems", "board", "row_engine", "files", "cli", "troubleshooting", "architecture"),
)
# Studies that have been trained at least in part; `keras_satkd.study` wrote these pages.
_STUDIES = sorted(path.relative_to(HERE).with_suffix("").as_posix() for path in HERE.glob("*/study.md"))


def complete(app: Sphinx, page: str, source: list[str]) -> None:
    """Add to a page what code knows: to the first one the order of all, to the command line's its reference.

    Args:
        app: Sphinx.
        page: its name, without ending.
        source: the page's text, in a list of one.
    """
    if page == "index":
        pages = "\n".join([*_PAGES, *_STUDIES])
        source[0] += f"\n```{{toctree}}\n:hidden:\n\n{pages}\n```\n"
    if page in _STUDIES:
        source[0] = f"# {Path(page).parent.name.replace('_', ' ').capitalize()}\n\n{source[0]}"
    if page == "cli":
        from command_line import reference

        source[0] += "\n" + reference()


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls it."""
    app.connect("source-read", complete)
    return {"parallel_read_safe": True}
