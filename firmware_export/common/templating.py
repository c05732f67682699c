"""Render the templates."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any


def render_template(name: str, context: Mapping[str, Any], package: str = "firmware_export") -> str:
    """Render a file of a package's `templates/` folder.

    Args:
        name: the file's name; if it ends in `.html`, text is escaped.
        context: values by variable name; a variable that it lacks is an error.
        package: the package that contains the template.
    """
    text: str = _environment(package).get_template(name).render(context)
    return text


@cache
def _environment(package: str) -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(package),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=jinja2.select_autoescape(["html"]),  # other templates are C, C++, build files and Markdown
    )
    environment.filters |= {"markdown": markdown_text, "code": markdown_code, "fenced": markdown_block}
    return environment


def markdown_text(text: str, special: str = "\\|[]`") -> str:
    r"""Text on one line of Markdown, also in a table: without HTML, links and code.

    Args:
        text: any text.
        special: the characters that get a backslash.

    >>> print(markdown_text("a|b\n<script>"))
    a\|b &lt;script>
    """
    escaped = one_line(text).replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{character}" if character in special else character for character in escaped)


def markdown_code(text: str) -> str:
    """Text between single backticks, also in a table. A backtick becomes an apostrophe."""
    return one_line(text).replace("`", "'").replace("|", "\\|")


def markdown_block(text: str, language: str) -> str:
    """Text as a block of code, with a fence that the text cannot end."""
    runs = [len(run) for run in re.findall("`+", text)]
    fence = "`" * max(3, *(length + 1 for length in runs), 3)
    return f"{fence}{language}\n{text}\n{fence}"


def one_line(text: str) -> str:
    """`text` with a space for every line break and other control character."""
    return "".join(character if character.isprintable() else " " for character in text)
