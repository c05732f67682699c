"""The templates, filled."""

from collections.abc import Mapping
from functools import cache
from typing import Any


def render_template(name: str, context: Mapping[str, Any]) -> str:
    """A file of `templates/` with `context` put in; a name that `context` lacks is an error, never an empty place."""
    return _environment().get_template(name).render(context)


@cache
def _environment() -> Any:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("firmware_export"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # C++ and build files, not HTML
    )
