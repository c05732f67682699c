"""How Sphinx builds these pages: `make docs`. They fetch nothing from other hosts, and open from a folder too."""

import importlib
import re
import sys
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.ext.napoleon import Config, GoogleDocstring
from sphinx.util import inspect

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from firmware_export.common.stderr import captured_stderr  # noqa: E402

project = "keras_satkd"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_heading_anchors = 4
exclude_patterns = ["camera", "drift", "engine", "pictures", "public_models", "upsets"]
html_theme = "furo"
html_title = "keras_satkd"
html_show_copyright = False
html_copy_source = False
nitpicky = True
# Libraries whose pages are on other hosts.
nitpick_ignore_regex = [(r"py:\w+", r"(collections|numpy|pathlib|pydantic_core|tensorflow|tf_keras)\..*")]

# The Python API: docstrings are Google's style, with code in single backquotes as in Markdown.
default_role = "code"
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
add_module_names = False
python_maximum_signature_line_length = 100

_PAGES = (
    *(
        "results",
        "distillation_study",
        "method",
        "teaching",
        "extending",
        "your_data",
        "four_bands",
        "manifest",
        "groups",
    ),
    *("imbalance", "unlabelled", "teachers", "own_teachers", "students", "own_student", "camera", "drift", "gpu"),
    *(
        "many_machines",
        "speed",
        "public_models",
        "build_systems",
        "board",
        "row_engine",
        "engine_api",
        "upsets",
        "files",
        "cli",
        "api",
    ),
    *("troubleshooting", "torture", "architecture", "release"),
)
# Our "Returns" are sentences: words before a colon are no type to link to. Fields are listed once.
_SECTIONS = Config(napoleon_use_ivar=True, napoleon_use_rtype=False, napoleon_attr_annotations=False)
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


def google_style(app: Sphinx, what: str, name: str, described: object, options: object, lines: list[str]) -> None:
    """Turn the sections of a docstring (Args, Raises, …) into what Sphinx knows.

    Args:
        app: Sphinx.
        what: the kind of what is described. Variables have no sections: Napoleon, as an extension, would take the words
            before a colon for their type.
        name: its full name.
        described: itself.
        options: those of the directive.
        lines: its docstring.
    """
    if what in ("module", "class", "exception", "function", "method"):
        lines[:] = GoogleDocstring(lines, _SECTIONS, what=what, name=name, obj=described).lines()


def class_signature(
    app: Sphinx, what: str, name: str, described: Any, options: object, signature: str, returns: str
) -> tuple[str, str] | None:
    """The parameters of a class where Sphinx finds others than its reader needs.

    Args:
        app: Sphinx.
        what: the kind of what is described.
        name: its full name.
        described: itself.
        options: those of the directive.
        signature: the parameters that Sphinx found.
        returns: the type that it returns.

    Returns:
        None where Sphinx's are right.
    """
    if what != "class":
        return None
    if name.startswith("keras_satkd.config."):
        # Their types hold ranges as objects of pydantic; the command line's page shows them in words.
        return "", ""
    if signature == "(*args, **kwargs)":
        # Keras models have a `__new__`, in which Sphinx looks first.
        own = inspect.signature(described.__init__, bound_method=True)
        written = inspect.stringify_signature(own, show_return_annotation=False, unqualified_typehints=True)
        return re.sub(r"<function (\w+)>", r"\1", written), ""
    return None


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls it."""
    # Autodoc would import it too, and let TensorFlow write to stderr.
    with captured_stderr():
        importlib.import_module("keras_satkd.distiller")
        importlib.import_module("tensorflow").config.list_logical_devices()
    app.connect("source-read", complete)
    app.connect("autodoc-process-docstring", google_style)
    app.connect("autodoc-process-signature", class_signature)
    return {"parallel_read_safe": True}
