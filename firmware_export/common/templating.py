"""The templates, filled."""

from collections.abc import Mapping
from functools import cache
from typing import Any


def render_template(name: str, context: Mapping[str, Any], package: str = "firmware_export") -> str:
    """A file of a package's `templates/` with `context` put in; a name that `context` lacks is an error.

    Args:
        name: of the file; in one that ends in `.html`, text is escaped.
        context: what the template asks for.
        package: which one's.
    """
    text: str = _environment(package).get_template(name).render(context)
    return text


@cache
def _environment(package: str) -> Any:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader(package),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=jinja2.select_autoescape(["html"]),  # the others are C++, build files and Markdown
    )
