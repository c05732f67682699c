"""Render the templates."""

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

    return jinja2.Environment(
        loader=jinja2.PackageLoader(package),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=jinja2.select_autoescape(["html"]),  # other templates are C, C++, build files and Markdown
    )
